"""Checkpoints of transformers and PaddleNLP, whatever files their weights are in.

The container does not tell the framework: PaddleNLP writes safetensors since 2.6. The names of the
arrays do.
"""

from collections.abc import Mapping

from ernie_triton.arrays import Float32
from ernie_triton.build.load.families import check_model_type
from ernie_triton.build.load.own_names import with_bert_names
from ernie_triton.build.load.paddle.checkpoint import read_pdparams
from ernie_triton.build.load.safetensors_file import read_safetensors
from ernie_triton.build.load.settings import (
    config_values,
    folds_case,
    model_type_of,
    read_config,
    read_json,
    splits_ideographs,
    vocabulary_beside,
)
from ernie_triton.build.load.source import Source, WantedHead
from ernie_triton.build.load.state import family_of_state, model_from_state
from ernie_triton.build.load.torch_file import read_torch
from ernie_triton.build.load.weight_files import WeightFiles
from ernie_triton.build.load.weights import (
    PADDLENLP,
    TRANSFORMERS,
    NameScheme,
    is_index_buffer,
)
from ernie_triton.build.model.heads import HEAD_NAMES
from ernie_triton.errors import CheckpointError


def read_checkpoint(found: WeightFiles, wanted: WantedHead) -> Source:
    """Read a folder written by `save_pretrained` of transformers or PaddleNLP, or like it.

    Raises:
        CheckpointError: a file is damaged, or the model is none that is supported.
        OtherTaskError: the model is of another task than wanted.
    """
    values = config_values(found.folder)
    where = str(found.path)
    # Before the settings, which other types name otherwise.
    check_model_type(None, model_type_of(values), str(found.folder))
    config = read_config(found.folder)
    state = with_bert_names(read_weights(found), values, where)
    scheme = scheme_of(state)
    model = model_from_state(state, scheme, config, where, wanted)
    head = HEAD_NAMES[type(model.head)]
    family = family_of_state(state, scheme, config, where, head)
    said = config.sizes.get("num_hidden_layers")
    return Source(
        kind=f"{scheme.framework} checkpoint ({found.path.name})",
        path=found.folder,
        weights=found.path,
        model=model,
        labels=config.labels,
        vocabulary=vocabulary_beside(found.folder),
        lower_case=folds_case(found.folder),
        tokenize_chinese_chars=splits_ideographs(found.folder),
        problem=config.problem,
        family=family,
        note=", ".join(filter(None, (_left_out(state, scheme, said), family.assumed))),
    )


def read_weights(found: WeightFiles) -> dict[str, Float32]:
    """Read all arrays of a checkpoint by name, as float32.

    Raises:
        CheckpointError: a file is damaged or a git-lfs pointer, or an index names arrays that its
            shards lack.
    """
    read = read_safetensors if found.is_safetensors else read_torch
    read = read_pdparams if found.is_pdparams else read
    state: dict[str, Float32] = {}
    for file in found.files:
        state |= read(file)
    if found.index is not None:
        missing = [
            name
            for name in read_json(found.index)["weight_map"]
            if name not in state and not is_index_buffer(name)
        ]
        if missing:
            raise CheckpointError(
                f"{found.index} names {len(missing)} arrays that its shards lack, such as "
                f"{min(missing)!r}; fetch the shards again"
            )
    return state


def scheme_of(state: Mapping[str, Float32]) -> NameScheme:
    """Return the scheme that names a checkpoint's arrays: PaddleNLP's, or else transformers'."""
    is_paddle = any(f".{PADDLENLP.query}." in name for name in state)
    return PADDLENLP if is_paddle else TRANSFORMERS


def _left_out(state: Mapping[str, Float32], scheme: NameScheme, said: int | None) -> str:
    """Say how many layers of the weights the configuration leaves out; empty for none."""
    query = f".{scheme.query}."
    layers = {name.partition(query)[0] for name in state if query in name}
    if said is None or len(layers) == said:
        return ""
    return f"the first {said} of {len(layers)} layers, as num_hidden_layers says"
