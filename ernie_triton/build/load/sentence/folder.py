"""A sentence-transformers folder: its modules in their order, and the files of the whole model."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ernie_triton.build.load.sentence.description import (
    CROSS_ENCODER,
    SENTENCE_MODEL,
    SentenceFolder,
)
from ernie_triton.build.load.sentence.modules import (
    read_dense,
    read_dropout,
    read_layer_norm,
    read_normalize,
    read_pooling,
    read_token_layer,
)
from ernie_triton.build.load.settings import CONFIG_FILES, TOKENIZER_FILE, optional_json
from ernie_triton.build.model.heads import Cut, UnitLength, VectorLayer
from ernie_triton.errors import CheckpointError

MODULES_FILE = "modules.json"
POOLING_FILE = Path("1_Pooling/config.json")
MODEL_FILE = "config_sentence_transformers.json"
_TRANSFORMER_FILES = (
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
)
_TRANSFORMER_KEYS = {
    *("max_seq_length", "do_lower_case", "transformer_task", "modality_config"),
    *("module_output_name", "unpad_inputs"),
}
_EMPTY_KEYS = {
    *("processing_kwargs", "query_length", "document_length", "query_expansion"),
    *("model_args", "tokenizer_args", "config_args"),
}
"""Known too, but only without a value."""
_PLAIN_TOKENS: Mapping[str, object] = {
    "query_prefix": "",
    "document_prefix": "",
    "do_query_expansion": False,
    "skiplist_words": [],
    "truncate_dim": None,
}
"""PyLate's settings of token vectors, where queries and documents are read alike, all tokens."""
_TASKS_OF_TRANSFORMER = (None, "feature-extraction", "sequence-classification")
_LAYERS: Mapping[str, Callable[[Path], tuple[VectorLayer, ...]]] = {
    "Dense": read_dense,
    "LayerNorm": read_layer_norm,
    "Normalize": read_normalize,
    "Dropout": read_dropout,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Module:
    """An entry of `modules.json`: the class of a module, its package before it, and its folder."""

    name: str
    folder: Path
    package: str = ""


def is_sentence_folder(folder: Path) -> bool:
    """Return whether sentence-transformers saved a model with modules in this folder."""
    return (folder / MODULES_FILE).is_file() or (folder / POOLING_FILE).is_file()


def read_sentence_folder(folder: Path) -> SentenceFolder:
    """Read the modules and the settings of a sentence-transformers folder.

    Raises:
        CheckpointError: a file is damaged, or a module or setting is not supported.
    """
    if not (folder / MODULES_FILE).is_file():
        return _without_list(folder)
    modules = _modules(folder)
    model = optional_json(folder / MODEL_FILE)
    transformer = modules[0]
    if transformer.name != "Transformer":
        raise _unsupported(folder, transformer)
    kind = str(model.get("model_type") or SENTENCE_MODEL)
    values, path = _transformer_settings(transformer.folder)
    if kind == CROSS_ENCODER or values.get("transformer_task") == "sequence-classification":
        kind = CROSS_ENCODER
        if len(modules) > 1:
            raise _unsupported(folder, modules[1])
    elif kind != SENTENCE_MODEL:
        raise CheckpointError(
            f"{folder / MODEL_FILE}: model_type is {kind!r}; only {SENTENCE_MODEL} and "
            f"{CROSS_ENCODER} are supported"
        )
    common = {
        "kind": kind,
        "version": _version(model),
        "transformer": transformer.folder,
        "max_length": _max_length(values, path, transformer.folder),
        "lower_case": bool(values.get("do_lower_case", False)),
        **_prompts(model, folder / MODEL_FILE),
    }
    if kind == CROSS_ENCODER:
        return SentenceFolder(**common)
    return SentenceFolder(**common, **_vectors(folder, modules[1:], model))


def _vectors(folder: Path, modules: list[_Module], model: Mapping[str, Any]) -> dict[str, Any]:
    """Read the pooling and the layers behind it."""
    if not modules:
        raise CheckpointError(
            f"{folder / MODULES_FILE} has neither a pooling nor a Dense module, so it gives the "
            f"hidden states of each token; only vectors of texts, and those of a Dense module, are "
            f"served"
        )
    if modules[0].name == "Dense":
        return _token_vectors(folder, modules, model)
    if modules[0].name != "Pooling":
        raise _unsupported(folder, modules[0])
    pooling = read_pooling(modules[0].folder / "config.json")
    layers: list[VectorLayer] = []
    for module in modules[1:]:
        if module.name not in _LAYERS:
            raise _unsupported(folder, module)
        layers += _LAYERS[module.name](module.folder)
    cut = model.get("truncate_dim")
    if cut is not None:
        if type(cut) is not int or cut < 1:
            raise CheckpointError(
                f"{folder / MODEL_FILE}: truncate_dim is {cut!r}; expected a number of features"
            )
        layers.append(Cut(width=cut))
    normalize = bool(layers) and isinstance(layers[-1], UnitLength)
    return {
        "pooling": pooling.mode,
        "include_prompt": pooling.include_prompt,
        "layers": tuple(layers[:-1] if normalize else layers),
        "normalize": normalize,
        "similarity": str(model.get("similarity_fn_name") or ""),
    }


def _token_vectors(
    folder: Path, modules: list[_Module], model: Mapping[str, Any]
) -> dict[str, Any]:
    """Read the layer of token vectors; their length is 1 with a scaling behind it or without."""
    for module in modules[1:]:
        if module.name not in ("Normalize", "Dropout"):
            raise _unsupported(folder, module)
    for key, plain in _PLAIN_TOKENS.items():
        default = None if modules[0].package == "pylate" else plain
        found = model.get(key, default)
        if found != plain:
            raise CheckpointError(
                f"{folder / MODEL_FILE}: {key} is {found!r}, as PyLate has it; token vectors are "
                f"served with {plain!r} alone, where queries and documents are read alike"
            )
    layer = read_token_layer(modules[0].folder)
    return {"token_layer": layer, "normalize": True}


def _modules(folder: Path) -> list[_Module]:
    path = folder / MODULES_FILE
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        modules = [
            _Module(
                name=str(entry["type"]).rpartition(".")[2],
                folder=folder / str(entry["path"] or ""),
                package=str(entry["type"]).partition(".")[0],
            )
            for entry in entries
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a list of modules with type and path: {error}"
        ) from error
    if not modules:
        raise CheckpointError(f"{path} lists no modules")
    return modules


def _without_list(folder: Path) -> SentenceFolder:
    """Return what sentence-transformers makes of a folder without its list of modules.

    It takes the mean of the hidden states, and reads neither the modules nor their settings.
    """
    left_out = sorted(path.name for path in folder.glob("[0-9]*_*") if path.is_dir())
    return SentenceFolder(
        kind=SENTENCE_MODEL,
        transformer=folder,
        pooling="mean",
        max_length=_max_length({}, folder, folder),
        left_out=tuple(left_out),
    )


def _transformer_settings(folder: Path) -> tuple[Mapping[str, Any], Path]:
    paths = [folder / name for name in _TRANSFORMER_FILES if (folder / name).is_file()]
    path = paths[0] if paths else folder / _TRANSFORMER_FILES[0]
    values = optional_json(path)
    unknown = sorted(key for key in set(values) - _TRANSFORMER_KEYS if not _is_empty(key, values))
    if unknown:
        raise CheckpointError(
            f"{path}: {unknown[0]} is {values[unknown[0]]!r}, which is not supported; expected "
            f"only {', '.join(sorted(_TRANSFORMER_KEYS))}"
        )
    if values.get("transformer_task") not in _TASKS_OF_TRANSFORMER:
        raise CheckpointError(
            f"{path}: transformer_task is {values['transformer_task']!r}; expected "
            f"feature-extraction or sequence-classification"
        )
    return values, path


def _is_empty(key: str, values: Mapping[str, Any]) -> bool:
    """Return whether a key has no value that changes anything."""
    value = values[key]
    if isinstance(value, Mapping):
        value = {name: part for name, part in value.items() if name != "trust_remote_code"}
    return key in _EMPTY_KEYS and not value


def _max_length(values: Mapping[str, Any], path: Path, folder: Path) -> int:
    """Return the most tokens of a text; the tokenizer's where the module's file says none."""
    length = values.get("max_seq_length")
    if length is None:
        found = optional_json(folder / TOKENIZER_FILE).get("model_max_length")
        positions = [_positions(folder), found if isinstance(found, int | float) else None]
        known = [int(number) for number in positions if number is not None]
        return min(known, default=0)
    if type(length) is not int or length < 1:
        raise CheckpointError(f"{path}: max_seq_length is {length!r}; expected a number of tokens")
    return length


def _positions(folder: Path) -> int | None:
    for name in CONFIG_FILES:
        found = optional_json(folder / name).get("max_position_embeddings")
        if isinstance(found, int):
            return found
    return None


def _prompts(model: Mapping[str, Any], path: Path) -> dict[str, Any]:
    prompts = model.get("prompts") or {}
    if not isinstance(prompts, Mapping) or not all(isinstance(p, str) for p in prompts.values()):
        raise CheckpointError(f"{path}: prompts is {prompts!r}; expected texts by name")
    name = model.get("default_prompt_name")
    if name is not None and name not in prompts:
        raise CheckpointError(
            f"{path}: default_prompt_name is {name!r}; expected one of the prompts "
            f"({', '.join(prompts) or 'there are none'})"
        )
    return {"prompts": dict(prompts), "prompt_name": name}


def _version(model: Mapping[str, Any]) -> str:
    versions = model.get("__version__")
    return str(versions.get("sentence_transformers", "")) if isinstance(versions, Mapping) else ""


def _unsupported(folder: Path, module: _Module) -> CheckpointError:
    return CheckpointError(
        f"{folder / MODULES_FILE} has the module {module.name!r} at {module.folder.name!r}, which "
        f"is not supported; expected a Transformer, then Pooling, then any of "
        f"{', '.join(_LAYERS)} (or a cross-encoder's Transformer alone)"
    )
