"""The keys of `tokenizer_config.json`: which ones decide ids, and which values they may have.

transformers ignores a key that its class does not know, but a class of somebody's own would read
it. So a key that stands in neither list here is refused by its name, unless it has no value.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ernie_triton.build.load.settings import TOKENIZER_FILE, optional_json
from ernie_triton.errors import CheckpointError

ROLES: Mapping[str, str] = {
    "unk_token": "unknown",
    "cls_token": "classify",
    "sep_token": "separate",
    "pad_token": "pad",
    "mask_token": "mask",
}
"""Keys of the five special tokens, with their names in `SpecialNames`."""
SPECIAL_TOKENS_MAP = "special_tokens_map.json"
MORE_SPECIALS = ("additional_special_tokens", "extra_special_tokens")
"""Keys of lists of special tokens."""

_WANTED_VALUES: dict[str, tuple[object, ...]] = {
    "do_split_on_punc": (None, True),
    "clean_text": (None, True),
    "split_special_tokens": (None, False),
    "truncation_side": (None, "right"),
    "truncation_strategy": (None, "longest_first"),
    "add_prefix_space": (None, False),
    "use_bpe_encoder": (None, False),
    "wordpieces_prefix": (None, "##"),
    "word_tokenizer_type": (None, "basic"),
    "subword_tokenizer_type": (None, "wordpiece"),
    "add_special_tokens": (None, True),
    "need_token_type_id": (None, True),
    "add_two_sep_token_inter": (None, False),
    "sp_model_kwargs": (None, {}),
    "remove_space": (None, True),
    "keep_accents": (None, False),
    "auto_map": (None,),
}
"""Settings that change ids, with the values that they must have; the last one is named."""

_WANTED_OF_PIECES: dict[str, tuple[object, ...]] = {
    # Those of BERT's classes alone, and the space before a text, which the document has.
    "add_prefix_space": (None, False, True),
    "do_lower_case": (None, False),
    "strip_accents": (None, False),
    "do_basic_tokenize": (None, True),
    "never_split": (None, []),
}

_HONOURED = frozenset(
    (
        *ROLES,
        *MORE_SPECIALS,
        *("bos_token", "eos_token", "added_tokens_decoder", "never_split", "do_basic_tokenize"),
        *("do_lower_case", "strip_accents", "tokenize_chinese_chars", "tokenizer_class"),
        *("model_max_length", "max_len", "model_input_names", "max_input_chars_per_word"),
        "splits_symbols",
    )
)
_WITHOUT_EFFECT = frozenset(
    (
        # Files, versions and the loading itself.
        *("name_or_path", "vocab_file", "tokenizer_file", "special_tokens_map_file", "encoding"),
        *("sentencepiece_model_file", "sentencepiece_model_ckpt"),
        *("added_tokens_file", "merges_file", "spm_file", "cache_dir", "revision", "subfolder"),
        *("use_fast", "from_slow", "from_hf_hub", "from_aistudio", "local_files_only", "is_local"),
        *("trust_remote_code", "use_auth_token", "token", "force_download", "legacy", "backend"),
        *("transformers_version", "processor_class", "init_inputs", "init_class", "verbose"),
        *("deprecation_warnings", "device", "device_map", "torch_dtype", "dtype", "chat_template"),
        *("_commit_hash", "_from_auto", "resume_download", "proxies", "config", "fast_tokenizer"),
        # Padding, decoding, and defaults of a call, which every request names itself.
        *(
            "padding_side",
            "padding",
            "pad_to_multiple_of",
            "pad_to_max_length",
            "pad_token_type_id",
        ),
        *("clean_up_tokenization_spaces", "return_tensors", "return_token_type_ids"),
        *("return_attention_mask", "max_length", "stride", "truncation", "max_seq_length"),
        *(
            "max_seq_len",
            "errors",
            "trim_offsets",
            "response_schema",
        ),
    )
)
"""Keys that change no id of a row."""


def check_piece_keys(settings: Mapping[str, Any], path: Path) -> None:
    """Check the same for a tokenizer of pieces, whose document says all but the form of rows.

    Raises:
        CheckpointError: as for `check_tokenizer_keys`.
    """
    check_tokenizer_keys(settings, path, _WANTED_VALUES | _WANTED_OF_PIECES)


def check_split_piece_keys(settings: Mapping[str, Any], path: Path) -> None:
    """Check the same for ERNIE-M's tokenizer, which may fold case.

    Raises:
        CheckpointError: as for `check_tokenizer_keys`.
    """
    wanted = _WANTED_VALUES | _WANTED_OF_PIECES
    check_tokenizer_keys(
        settings, path, {key: values for key, values in wanted.items() if key != "do_lower_case"}
    )


def check_tokenizer_keys(
    settings: Mapping[str, Any],
    path: Path,
    wanted: Mapping[str, tuple[object, ...]] = _WANTED_VALUES,
) -> None:
    """Check that each setting is honoured or has no effect.

    Args:
        settings: the values of `tokenizer_config.json`.
        path: the file, for messages.
        wanted: values that settings must have.

    Raises:
        CheckpointError: a setting has a value that is not supported, or a key that is not known.
    """
    for key, values in wanted.items():
        if settings.get(key) not in values:
            raise CheckpointError(
                f"{path}: {key} is {settings[key]!r}; only {values[-1]!r} is supported"
            )
    known = _HONOURED | _WITHOUT_EFFECT | set(wanted)
    unknown = sorted(
        key for key, value in settings.items() if key not in known and value not in (None, "", [])
    )
    if unknown:
        raise CheckpointError(
            f"{path} has the key {unknown[0]!r} ({settings[unknown[0]]!r}), which is not known, so "
            f"it might change token ids; remove it if the model's tokenizer ignores it"
        )


def named_specials(settings: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Return the special tokens that `settings` and `special_tokens_map.json` name, by key.

    Raises:
        CheckpointError: the two name different ones.
    """
    names: dict[str, str] = {}
    mapped = optional_json(folder / SPECIAL_TOKENS_MAP)
    for key in ROLES:
        said = [token_content(values[key]) for values in (settings, mapped) if values.get(key)]
        if len(set(said)) > 1:
            raise CheckpointError(
                f"{folder}: {key} is {said[0]!r} in {TOKENIZER_FILE} and {said[1]!r} in "
                f"{SPECIAL_TOKENS_MAP}; correct the one that is wrong"
            )
        if said:
            names[key] = said[0]
    return names


def token_content(token: object) -> str:
    """Return the text of a token, which a file gives as it is or with its properties."""
    return str(token.get("content", "")) if isinstance(token, Mapping) else str(token)
