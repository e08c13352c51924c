"""The JSON files beside the weights: `config.json` and `tokenizer_config.json`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ernie_triton.build.load.config_labels import label_count_of, labels_of, problem_of
from ernie_triton.build.load.families import HEADS_BY_ARCHITECTURE, INSTEAD
from ernie_triton.build.load.own_names import own_type, with_bert_settings
from ernie_triton.build.load.tokenizers.tokenizer_json import (
    holds_pieces,
    json_folding,
    json_settings,
)
from ernie_triton.errors import CheckpointError, TextFileError
from ernie_triton.tasks import (
    CHOICE,
    CLOZE,
    COLBERT,
    EMBEDDING,
    EXTRACTION,
    MULTI_LABEL,
    QA,
    REGRESSION,
    SEQ_CLS,
    TOKEN_CLS,
    Task,
)
from ernie_triton.text_files import read_text_file
from ernie_triton.tokenizer.piece_table import MAX_WORD_CHARACTERS
from ernie_triton.tokenizer.vocabulary import TOKENIZER_JSON, VOCABULARY_FILE

CONFIG_FILES = ("config.json", "model_config.json")
TOKENIZER_FILE = "tokenizer_config.json"
_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_accurate": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_python_tanh": "gelu_tanh",
    "relu": "relu",
    "tanh": "tanh",
}
_SIZES = (
    *("num_hidden_layers", "vocab_size", "max_position_embeddings", "type_vocab_size"),
    *("task_type_vocab_size", "intermediate_size", "embedding_size", "num_hidden_groups"),
)
SENTENCEPIECE_MODEL = "sentencepiece.bpe.model"
"""XLM-RoBERTa's, and beside a `vocab.txt` ERNIE-M's."""
ERNIE_M_TOKENIZER = "ErnieMTokenizer"
_JSON_CLASSES = frozenset(("PreTrainedTokenizer", "TokenizersBackend", "PythonBackend"))
_OF_NORMALIZER = ("do_lower_case", "strip_accents", "tokenize_chinese_chars")
_TASKS_BY_HEAD = {
    **{"choice": CHOICE, "token": TOKEN_CLS, "span": QA, "pointer": EXTRACTION},
    **{"vector": EMBEDDING, "masked": CLOZE, "token_vector": COLBERT},
}
_TASKS_BY_PROBLEM = {"multi_label_classification": MULTI_LABEL, "regression": REGRESSION}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointConfig:
    """The part of a checkpoint's configuration that decides the meaning of its weights.

    Attributes:
        model_type: `ernie`, `bert`, `roberta`, …, in lower case; empty where it names none.
        heads: attention heads of a layer before any pruning.
        hidden: width of the token vectors.
        activation: activation of the feed-forward layers, one of `ACTIVATIONS`.
        pooler_activation: `tanh`, or `identity` where PaddleNLP's `pool_act` switches it off.
        layer_norm_eps: epsilon of every norm.
        pad_token_id: the token masked in attention; None where it names none.
        task_type_row: the row of the task type table that is added to every token, or None.
        labels: label names; None where the configuration has only `LABEL_0`, `LABEL_1`, ….
        head: kind of head, as `Task.head` has it; None where the architecture does not tell.
        problem: transformers' `problem_type`: `multi_label_classification`, `regression`, …, or
            empty. As in transformers, a classifier with one label does regression.
        architecture: the class that it names; empty where it names none.
        sizes: sizes that the arrays must have, by their keys.
        scores: number of labels; None where it says none.
        is_causal: `is_decoder`, a token attends to those before it only.
        has_cross_attention: `add_cross_attention`, layers attend to a second encoder.
        cls_token_id: older releases of PaddleNLP give RoBERTa other positions where it is 0.
        older_file: the file is PaddleNLP's `model_config.json`.
        pruned_heads: how many heads transformers pruned, by layer.
    """

    model_type: str
    heads: int
    hidden: int
    activation: str
    pooler_activation: str
    layer_norm_eps: float
    pad_token_id: int | None
    task_type_row: int | None
    labels: tuple[str, ...] | None
    head: str | None = None
    problem: str = ""
    architecture: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)
    scores: int | None = None
    is_causal: bool = False
    has_cross_attention: bool = False
    cls_token_id: int | None = None
    older_file: bool = False
    pruned_heads: Mapping[int, int] = field(default_factory=dict)


def read_config(folder: Path) -> CheckpointConfig:
    """Read the configuration of a transformers or PaddleNLP checkpoint.

    Raises:
        CheckpointError: it is missing or broken, lacks a size, or has an unsupported value.
    """
    path, values = _config_file(folder), config_values(folder)
    for key in ("num_attention_heads", "hidden_size"):
        if not isinstance(values.get(key), int) or values[key] < 1:
            raise CheckpointError(
                f"{path}: {key} is {values.get(key)!r}; expected a size of at least 1"
            )
    _check_own_code(values, path)
    position_kind = values.get("position_embedding_type") or "absolute"
    if position_kind != "absolute":
        raise CheckpointError(
            f"{path}: position_embedding_type is {position_kind!r}; only absolute positions are "
            f"supported; {INSTEAD}"
        )
    activation = values.get("hidden_act", "gelu")
    if not isinstance(activation, str) or activation not in _ACTIVATIONS:
        raise CheckpointError(
            f"{path}: hidden_act is {activation!r}; expected one of {', '.join(_ACTIVATIONS)}; "
            f"{INSTEAD}"
        )
    return CheckpointConfig(
        model_type=model_type_of(values),
        heads=values["num_attention_heads"],
        hidden=values["hidden_size"],
        activation=_ACTIVATIONS[activation],
        pooler_activation="tanh" if values.get("pool_act", "tanh") == "tanh" else "identity",
        layer_norm_eps=_epsilon(values, path),
        pad_token_id=_index(values, "pad_token_id", path),
        task_type_row=_index(values, "task_id", path) or 0 if values.get("use_task_id") else None,
        labels=labels_of(values, path),
        head=head_of(values),
        problem=problem_of(values, path),
        architecture=architecture_of(values),
        sizes=_sizes(values, path),
        scores=label_count_of(values, path),
        is_causal=bool(values.get("is_decoder")),
        has_cross_attention=bool(values.get("add_cross_attention")),
        cls_token_id=_index(values, "cls_token_id", path),
        older_file=path.name != CONFIG_FILES[0],
        pruned_heads=_pruned_heads(values, path),
    )


def read_labels_and_problem(folder: Path) -> tuple[tuple[str, ...] | None, str]:
    """Read the label names and the problem of a configuration, as `CheckpointConfig` has them.

    They are all that an exported graph needs: the rest of the model is in it, whatever it computes.

    Raises:
        CheckpointError: the configuration is broken, or one of the two is.
    """
    path, values = _config_file(folder), config_values(folder)
    return labels_of(values, path), problem_of(values, path)


def _check_own_code(values: Mapping[str, Any], path: Path) -> None:
    """Refuse what changes the arrays as they are loaded, or the class that computes with them."""
    quantized = values.get("quantization_config")
    if quantized:
        method = quantized.get("quant_method") if isinstance(quantized, Mapping) else None
        raise CheckpointError(
            f"{path}: quantization_config says {method or 'quantized'} weights; expected "
            f"floating-point ones: save the model dequantized, or remove quantization_config if "
            f"its weights are"
        )
    classes = values.get("auto_map")
    classes = classes if isinstance(classes, Mapping) else {}
    own = [name for key, name in classes.items() if "Model" in key]
    if own:
        raise CheckpointError(
            f"{path}: auto_map names code of its own ({own[0]}), which is never run; "
            f"export the model to ONNX, or remove auto_map if "
            f"{architecture_of(values) or 'its class'} computes the same"
        )


def config_values(folder: Path) -> dict[str, Any]:
    """Read all values of a checkpoint's configuration, by key; BERT's keys for the same ones too.

    Raises:
        CheckpointError: it is missing or broken.
    """
    return with_bert_settings(_flattened(read_json(_config_file(folder))))


def folds_case(folder: Path) -> bool:
    """Return whether the tokenizer beside the weights lower-cases texts; BERT's default is True.

    A tokenizer of pieces folds nothing beside what its own document says.

    Raises:
        CheckpointError: its settings cannot be read, or say neither true nor false.
    """
    if is_of_pieces(folder):
        return False
    lower_case = tokenizer_settings(folder).get("do_lower_case", True)
    if not isinstance(lower_case, bool):
        raise CheckpointError(
            f"{folder / TOKENIZER_FILE}: do_lower_case is {lower_case!r}; expected true or false"
        )
    return lower_case


def splits_ideographs(folder: Path) -> bool:
    """Return whether the tokenizer makes each ideograph a word of its own; BERT's default is True.

    Raises:
        CheckpointError: its settings cannot be read, or change the longest word in characters.
    """
    settings = tokenizer_settings(folder)
    longest = settings.get("max_input_chars_per_word", MAX_WORD_CHARACTERS)
    if longest != MAX_WORD_CHARACTERS:
        raise CheckpointError(
            f"{folder / TOKENIZER_FILE}: max_input_chars_per_word is {longest!r}; only "
            f"{MAX_WORD_CHARACTERS} is supported, as in transformers' and PaddleNLP's BertTokenizer"
        )
    parts = settings.get("tokenize_chinese_chars", True)
    if not isinstance(parts, bool):
        raise CheckpointError(
            f"{folder / TOKENIZER_FILE}: tokenize_chinese_chars is {parts!r}; expected true or "
            f"false"
        )
    return parts


def tokenizer_settings(folder: Path) -> dict[str, Any]:
    """Read `tokenizer_config.json`; empty where there is no such file.

    Where `tokenizer.json` holds the vocabulary, its own settings are those that the other file does
    not name. Of case, accents and ideographs only a general class reads them: BERT's replace them
    by their defaults.

    Raises:
        CheckpointError: a file is damaged, or the two contradict each other.
    """
    path, document = folder / TOKENIZER_FILE, folder / TOKENIZER_JSON
    settings = optional_json(path)
    if not document.is_file() or holds_pieces(document):
        return settings
    content = read_json(document)
    settings |= json_folding(content)
    if vocabulary_beside(folder) != document:
        return settings
    within = json_settings(content, document)
    for key, value in within.items():
        said = settings.get(key, value)
        said = said.get("content") if isinstance(said, Mapping) else said
        if said != value:
            raise CheckpointError(
                f"{path}: {key} is {said!r}, and {document.name} beside it says {value!r}; correct "
                f"the one that is wrong"
            )
    if _has_bert_class(folder, settings):
        within = {key: value for key, value in within.items() if key not in _OF_NORMALIZER}
    return {**within, **settings}


def _has_bert_class(folder: Path, settings: Mapping[str, Any]) -> bool:
    """Return whether a class of BERT reads the tokenizer: the one named, or the model's own."""
    config = folder / CONFIG_FILES[0]
    if settings.get("tokenizer_class") is None and not config.is_file():
        return False
    named = settings.get("tokenizer_class") or optional_json(config).get("tokenizer_class")
    return tokenizer_class_base(named) not in _JSON_CLASSES


def vocabulary_beside(folder: Path) -> Path | None:
    """Return the path of `vocab.txt`, or else `tokenizer.json`, in a folder; None without.

    XLM-RoBERTa's SentencePiece model stands in for a missing `tokenizer.json`; ERNIE-M's stands for
    the `vocab.txt` beside it too. A class that is whatever `tokenizer.json` says does not read the
    other file.
    """
    if is_of_split_pieces(folder):
        return folder / SENTENCEPIECE_MODEL
    name = optional_json(folder / TOKENIZER_FILE).get("tokenizer_class")
    if is_of_tokenizer_json(folder, name):
        return folder / TOKENIZER_JSON
    names = (VOCABULARY_FILE, TOKENIZER_JSON, SENTENCEPIECE_MODEL)
    return next((folder / name for name in names if (folder / name).is_file()), None)


def is_of_pieces(folder: Path) -> bool:
    """Return whether the tokenizer in a folder is SentencePiece's, or of byte-level pieces."""
    path = vocabulary_beside(folder)
    return path is not None and holds_pieces(path)


def is_of_split_pieces(folder: Path) -> bool:
    """Return whether a folder has ERNIE-M's tokenizer, which cuts SentencePiece's pieces further.

    Where no class is named, the type of the model tells.
    """
    if not all((folder / name).is_file() for name in (VOCABULARY_FILE, SENTENCEPIECE_MODEL)):
        return False
    named = optional_json(folder / TOKENIZER_FILE)
    name = named.get("tokenizer_class") or named.get("init_class")
    if name is not None:
        return tokenizer_class_base(name) == ERNIE_M_TOKENIZER
    config = next((folder / file for file in CONFIG_FILES if (folder / file).is_file()), None)
    return config is not None and own_type(_flattened(read_json(config))) == "ernie_m"


def is_of_tokenizer_json(folder: Path, tokenizer_class: object) -> bool:
    """Return whether a class is whatever `tokenizer.json` says, and the folder has that file."""
    is_general = tokenizer_class_base(tokenizer_class) in _JSON_CLASSES
    return is_general and (folder / TOKENIZER_JSON).is_file()


def tokenizer_class_base(name: object) -> str:
    """Return the name of a tokenizer's class without the word for its fast form."""
    return str(name).removesuffix("Fast").replace("FastTokenizer", "Tokenizer")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises:
        CheckpointError: the file holds no JSON object.
    """
    try:
        values = json.loads(read_text_file(path))
    except (TextFileError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} holds a {type(values).__name__}; expected an object")
    return values


def optional_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file; empty where there is none.

    Raises:
        CheckpointError: the file holds no JSON object.
    """
    return read_json(path) if path.is_file() else {}


def _config_file(folder: Path) -> Path:
    path = next((folder / name for name in CONFIG_FILES if (folder / name).is_file()), None)
    if path is None:
        raise CheckpointError(f"{folder} has no {' or '.join(CONFIG_FILES)} beside its weights")
    return path


def _flattened(values: Mapping[str, Any]) -> dict[str, Any]:
    """Unnest `init_args`, where PaddleNLP before 2.5 put sizes; the outer value wins."""
    inner: dict[str, Any] = {}
    arguments = values.get("init_args")
    for argument in arguments if isinstance(arguments, list) else ():
        if isinstance(argument, Mapping):
            inner |= _flattened(argument)
    return {**inner, **values}


def model_type_of(values: Mapping[str, Any]) -> str:
    """Return the `model_type` of a configuration in lower case; empty where it names none."""
    return str(values.get("model_type") or "").lower()


def head_of(values: Mapping[str, Any]) -> str | None:
    """Return the kind of head that a configuration's class names; None where it tells none.

    The class of a pre-trained model tells none: its configuration is often copied beside fine-tuned
    weights, whose arrays then tell.
    """
    architecture = architecture_of(values)
    kinds = (kind for end, kind in HEADS_BY_ARCHITECTURE.items() if architecture.endswith(end))
    kind = next(kinds, None)
    return None if kind == "masked" else kind


def architecture_of(values: Mapping[str, Any]) -> str:
    """Return the class that a configuration names; empty where it names none."""
    architectures = values.get("architectures")
    known = architectures if isinstance(architectures, list) else ()
    return str(next(iter(known), values.get("init_class") or ""))


def _sizes(values: Mapping[str, Any], path: Path) -> dict[str, int]:
    sizes = {key: values[key] for key in _SIZES if values.get(key) is not None}
    for key, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise CheckpointError(f"{path}: {key} is {size!r}; expected a size")
    return sizes


def trained_task(head: str, problem: str) -> Task:
    """Return the task of a kind of head; transformers' `problem_type` decides for `sequence`."""
    return _TASKS_BY_HEAD.get(head) or _TASKS_BY_PROBLEM.get(problem, SEQ_CLS)


def _pruned_heads(values: Mapping[str, Any], path: Path) -> dict[int, int]:
    pruned = values.get("pruned_heads") or {}
    try:
        return {int(layer): len(set(heads)) for layer, heads in pruned.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: pruned_heads is {pruned!r}; expected lists of heads by layer"
        ) from error


def _epsilon(values: Mapping[str, Any], path: Path) -> float:
    epsilon = values.get("layer_norm_eps", 1e-12)
    if not isinstance(epsilon, float | int) or not 0 <= epsilon < 1:
        raise CheckpointError(
            f"{path}: layer_norm_eps is {epsilon!r}; expected a number from 0 up to 1"
        )
    return float(epsilon)


def _index(values: Mapping[str, Any], key: str, path: Path) -> int | None:
    index = values.get(key)
    if index is None:
        return None
    if not isinstance(index, int) or index < 0:
        raise CheckpointError(f"{path}: {key} is {index!r}; expected a row index")
    return int(index)
