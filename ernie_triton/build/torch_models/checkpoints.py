"""Load a checkpoint as a module of transformers, and save it as a checkpoint.

Weights are read as in a build: from transformers or PaddleNLP, each layer as wide as its arrays.
They are written as a transformers checkpoint.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.build.load import holds_weights, read_source
from ernie_triton.build.load.families import HEADS_BY_ARCHITECTURE
from ernie_triton.build.load.safetensors_file import write_safetensors
from ernie_triton.build.load.settings import (
    TOKENIZER_FILE,
    config_values,
    folds_case,
    is_of_split_pieces,
    splits_ideographs,
    tokenizer_settings,
    vocabulary_beside,
)
from ernie_triton.build.load.source import Source, WantedHead
from ernie_triton.build.load.tokenizers.tokenizer_files import read_vocabulary, settings_of_rules
from ernie_triton.build.load.weight_files import SAFETENSORS_FILE
from ernie_triton.build.model.encoder import Encoder
from ernie_triton.build.model.heads import VectorHead
from ernie_triton.build.model.models import Model
from ernie_triton.build.torch_models.layer_widths import LayerWidth, resize_layers, widths_of
from ernie_triton.build.torch_models.modules import (
    POINTER_CLASS,
    PROBLEM_TYPES,
    encoder_config,
    family_of,
    head_config,
    import_torch,
    model_from_config,
    new_model,
)
from ernie_triton.build.torch_models.token_heads import (
    add_token_heads,
    is_of_token_head,
    token_head_files,
)
from ernie_triton.build.torch_models.weights import copy_weights, named_as_uie
from ernie_triton.build.whole_folder import whole_folder
from ernie_triton.errors import CheckpointError
from ernie_triton.tasks import task_named
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import VOCABULARY_FILE, write_stage_vocabulary

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


def load_model(
    folder: Path, *, task: str, labels: Sequence[str] | None = None, seed: int = 0
) -> "PreTrainedModel":
    """Load a checkpoint as a model of transformers in evaluation mode.

    Args:
        folder: a transformers or PaddleNLP checkpoint, pruned or not, or only a `config.json`, for
            random weights.
        task: name of the task; `embedding` gives the encoder, with the heads of tokens beside it.
        labels: names of the scores. A checkpoint with a head for them keeps it; any other gets a
            new head. None requires the checkpoint's own head.
        seed: decides the new weights.

    Raises:
        CheckpointError: the checkpoint cannot be read, or is of a kind that is served alone, or it
            lacks the head and no labels are given.
        MissingExtraError: torch or transformers is not installed.
    """
    import_torch()
    if is_of_split_pieces(folder):
        raise CheckpointError(
            f"{folder} has the tokenizer of ERNIE-M; such a model can be built and served, but not "
            f"trained or compressed"
        )
    if not holds_weights(folder) and (folder / "config.json").is_file():
        made = model_from_config(folder, task, labels, seed)
        if task_named(task).head == "vector":
            add_token_heads(made, folder, made.config.hidden_size)
        return made
    source, is_whole = _read(folder, task, labels)
    if not isinstance(source.model, Model):
        found = "an export" if source.model is None else "a slim model"
        raise CheckpointError(
            f"{folder} is {found}; expected the checkpoint of an encoder, as save_pretrained "
            f"writes it"
        )
    values, model = config_values(folder), source.model
    if model.encoder.projection is not None:
        raise CheckpointError(
            f"{folder} widens its embeddings by a layer, as ALBERT and small ELECTRA do; such a "
            f"model can be built and served, but not trained or compressed"
        )
    heads = model.encoder.hidden // model.encoder.layers[0].head_size
    sizes = encoder_config(model.encoder, heads, values)
    names, outputs = labels or source.labels, _outputs(model)
    if is_whole:
        _check_problem(folder, source.problem, task)
        activation = _pooler_activation(model)
        if activation not in ("tanh", "identity"):
            raise CheckpointError(
                f"{folder} has a head with {activation} between its layers, as ELECTRA, "
                f"DistilBERT and TinyBERT have; such a model can be built and served, but not "
                f"trained or compressed"
            )
        if activation != "tanh":
            sizes["pool_act"] = activation
    sizes |= head_config(task, names, outputs or len(names or ()))
    built = new_model(family_of(values), task_named(task).head, sizes, seed=seed)
    resize_layers(built, _widths(model.encoder))
    copy_weights(built, model, str(folder))
    if task_named(task).head == "vector":
        add_token_heads(built, folder, model.encoder.hidden)
    return built


def load_tokenizer(folder: Path, *, max_length: int) -> TextEncoder:
    """Load the tokenizer of a checkpoint, the same one that serves.

    Raises:
        CheckpointError: there is no `vocab.txt`, or the model has fewer positions.
        VocabularyError: the vocabulary is damaged.
    """
    path = vocabulary_beside(folder)
    if path is None:
        raise CheckpointError(f"{folder} has no {VOCABULARY_FILE}; put the model's own there")
    positions = config_values(folder).get("max_position_embeddings")
    if isinstance(positions, int) and max_length > positions:
        raise CheckpointError(
            f"the model in {folder} has positions for {positions} tokens; found max_length "
            f"{max_length}"
        )
    return TextEncoder(
        read_vocabulary(path, folder),
        max_length=max_length,
        lower_case=folds_case(folder),
        tokenize_chinese_chars=splits_ideographs(folder),
    )


def save_model(
    model: "PreTrainedModel",
    folder: Path,
    *,
    tokenizer_from: Path,
    more_files: Mapping[str, bytes] | None = None,
) -> None:
    """Write a checkpoint: `config.json`, `model.safetensors`, `vocab.txt`, `tokenizer_config.json`.

    The build's own reader reads it back before the folder gets its name.

    Args:
        model: a model from `load_model`, with layers of any width.
        folder: a new or empty folder.
        tokenizer_from: the checkpoint whose vocabulary and tokenizer settings are copied.
        more_files: contents of further files, by name.

    Raises:
        CheckpointError: the folder is not empty, or the written model reads back differently.
    """
    import_torch()
    check_free(folder)
    with whole_folder(folder) as beside:
        widths = widths_of(model)
        model.config.intermediate_size = max(width.feed_forward for width in widths)
        model.config.dtype = "float32"
        model.config.save_pretrained(beside)
        write_beside_config(model, beside, tokenizer_from, more_files or {})
        _check_written(beside, folder, _head_of(model), widths)


def write_beside_config(
    module: "nn.Module", folder: Path, tokenizer_from: Path, more_files: Mapping[str, bytes]
) -> None:
    """Write the files beside a checkpoint's `config.json`: weights, tokenizer files, and others.

    Args:
        module: the module whose weights are written, in float32.
        folder: the checkpoint's folder.
        tokenizer_from: the checkpoint whose vocabulary and tokenizer settings are copied.
        more_files: contents of further files, by name.

    Raises:
        CheckpointError: `tokenizer_from` has no vocabulary.
    """
    tensors = {name: one for name, one in module.state_dict().items() if not is_of_token_head(name)}
    # Tied weights are one in memory, and stand in the file by their first name.
    names = {tensor.data_ptr(): name for name, tensor in reversed(tensors.items())}
    state = {
        name: tensor.detach().float().cpu().contiguous()
        for name, tensor in tensors.items()
        if names[tensor.data_ptr()] == name
    }
    if _is_pointer(module):
        state = named_as_uie(state)
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    write_safetensors(arrays, folder / SAFETENSORS_FILE)
    _copy_tokenizer(tokenizer_from, folder)
    for name, content in {**token_head_files(module), **more_files}.items():
        (folder / name).write_bytes(content)


def check_free(folder: Path) -> None:
    """Check that an output folder is new or empty.

    Raises:
        CheckpointError: it is not empty, or is a file.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise CheckpointError(f"{folder} exists; name another folder, or remove it")


def _read(folder: Path, task: str, labels: Sequence[str] | None) -> tuple[Source, bool]:
    """Read a checkpoint; return it, and False where only its encoder can be used."""
    head = task_named(task).head
    if labels is None or head == "vector":
        return read_source(folder, WantedHead(head=head)), True
    try:
        source = read_source(folder, WantedHead(head=head))
    except CheckpointError:
        return read_source(folder, WantedHead(head="vector")), False
    fits = head in ("choice", "span", "pointer", "masked") or (
        isinstance(source.model, Model)
        and _outputs(source.model) == len(labels)
        and source.labels in (None, tuple(labels))
    )
    if not fits:
        source = read_source(folder, WantedHead(head="vector"))
    return source, fits


def _check_problem(folder: Path, problem: str, task: str) -> None:
    expected = PROBLEM_TYPES.get(task)
    if problem and expected and problem != expected:
        raise CheckpointError(
            f"{folder} says problem_type {problem!r}; expected {expected!r} for the task {task}"
        )


def _widths(encoder: Encoder) -> list[LayerWidth]:
    return [
        LayerWidth(heads=layer.heads, feed_forward=layer.intermediate.outputs)
        for layer in encoder.layers
    ]


def _outputs(model: Model) -> int | None:
    return None if isinstance(model.head, VectorHead) else model.head.output.outputs


def _pooler_activation(model: Model) -> str:
    return str(getattr(model.head, "pooler_activation", "tanh"))


def _copy_tokenizer(source: Path, folder: Path) -> None:
    """Copy a checkpoint's vocabulary and tokenizer settings.

    Raises:
        CheckpointError: it has no vocabulary.
    """
    vocabulary = vocabulary_beside(source)
    if vocabulary is None:
        raise CheckpointError(f"{source} has no {VOCABULARY_FILE}; put the model's own there")
    read = read_vocabulary(vocabulary, source)
    if vocabulary.name == VOCABULARY_FILE:
        shutil.copyfile(vocabulary, folder / VOCABULARY_FILE)
    else:
        write_stage_vocabulary(read, folder)
    settings = tokenizer_settings(source)
    if not read.document:
        settings = settings or {"do_lower_case": True}
        settings |= settings_of_rules(read.rules)
        settings["tokenizer_class"] = "BertTokenizer"
    text = json.dumps(settings, ensure_ascii=False, indent=2) + "\n"
    (folder / TOKENIZER_FILE).write_text(text, encoding="utf-8")


def _head_of(model: "PreTrainedModel") -> str:
    name = POINTER_CLASS if _is_pointer(model) else type(model).__name__
    return next(head for ending, head in HEADS_BY_ARCHITECTURE.items() if name.endswith(ending))


def _is_pointer(module: "nn.Module") -> bool:
    config = getattr(module, "config", None)
    return POINTER_CLASS in (getattr(config, "architectures", None) or ())


def _check_written(beside: Path, folder: Path, head: str, widths: Sequence[LayerWidth]) -> None:
    source = read_source(beside, WantedHead(head=head))
    found = _widths(source.model.encoder) if isinstance(source.model, Model) else []
    if found != list(widths):
        raise CheckpointError(
            f"the model written for {folder} reads back with layers of {found}; expected "
            f"{list(widths)}"
        )
