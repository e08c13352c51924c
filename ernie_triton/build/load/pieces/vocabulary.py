"""The vocabulary of a `tokenizer.json` of pieces, with the settings that decide its rows.

The document goes to the tokenizer stage as it is: its model, normalizer, pre-tokenizer and added
tokens. The form of rows is read here, because rows are cut and joined by the stage.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ernie_triton.build.load.pieces.sentencepiece_model import xlm_roberta_document
from ernie_triton.build.load.settings import (
    TOKENIZER_FILE,
    optional_json,
    read_json,
    tokenizer_settings,
)
from ernie_triton.build.load.tokenizers.tokenizer_keys import (
    MORE_SPECIALS,
    ROLES,
    check_piece_keys,
    named_specials,
    token_content,
)
from ernie_triton.errors import CheckpointError
from ernie_triton.text_files import read_text_file
from ernie_triton.tokenizer.rules import SpecialNames, TokenRules
from ernie_triton.tokenizer.vocabulary import Vocabulary, document_vocabulary

_DEFAULT_NAMES = {
    "unk_token": "<unk>",
    "cls_token": "<s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
}
_MOST_SEPARATORS = 2


def read_piece_vocabulary(path: Path, folder: Path, *, one_type: bool) -> Vocabulary:
    """Read a `tokenizer.json` of pieces, or a SentencePiece model of XLM-RoBERTa.

    Args:
        path: the file.
        folder: the checkpoint's folder, with the tokenizer's settings.
        one_type: texts have no token types, whatever the document says.

    Raises:
        CheckpointError: a file is damaged, contradicts another, or has a part that is not read.
        VocabularyError: the vocabulary is damaged.
    """
    settings = tokenizer_settings(folder)
    check_piece_keys(settings, folder / TOKENIZER_FILE)
    text = read_text_file(path) if path.suffix == ".json" else xlm_roberta_document(path)
    document = read_json(path) if path.suffix == ".json" else json.loads(text)
    _check_parts(document, path)
    row, separators, second_type = _row_form(document.get("post_processor") or {}, path)
    named = named_specials(settings, folder)
    for key, found in zip(("cls_token", "sep_token"), row, strict=True):
        if named.setdefault(key, found) != found:
            raise CheckpointError(
                f"{folder}: {key} is {named[key]!r}, and rows of {path.name} have {found!r}; "
                f"correct the one that is wrong"
            )
    names = {**_DEFAULT_NAMES, **_document_names(document), **named}
    rules = TokenRules(
        names=SpecialNames(**{role: names[key] for key, role in ROLES.items()}),
        is_document=True,
        separators=separators,
        one_type=one_type or not second_type,
    )
    vocabulary = document_vocabulary(text, rules, path)
    known = {token["content"] for token in document.get("added_tokens") or ()}
    check_added(settings, folder, known, vocabulary.ids)
    return vocabulary


def _check_parts(document: Mapping[str, Any], path: Path) -> None:
    """Refuse parts that make other tokens from run to run, or cut texts at their beginning."""
    if (document["model"].get("dropout") or 0.0) != 0.0:
        raise CheckpointError(
            f"{path}: model.dropout is {document['model']['dropout']!r}, which makes other tokens "
            f"each time; put null there"
        )
    side = (document.get("truncation") or {}).get("direction", "Right")
    if side != "Right":
        raise CheckpointError(
            f"{path}: truncation.direction is {side!r}; only 'Right' is supported"
        )


def _row_form(processor: Mapping[str, Any], path: Path) -> tuple[tuple[str, str], int, int]:
    """Return a row's first and last token, the separators of a pair, and its second type."""
    kind = processor.get("type")
    if kind == "Sequence":
        rows = [one for one in processor.get("processors") or () if one.get("type") != "ByteLevel"]
        if len(rows) == 1:
            return _row_form(rows[0], path)
    if kind in ("RobertaProcessing", "BertProcessing"):
        specials = str(processor["cls"][0]), str(processor["sep"][0])
        return (specials, 2, 0) if kind == "RobertaProcessing" else (specials, 1, 1)
    if kind == "TemplateProcessing":
        single, pair = (_template(processor, key) for key in ("single", "pair"))
        for separators in range(1, _MOST_SEPARATORS + 1):
            for second in (0, 1) if separators == 1 else (0,):
                if (single, pair) == _expected(single, separators, second):
                    return (single[0][0], single[-1][0]), separators, second
        found = " ".join(name for name, _ in pair or single)
        raise CheckpointError(
            f"{path}: post_processor makes rows of {found}; expected rows such as <s> $A </s> and "
            f"<s> $A </s> </s> $B </s>"
        )
    raise CheckpointError(
        f"{path}: post_processor is {kind!r}; expected TemplateProcessing or RobertaProcessing"
    )


def _template(processor: Mapping[str, Any], key: str) -> list[tuple[str, int]]:
    parts = []
    for piece in processor.get(key) or ():
        (kind, values), *_ = piece.items()
        name = f"${values['id']}" if kind == "Sequence" else str(values["id"])
        parts.append((name, int(values["type_id"])))
    return parts


def _expected(
    single: list[tuple[str, int]], separators: int, second: int
) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return the two templates of rows that begin and end as this single one."""
    if len(single) != len(("first", "text", "last")):
        return [], []
    first, last = single[0][0], single[-1][0]
    alone = [(first, 0), ("$A", 0), (last, 0)]
    return alone, [*alone, *[(last, 0)] * (separators - 1), ("$B", second), (last, second)]


def _document_names(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the special tokens that the document's own parts name, by key."""
    model, padding = document["model"], document.get("padding") or {}
    names = {"unk_token": model.get("unk_token"), "pad_token": padding.get("pad_token")}
    number = model.get("unk_id")
    if isinstance(number, int) and isinstance(model["vocab"], list):
        names["unk_token"] = model["vocab"][number][0]
    return {key: name for key, name in names.items() if name}


def check_added(
    settings: Mapping[str, Any], folder: Path, known: Collection[str], ids: Mapping[str, int]
) -> None:
    """Refuse an added token that the vocabulary lacks: transformers would add it, with an id.

    Raises:
        CheckpointError: there is one that is not among `known`, or has another id.
    """
    for content, number in _tokens_beside(settings, folder):
        if content not in known or number not in (None, ids[content]):
            raise CheckpointError(
                f"{folder}: the added token {content!r} is not in the vocabulary"
                f"{'' if number is None else f' with the id {number}'}; save the tokenizer again "
                f"with transformers (save_pretrained)"
            )


def _tokens_beside(settings: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, int | None]]:
    """Yield the added tokens that other files name, with their ids where they say them."""
    for number, token in (settings.get("added_tokens_decoder") or {}).items():
        yield token_content(token), int(number)
    yield from optional_json(folder / "added_tokens.json").items()
    for key in MORE_SPECIALS:
        more = settings.get(key) or []
        for token in more.values() if isinstance(more, Mapping) else more:
            yield token_content(token), None
