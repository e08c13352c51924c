"""The tokenizer of a checkpoint, from all files that say something of it.

`vocab.txt` or `tokenizer.json` hold the vocabulary; `tokenizer_config.json`, `added_tokens.json`
and `special_tokens_map.json` say how texts are read. Every setting is honoured, or refused by its
name, or has no effect on ids.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ernie_triton.build.load.pieces.ernie_m import read_ernie_m_vocabulary
from ernie_triton.build.load.pieces.vocabulary import read_piece_vocabulary
from ernie_triton.build.load.safetensors_file import safetensors_names
from ernie_triton.build.load.settings import (
    CONFIG_FILES,
    ERNIE_M_TOKENIZER,
    SENTENCEPIECE_MODEL,
    TOKENIZER_FILE,
    folds_case,
    is_of_pieces,
    is_of_split_pieces,
    is_of_tokenizer_json,
    optional_json,
    read_json,
    tokenizer_class_base,
    tokenizer_settings,
)
from ernie_triton.build.load.tokenizers.tokenizer_json import (
    holds_pieces,
    json_added_tokens,
    json_settings,
    json_vocabulary,
)
from ernie_triton.build.load.tokenizers.tokenizer_keys import (
    MORE_SPECIALS,
    ROLES,
    SPECIAL_TOKENS_MAP,
    check_tokenizer_keys,
    named_specials,
    token_content,
)
from ernie_triton.build.load.weights import is_paddlenlp_name
from ernie_triton.errors import CheckpointError, VocabularyError
from ernie_triton.tokenizer.rules import AddedToken, SpecialNames, TokenRules
from ernie_triton.tokenizer.vocabulary import (
    TOKENIZER_JSON,
    Vocabulary,
    checked_vocabulary,
    read_vocabulary_lines,
)
from ernie_triton.tokenizer.words import without_accents

_BERT_CLASSES = frozenset(
    f"{name}Tokenizer"
    for name in (
        *("Bert", "Ernie", "Electra", "DistilBert", "MobileBert", "ConvBert", "TinyBert"),
        *("ErnieGram", "PPMiniLM", "NeZha", "Nezha", "RetriBert", "Lxmert"),
        *("BertLegacy", "DPRContextEncoder", "DPRQuestionEncoder", "DPRReader"),
    )
)
"""Classes of transformers and PaddleNLP that tokenise as `BertTokenizer` does."""
_VOCABULARY_CLASSES = frozenset(
    f"{name}Tokenizer" for name in ("Roberta", "RobertaChinese", "Skep", "Albert", "AlbertChinese")
)
"""PaddleNLP's classes that read a `vocab.txt` as BERT's does; transformers' read pieces."""
_PADDLE_CLASSES = frozenset(
    f"{name}Tokenizer"
    for name in (
        *("Ernie", "ErnieGram", "TinyBert", "PPMiniLM", "NeZha"),
        *("RobertaChinese", "Skep", "AlbertChinese"),
    )
)
"""Classes that PaddleNLP alone has."""
_PADDLE_FILES = ("*.pdparams*", "*.pdiparams*", "*.pdmodel")
_PIECE_CLASSES = frozenset(("XLMRobertaTokenizer", "CamembertTokenizer", "RobertaTokenizer"))
"""transformers' classes whose `tokenizer.json` has pieces; their texts have no token types."""


def read_vocabulary(path: Path, folder: Path, *, lower_case: bool | None = None) -> Vocabulary:
    """Read the vocabulary and the tokenizer's rules.

    Args:
        path: a `vocab.txt`, a `tokenizer.json`, or the SentencePiece model of XLM-RoBERTa or, with
            its `vocab.txt` beside it, of ERNIE-M.
        folder: the checkpoint's folder, with the tokenizer's settings.
        lower_case: whether texts are lower-cased; None: as the settings say.

    Raises:
        CheckpointError: the settings are damaged, contradict each other or cannot be honoured.
        VocabularyError: the vocabulary is damaged.
    """
    check_kind(folder)
    if is_of_split_pieces(folder):
        return read_ernie_m_vocabulary(path, folder)
    one_type = leaves_out_types(folder)
    if holds_pieces(path):
        return read_piece_vocabulary(path, folder, one_type=one_type)
    settings = tokenizer_settings(folder)
    check_tokenizer_keys(settings, folder / TOKENIZER_FILE)
    if path.name == TOKENIZER_JSON:
        ids = json_vocabulary(read_json(path), path)
        size = max(ids.values(), default=-1) + 1
    else:
        ids, size = read_vocabulary_lines(path)
        _check_same(path, ids)
    names = _names(settings, folder)
    if path.name != TOKENIZER_JSON:
        _check_parts(path.with_name(TOKENIZER_JSON), names)
    rules = TokenRules(
        names=names,
        never_split=tuple(_strings(settings, "never_split", folder)),
        basic_tokenize=_flag(settings, "do_basic_tokenize", folder),
        strip_accents=_accents(settings, folder, lower_case),
        under_accents=path.with_name(TOKENIZER_JSON).is_file(),  # a fast tokenizer saved them
        splits_symbols=splits_symbols(folder),
        one_type=one_type,
    )
    added = _added_tokens(settings, folder, ids, rules)
    rules = dataclasses.replace(
        rules,
        added=added,
        never_split=rules.never_split if rules.basic_tokenize else (),
        under_accents=rules.under_accents and not all(token.keeps_case for token in added),
    )
    return checked_vocabulary(Vocabulary(ids=ids, size=size, rules=rules), path)


def settings_of_rules(rules: TokenRules) -> dict[str, Any]:
    """The keys of `tokenizer_config.json` that say these rules; empty for the ordinary ones."""
    if not rules.to_text():
        return {}
    roles = {key: getattr(rules.names, role) for key, role in ROLES.items()}
    return roles | {
        "strip_accents": rules.strip_accents,
        "do_basic_tokenize": rules.basic_tokenize,
        "never_split": list(rules.never_split),
        "splits_symbols": rules.splits_symbols,
        "additional_special_tokens": [one.content for one in rules.added if one.keeps_case],
        "added_tokens_decoder": {
            str(one.id): {
                "content": one.content,
                **dict.fromkeys(("lstrip", "rstrip", "single_word"), False),
                "normalized": not one.keeps_case,
                "special": one.keeps_case,
            }
            for one in rules.added
        },
    }


def splits_symbols(folder: Path) -> bool:
    """Return whether PaddleNLP reads the texts of a checkpoint, which splits at symbols.

    The files of its weights tell it, and of an ONNX file a class that PaddleNLP alone has. A
    checkpoint of this package says it in its settings.
    """
    settings = tokenizer_settings(folder)
    said = settings.get("splits_symbols")
    if said is not None:
        return said is True
    if files := sorted(folder.glob("*.safetensors")):
        names = (name for file in files for name in safetensors_names(file))
        return any(is_paddlenlp_name(name) for name in names)
    if any(next(folder.glob(pattern), None) for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt")):
        return False
    if any(next(folder.glob(pattern), None) for pattern in _PADDLE_FILES):
        return True
    return tokenizer_class_base(settings.get("tokenizer_class")) in _PADDLE_CLASSES


def longest_row(folder: Path) -> int | None:
    """The `model_max_length` of the tokenizer's settings; None where they have no bound."""
    settings = tokenizer_settings(folder)
    for key in ("model_max_length", "max_len"):
        value = settings.get(key)
        if isinstance(value, int | float) and 2 < value < 1e9:
            return int(value)
    return None


def leaves_out_types(folder: Path) -> bool:
    """Return whether the tokenizer gives no token types, so that both texts of a pair have one."""
    settings = tokenizer_settings(folder)
    names = settings.get("model_input_names")
    if isinstance(names, list):
        return "token_type_ids" not in names
    name = tokenizer_class_base(settings.get("tokenizer_class"))
    return name in _PIECE_CLASSES and is_of_pieces(folder)


def check_kind(folder: Path) -> None:
    """Refuse tokenizers of another kind than BERT's and those of pieces.

    Raises:
        CheckpointError: SentencePiece's or BPE's files are there without what is read of them, or
            another `tokenizer_class`.
    """
    of_pieces = is_of_pieces(folder)
    found = sorted([*folder.glob("*.spm"), *folder.glob("*.model"), *folder.glob("*.spm.*")])
    if found and not of_pieces:
        raise CheckpointError(
            f"{found[0]} is a SentencePiece model, which is read from a tokenizer.json, or as "
            f"XLM-RoBERTa's {SENTENCEPIECE_MODEL} without a vocab.txt or ERNIE-M's with one; save "
            f"the tokenizer with transformers (save_pretrained)"
        )
    merges = ("merges.txt", "bpe.codes", "vocab.bpe")
    if not of_pieces and any((folder / name).is_file() for name in merges):
        raise CheckpointError(
            f"{folder} holds the merges of a BPE tokenizer and no tokenizer.json; save the "
            f"tokenizer with transformers (save_pretrained)"
        )
    name = tokenizer_settings(folder).get("tokenizer_class")
    path = folder / TOKENIZER_FILE
    if name is None and (folder / CONFIG_FILES[0]).is_file():
        # Where the tokenizer's own file names none, transformers looks here.
        path = folder / CONFIG_FILES[0]
        name = read_json(path).get("tokenizer_class")
    if name is None:
        return
    base = tokenizer_class_base(name)
    if is_of_split_pieces(folder) and base == ERNIE_M_TOKENIZER:
        return
    known = base in (_PIECE_CLASSES if of_pieces else _BERT_CLASSES | _VOCABULARY_CLASSES)
    if not known and not is_of_tokenizer_json(folder, name):
        raise CheckpointError(
            f"{path}: tokenizer_class is {name!r}; supported are BertTokenizer, "
            f"ErnieTokenizer and others that tokenise as they do, such as ElectraTokenizer, and "
            f"{', '.join(sorted(_PIECE_CLASSES))} with a tokenizer.json"
        )


def _check_same(path: Path, ids: Mapping[str, int]) -> None:
    """Refuse a `tokenizer.json` beside a `vocab.txt` with another vocabulary."""
    beside = path.with_name(TOKENIZER_JSON)
    model = optional_json(beside).get("model")
    other = model.get("vocab") if isinstance(model, Mapping) else None
    if not isinstance(other, Mapping) or dict(other) == dict(ids):
        return
    token = next(iter({**ids, **other}.items() ^ ids.items()), ("", 0))[0]
    if not token:
        token = next(iter(ids.items() - other.items()))[0]
    raise VocabularyError(
        f"{path} and {beside.name} beside it have different vocabularies (such as the token "
        f"{token!r}); remove the one that the model was not trained with"
    )


def _check_parts(beside: Path, names: SpecialNames) -> None:
    """Refuse a `tokenizer.json` beside a `vocab.txt` whose parts are not BERT's.

    What it says of case, accents and ideographs does not count: transformers' classes of BERT
    replace that by the other file's settings, or their defaults.
    """
    if not beside.is_file():
        return
    within = json_settings(read_json(beside), beside)
    for key, role in ROLES.items():
        if within.get(key) not in (None, getattr(names, role)):
            raise CheckpointError(
                f"{beside}: {key} is {within[key]!r}, and the files beside it say "
                f"{getattr(names, role)!r}; correct the one that is wrong"
            )


def _names(settings: Mapping[str, Any], folder: Path) -> SpecialNames:
    found = named_specials(settings, folder)
    return SpecialNames(**{ROLES[key]: name for key, name in found.items()})


def _added_tokens(
    settings: Mapping[str, Any], folder: Path, ids: Mapping[str, int], rules: TokenRules
) -> tuple[AddedToken, ...]:
    """Tokens beside the five special ones, with the ids that transformers gives them."""
    described = dict(_described_tokens(settings, folder))
    specials = list(dict.fromkeys(_special_tokens(settings, folder)))
    names = rules.names
    five = {names.unknown, names.classify, names.separate, names.pad, names.mask}
    known = {content: number for content, (number, _) in described.items()}
    behind = len({*ids, *known})
    for content in [*five, *specials]:
        if content not in known and content in ids:
            known[content] = ids[content]
    for content in specials:
        if content not in known:
            known[content] = behind
            behind += 1
    found = []
    for content, number in known.items():
        values = described.get(content, (number, {}))[1]
        is_special = content in five or content in specials or values.get("special", False)
        token = _added_token(content, number, values, is_special, folder, rules)
        if content not in five or number != ids.get(content):
            found.append(token)
    return tuple(sorted(found, key=lambda token: token.id))


def _added_token(
    content: str,
    number: int,
    values: Mapping[str, Any],
    is_special: bool,
    folder: Path,
    rules: TokenRules,
) -> AddedToken:
    """One added token; flags on which transformers' two tokenizers differ are refused."""
    folds = rules.basic_tokenize and folds_case(folder)
    has_case = folds and content.lower() != content
    strips = folds if rules.strip_accents is None else rules.strip_accents
    reason, advice = "", ""
    if rules.under_accents and strips and not is_special and content != without_accents(content):
        reason = "accented, and the tokenizer removes accents"
    elif values.get("single_word"):
        reason = "single_word, which transformers' two tokenizers read differently"
        advice = '; put "single_word": false there if texts have spaces around it'
    elif has_case and is_special and values.get("normalized"):
        reason = "special and normalized, which transformers' two tokenizers read differently"
        advice = f'; put "normalized": false there if texts never spell it {content.lower()!r}'
    elif has_case and not is_special and not values.get("normalized", True):
        reason = "not normalized, which transformers' two tokenizers read differently"
    if reason:
        raise CheckpointError(f"{folder}: the added token {content!r} is {reason}{advice}")
    if is_special:
        return AddedToken(content=content, id=number)
    return AddedToken(content=content.lower() if folds else content, id=number, keeps_case=False)


def _described_tokens(
    settings: Mapping[str, Any], folder: Path
) -> Iterator[tuple[str, tuple[int, Mapping[str, Any]]]]:
    """Added tokens with their ids and flags, from the file that transformers reads them from."""
    listed = optional_json(folder / "added_tokens.json")
    decoder = settings.get("added_tokens_decoder")
    document = folder / TOKENIZER_JSON
    if not decoder and document.is_file():
        decoder = json_added_tokens(read_json(document), document)
    if decoder is not None and not isinstance(decoder, Mapping):
        raise CheckpointError(f"{folder / TOKENIZER_FILE}: added_tokens_decoder is no object")
    described: dict[str, tuple[int, Mapping[str, Any]]] = {}
    for key, values in (decoder or {}).items():
        content = token_content(values)
        if not str(key).isdecimal() or not content:
            raise CheckpointError(
                f"{folder}: the added token {key!r} is {values!r}; expected an id and its content"
            )
        described[content] = int(key), values if isinstance(values, Mapping) else {}
    for content, number in listed.items():
        if not isinstance(number, int) or described.get(content, (number,))[0] != number:
            raise CheckpointError(
                f"{folder}: the added token {content!r} has the id {number!r} in added_tokens.json "
                f"and {described.get(content, (None,))[0]!r} elsewhere; correct the one that is "
                f"wrong"
            )
        described.setdefault(content, (number, {}))
    yield from described.items()


def _special_tokens(settings: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Contents of all special tokens beside the five."""
    for values in (settings, optional_json(folder / SPECIAL_TOKENS_MAP)):
        for key in ("bos_token", "eos_token"):
            if values.get(key):
                yield token_content(values[key])
        for key in MORE_SPECIALS:
            more = values.get(key) or []
            for one in more.values() if isinstance(more, Mapping) else more:
                yield token_content(one)


def _accents(settings: Mapping[str, Any], folder: Path, lower_case: bool | None) -> bool | None:
    """None where accents go with case, as they do unless a setting says otherwise."""
    value = settings.get("strip_accents")
    if value is not None and not isinstance(value, bool):
        raise CheckpointError(
            f"{folder / TOKENIZER_FILE}: strip_accents is {value!r}; expected true, false or null"
        )
    own = folds_case(folder)
    strips = own if value is None else value
    return None if strips == (own if lower_case is None else lower_case) else strips


def _flag(settings: Mapping[str, Any], key: str, folder: Path) -> bool:
    value = settings.get(key)
    if value is not None and not isinstance(value, bool):
        raise CheckpointError(
            f"{folder / TOKENIZER_FILE}: {key} is {value!r}; expected true or false"
        )
    return value is not False


def _strings(settings: Mapping[str, Any], key: str, folder: Path) -> list[str]:
    values = settings.get(key) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise CheckpointError(
            f"{folder / TOKENIZER_FILE}: {key} is {values!r}; expected a list of strings"
        )
    return values
