"""The tokenizer of ERNIE-M, from its two files: a SentencePiece model, and the ids of its tokens.

`sentencepiece.bpe.model` cuts texts into pieces, and `vocab.txt` has the ids of what these are cut
into further. Both become one document: a `tokenizer.json` of the pieces, with the rest beside it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import Unigram

from ernie_triton.build.load.pieces.character_rules import character_rules
from ernie_triton.build.load.pieces.sentencepiece_model import read_unigram
from ernie_triton.build.load.pieces.vocabulary import check_added
from ernie_triton.build.load.settings import (
    CONFIG_FILES,
    SENTENCEPIECE_MODEL,
    TOKENIZER_FILE,
    optional_json,
)
from ernie_triton.build.load.tokenizers.tokenizer_keys import (
    ROLES,
    check_split_piece_keys,
    named_specials,
)
from ernie_triton.errors import CheckpointError
from ernie_triton.tokenizer.rules import SpecialNames, TokenRules
from ernie_triton.tokenizer.split_pieces import SPACE
from ernie_triton.tokenizer.vocabulary import (
    SPLIT_PIECES,
    VOCABULARY_FILE,
    Vocabulary,
    document_vocabulary,
    read_vocabulary_lines,
)

_NORMAL, _USER_DEFINED, _BYTE = 1, 4, 6
_KEEPS = ("add_dummy_prefix", "remove_extra_whitespaces", "escape_whitespaces")


def read_ernie_m_vocabulary(path: Path, folder: Path) -> Vocabulary:
    """Read the two files of a tokenizer of ERNIE-M.

    Args:
        path: either of them; the other one lies beside it.
        folder: the checkpoint's folder, with the tokenizer's settings.

    Raises:
        CheckpointError: a file is damaged, contradicts another, or is not as ERNIE-M has it.
        VocabularyError: the vocabulary is missing or damaged.
    """
    settings = optional_json(folder / TOKENIZER_FILE)
    check_split_piece_keys(settings, folder / TOKENIZER_FILE)
    lower_case = settings.get("do_lower_case", False)
    if not isinstance(lower_case, bool):
        raise CheckpointError(
            f"{folder / TOKENIZER_FILE}: do_lower_case is {lower_case!r}; expected true or false"
        )
    rules = TokenRules(
        names=SpecialNames(
            **{ROLES[key]: name for key, name in named_specials(settings, folder).items()}
        ),
        is_document=True,
        splits_pieces=True,
        separators=2,
        one_type=True,
    )
    model = path.with_name(SENTENCEPIECE_MODEL)
    document = _document(
        model,
        read_vocabulary_lines(path.with_name(VOCABULARY_FILE))[0],
        lower_case=lower_case,
        keeps_spaces="transformers_version" in optional_json(folder / CONFIG_FILES[0]),
    )
    vocabulary = document_vocabulary(document, rules, path.with_name(VOCABULARY_FILE))
    check_added(settings, folder, vocabulary.special_tokens, vocabulary.ids)
    return vocabulary


def _document(path: Path, ids: Mapping[str, int], *, lower_case: bool, keeps_spaces: bool) -> str:
    """Make the document of a tokenizer.

    Args:
        path: the SentencePiece model.
        ids: the tokens of the `vocab.txt`.
        lower_case: texts are lower-cased.
        keeps_spaces: the space before a token that stands alone is a token, as in transformers'
            port.
    """
    model = read_unigram(path)
    _check_model(model, path)
    used = [(piece.piece, piece.score) for piece in model.pieces if _kind(piece) == _NORMAL]
    # The unknown piece, spelled as no word is; its score leaves the lowest one as it is.
    unknown = SPACE * 2, max(score for _, score in used)
    unigram = Unigram([unknown, *used], unk_id=0)
    tokenizer = Tokenizer(unigram)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(SPACE, "merged_with_next")
    document: dict[str, Any] = json.loads(tokenizer.to_str())
    document[SPLIT_PIECES] = {
        "ids": ids,
        "characters": character_rules(model.normalizer.charsmap, str(path)),
        "lower_case": lower_case,
        "keeps_spaces": keeps_spaces,
    }
    return json.dumps(document, ensure_ascii=False)


def _check_model(model: Any, path: Path) -> None:  # noqa: ANN401
    """Refuse rules that no model of ERNIE-M has."""
    normalizer = model.normalizer
    off = [key for key in _KEEPS if normalizer.HasField(key) and not getattr(normalizer, key)]
    reason = f"has {off[0]} false" if off else ""
    if model.trainer.suffix:
        reason = "puts the space behind a word"
    kinds = {_kind(piece) for piece in model.pieces}
    if _USER_DEFINED in kinds or _BYTE in kinds:
        reason = "has pieces of bytes, or defined by the user"
    if all(piece.piece != SPACE for piece in model.pieces):
        reason = f"has no piece {SPACE!r} for a space"
    if reason:
        raise CheckpointError(
            f"{path} {reason}; expected a model as ERNIE-M has it, with SentencePiece's defaults"
        )


def _kind(piece: Any) -> int:  # noqa: ANN401
    return int(piece.type) if piece.HasField("type") else _NORMAL
