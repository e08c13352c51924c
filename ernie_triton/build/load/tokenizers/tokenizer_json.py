"""`tokenizer.json` of the `tokenizers` library, which transformers 5 saves without `vocab.txt`.

Its parts are read where they are BERT's, in any of their settings; any other part is refused.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ernie_triton.errors import CheckpointError, TextFileError
from ernie_triton.text_files import read_text_file

_PREFIX, _LONGEST = "##", 100
_PIECE_MODELS = ("Unigram", "BPE")
_MODEL_TYPE = re.compile(r'"model"\s*:\s*\{\s*"type"\s*:\s*"(\w+)"')
_SINGLE = ("[CLS]:0", "$A:0", "[SEP]:0")
_PAIR = (*_SINGLE, "$B:1", "[SEP]:1")


def holds_pieces(path: Path) -> bool:
    """Return whether a file is a `tokenizer.json` of SentencePiece's or byte-level pieces.

    It may have many megabytes, and is usually told without reading it as JSON.
    """
    if path.suffix != ".json" or not path.is_file():
        return path.suffix == ".model"
    try:
        text = read_text_file(path)
        found = _MODEL_TYPE.search(text)
        kind = found[1] if found else json.loads(text)["model"]["type"]
    except (TextFileError, ValueError, TypeError, KeyError, RecursionError):
        return False
    return kind in _PIECE_MODELS


def json_vocabulary(document: Mapping[str, Any], path: Path) -> dict[str, int]:
    """Ids of the tokens, added ones left out.

    Raises:
        CheckpointError: its model is not BERT's WordPiece.
    """
    model = _part(document, "model")
    _expect(path, "model.type", model.get("type", "WordPiece"), "WordPiece")
    _expect(
        path, "model.continuing_subword_prefix", model.get("continuing_subword_prefix"), _PREFIX
    )
    _expect(path, "model.max_input_chars_per_word", model.get("max_input_chars_per_word"), _LONGEST)
    ids = model.get("vocab")
    if not isinstance(ids, Mapping) or not all(isinstance(one, int) for one in ids.values()):
        raise CheckpointError(f"{path}: model.vocab is no object of tokens and ids")
    return dict(ids)


def json_settings(document: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The settings of its parts, by their keys in `tokenizer_config.json`.

    Raises:
        CheckpointError: a part is not BERT's.
    """
    json_vocabulary(document, path)
    normalizer = _folding_normalizer(document) or _part(document, "normalizer")
    _expect(path, "normalizer.type", normalizer.get("type"), "BertNormalizer")
    _expect(path, "normalizer.clean_text", normalizer.get("clean_text"), True)
    pre_tokenizer = _part(document, "pre_tokenizer")
    _expect(path, "pre_tokenizer.type", pre_tokenizer.get("type"), "BertPreTokenizer")
    side = _part(document, "truncation").get("direction", "Right")
    _expect(path, "truncation.direction", side, "Right")
    classify, separate = _row_tokens(_part(document, "post_processor"), path)
    return {
        "do_lower_case": normalizer.get("lowercase"),
        "strip_accents": normalizer.get("strip_accents"),
        "tokenize_chinese_chars": normalizer.get("handle_chinese_chars"),
        "unk_token": _part(document, "model").get("unk_token"),
        "cls_token": classify,
        "sep_token": separate,
    }


def json_folding(document: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of case and accents that hold whatever `tokenizer_config.json` says.

    sentence-transformers writes them for `do_lower_case`: a `Lowercase` in front of BERT's
    normalizer. transformers 4 and it keep both as they are. Empty where there are none.
    """
    normalizer = _folding_normalizer(document)
    return {
        key: normalizer[name]
        for key, name in (("do_lower_case", "lowercase"), ("strip_accents", "strip_accents"))
        if normalizer
    }


def _folding_normalizer(document: Mapping[str, Any]) -> dict[str, Any]:
    """BERT's normalizer that does the same as a `Lowercase` and BERT's; empty for other ones."""
    parts = _part(document, "normalizer").get("normalizers")
    if not isinstance(parts, list) or not all(isinstance(one, Mapping) for one in parts):
        return {}
    if [one.get("type") for one in parts] != ["Lowercase", "BertNormalizer"]:
        return {}
    own = parts[1]
    strips = own.get("strip_accents")
    strips = own.get("lowercase") if strips is None else strips
    return {**own, "lowercase": True, "strip_accents": strips}


def json_added_tokens(document: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Its added tokens by id, as `added_tokens_decoder` of `tokenizer_config.json` has them."""
    tokens = document.get("added_tokens") or []
    if not isinstance(tokens, list) or not all(isinstance(one, dict) for one in tokens):
        raise CheckpointError(f"{path}: added_tokens is no list of objects")
    return {str(one.get("id")): {k: v for k, v in one.items() if k != "id"} for one in tokens}


def _row_tokens(processor: Mapping[str, Any], path: Path) -> tuple[str, str]:
    """The tokens that a row begins and ends with."""
    if processor.get("type") == "BertProcessing":
        return str(processor["cls"][0]), str(processor["sep"][0])
    _expect(path, "post_processor.type", processor.get("type"), "TemplateProcessing")
    single, pair = _template(processor, "single"), _template(processor, "pair")
    if len(single) != len(_SINGLE):
        raise CheckpointError(_not_a_row(path, single, _SINGLE))
    classify, separate = single[0].rsplit(":", 1)[0], single[2].rsplit(":", 1)[0]
    for found, expected in ((single, _SINGLE), (pair, _PAIR)):
        named = [one.replace("[CLS]", classify).replace("[SEP]", separate) for one in expected]
        if found != named:
            raise CheckpointError(_not_a_row(path, found, expected))
    return classify, separate


def _template(processor: Mapping[str, Any], key: str) -> list[str]:
    parts = []
    for piece in processor.get(key) or ():
        (kind, values), *_ = piece.items()
        name = f"${values['id']}" if kind == "Sequence" else values["id"]
        parts.append(f"{name}:{values['type_id']}")
    return parts


def _not_a_row(path: Path, found: Sequence[str], expected: Sequence[str]) -> str:
    return (
        f"{path}: post_processor makes rows of {' '.join(found)}; only {' '.join(expected)} is "
        f"supported"
    )


def _part(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def _expect(path: Path, what: str, found: object, expected: object) -> None:
    if found != expected:
        raise CheckpointError(f"{path}: {what} is {found!r}; only {expected!r} is supported")
