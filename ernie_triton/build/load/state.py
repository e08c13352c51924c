"""The model from weights by name, in either naming scheme of the BERT family.

What the arrays mean is the family's, in `families`. Every array of a checkpoint must be used, or be
known to be of no use for the task. An array left over would be a part of the model that is not
served.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from ernie_triton.arrays import Float32
from ernie_triton.build.load.families import (
    ERNIE_M_FIRST_POSITION,
    Family,
    check_model_type,
    family_of_checkpoint,
    family_of_release,
)
from ernie_triton.build.load.masked_head import has_masked_head
from ernie_triton.build.load.named_head import crf_fault, head_from_arrays
from ernie_triton.build.load.named_state import WORD_ARRAY, NamedState
from ernie_triton.build.load.settings import CheckpointConfig
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.load.weights import NameScheme
from ernie_triton.build.model.encoder import Encoder, Layer, Linear, with_attended_padding
from ernie_triton.build.model.heads import HEAD_NAMES
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError, OtherTaskError
from ernie_triton.tasks import TASKS

_PAIR_TYPES = 2
TASKS_BY_HEAD = {
    head: " or ".join(task.name for task in TASKS.values() if task.head == head)
    for head in HEAD_NAMES.values()
}
"""Names of the tasks that a head serves, for messages."""


def model_from_state(
    state: Mapping[str, Float32],
    scheme: NameScheme,
    config: CheckpointConfig,
    where: str,
    wanted: WantedHead | None = None,
) -> Model:
    """Assemble the model from a checkpoint's arrays.

    Args:
        state: float arrays by the framework's names.
        scheme: the framework's names.
        config: the checkpoint's configuration.
        where: the file, for messages.
        wanted: the head to read; None takes the one that the configuration names.

    Raises:
        CheckpointError: an array is missing, left over, or has a shape that contradicts another or
            the configuration; the model type is not supported.
        OtherTaskError: the model is of another task.
    """
    wanted = wanted or WantedHead()
    head = wanted.head or config.head or _head_of_arrays(state)
    wanted = dataclasses.replace(wanted, head=head)
    # Any model gives vectors; its own head is then left out.
    named_otherwise = head == "pointer" and any("linear_start." in name for name in state)
    if config.head not in (None, head) and head != "vector" and not named_otherwise:
        raise OtherTaskError(
            f"{where} is a model of {TASKS_BY_HEAD[config.head]}, as its configuration says; "
            f"found --task of {TASKS_BY_HEAD[head]}"
        )
    check_model_type(scheme, config.model_type, where)
    _check_attention(config, where)
    family = family_of_state(state, scheme, config, where, head)
    own = family.norm_epsilon
    arrays = NamedState(state, scheme, config.layer_norm_eps if own is None else own, where)
    encoder = _Reader(arrays, scheme, family, config, where).encoder()
    if head == "pointer" and family.attends_to_pad:
        encoder = with_attended_padding(encoder)
    model = Model(encoder=encoder, head=head_from_arrays(arrays, family, config, wanted, where))
    left = arrays.left()
    if left:
        raise CheckpointError(
            f"{where} has {len(left)} arrays that a model of this task does not use, "
            f"such as {left[0]!r}; {crf_fault(left) or 'is it of another task or architecture?'}"
        )
    return model


def _head_of_arrays(state: Mapping[str, Float32]) -> str:
    """Tell the head where nothing names it: that of pre-training, where there is no other."""
    is_tuned = any("classifier." in name for name in state)
    return "masked" if has_masked_head(state) and not is_tuned else "sequence"


def family_of_state(
    state: Mapping[str, Float32],
    scheme: NameScheme,
    config: CheckpointConfig,
    where: str,
    head: str,
) -> Family:
    """Find what a checkpoint's model type means.

    Args:
        state: float arrays by the framework's names.
        scheme: the framework's names.
        config: the checkpoint's configuration.
        where: the file, for messages.
        head: the kind of head to read.

    Raises:
        CheckpointError: the model type is not supported, or not the one of the arrays.
    """
    arrays = NamedState(state, scheme, config.layer_norm_eps, where)
    return _family(arrays, scheme, config, head, where)


def _family(
    arrays: NamedState, scheme: NameScheme, config: CheckpointConfig, head: str, where: str
) -> Family:
    family = family_of_checkpoint(
        scheme,
        model_type=config.model_type,
        architecture=config.architecture,
        base=arrays.prefix.removesuffix("."),
        head=head,
        where=where,
    )
    return family_of_release(
        family,
        has_own_head=arrays.has("classifier.out_proj.weight"),
        older_file=config.older_file,
        head=config.head or head,
        cls_token_id=config.cls_token_id,
    )


def _check_attention(config: CheckpointConfig, where: str) -> None:
    if config.is_causal:
        raise CheckpointError(
            f"{where}: is_decoder is true, so a token would attend to earlier ones only; expected "
            f"an encoder; if it was trained as one, put false there"
        )
    if config.has_cross_attention:
        raise CheckpointError(
            f"{where}: add_cross_attention is true; expected a model of one encoder; if it was "
            f"trained as one, put false there"
        )


class _Reader:
    def __init__(
        self,
        arrays: NamedState,
        scheme: NameScheme,
        family: Family,
        config: CheckpointConfig,
        where: str,
    ) -> None:
        self._arrays = arrays
        self._scheme = scheme
        self._family = family
        self._config = config
        self._where = where
        self._prefix = arrays.prefix
        self._pad = family.pad_token_id if config.pad_token_id is None else config.pad_token_id

    def encoder(self) -> Encoder:
        word = self._word()
        position = self._table("position", "max_position_embeddings")
        return Encoder(
            word=word,
            position=position[self._first_position() :],
            token_type=self._token_type(word.shape[-1]),
            embedding_norm=self._arrays.norm(f"{self._prefix}{self._scheme.embedding_norm}"),
            layers=tuple(self._layer(index) for index in range(self._layers())),
            activation=self._config.activation,
            pad_token_id=self._pad,
            projection=self._projection(word.shape[-1]),
        )

    def _word(self) -> Float32:
        word = self._arrays.array(f"{self._prefix}{WORD_ARRAY}")
        self._check_size("vocab_size", len(word), "tokens")
        width = word.shape[-1]
        if width != self._config.hidden and not self._family.projection:
            raise CheckpointError(
                f"{self._where}: the word embeddings are {width} wide but the "
                f"configuration says hidden_size {self._config.hidden}"
            )
        if self._pad >= len(word):
            raise CheckpointError(
                f"{self._where} embeds {len(word)} tokens but the configuration says "
                f"pad_token_id {self._pad}"
            )
        if self._scheme.pad_embeds_to_zero and not self._family.embeds_pad:
            word = word.copy()
            word[self._pad] = 0.0
        return word

    def _projection(self, width: int) -> Linear | None:
        """Return the layer that widens the embeddings; None where they are as wide as the rest."""
        kind, hidden = self._family.projection, self._config.hidden
        if not kind or (kind == "narrower" and width == hidden):
            return None
        self._check_size("embedding_size", width, "features in an embedding")
        projection = self._arrays.linear(f"{self._prefix}embeddings_project")
        if projection.outputs != hidden:
            raise CheckpointError(
                f"{self._where} widens its embeddings to {projection.outputs} features but the "
                f"configuration says hidden_size {hidden}"
            )
        return projection

    def _table(self, name: str, key: str) -> Float32:
        table = self._arrays.array(f"{self._prefix}embeddings.{name}_embeddings.weight")
        self._check_size(key, len(table), f"{name.replace('_', ' ')}s")
        return table

    def _token_type(self, width: int) -> Float32:
        if not self._family.token_types:
            return np.zeros((_PAIR_TYPES, width), np.float32)
        table = self._table("token_type", "type_vocab_size")
        if not len(table):
            raise CheckpointError(f"{self._where} has no token types; expected at least one")
        name, row = f"{self._prefix}embeddings.task_type_embeddings.weight", self._task_row()
        if row is None:
            self._arrays.skip(name)  # some checkpoints keep it unused
            return table
        tasks = self._arrays.array(name)
        if row >= len(tasks):
            raise CheckpointError(
                f"{self._where}: the configuration says task_id {row} but the table has "
                f"{len(tasks)} rows"
            )
        return np.asarray(table + tasks[row])

    def _task_row(self) -> int | None:
        if self._config.task_type_row is None or not self._family.task_types:
            return None
        return 0 if self._family.task_types == "zero" else self._config.task_type_row

    def _first_position(self) -> int:
        """Return the row of the first token's position."""
        kind = self._family.positions
        if kind == "third":
            return ERNIE_M_FIRST_POSITION
        return self._pad + 1 if kind == "after_pad" else 0

    def _layers(self) -> int:
        """Count the layers; those beyond the configuration's number are left out, as frameworks do.

        Raises:
            CheckpointError: there are fewer than it says.
        """
        name = f"{self._prefix}{self._scheme.layer}"
        found = self._arrays.count(f"{name}.{self._scheme.query}.weight")
        said = self._config.sizes.get("num_hidden_layers", found)
        if found < said:
            raise CheckpointError(
                f"{self._where} has arrays of {found} layers but the configuration says "
                f"num_hidden_layers {said}; put {found} there if the model has {found}"
            )
        for index in range(said, found):
            self._arrays.skip_matching(rf"{name.format(index)}\.")
        return said

    def _layer(self, index: int) -> Layer:
        scheme, arrays = self._scheme, self._arrays
        name = f"{self._prefix}{scheme.layer.format(index)}"
        query = arrays.linear(f"{name}.{scheme.query}")
        intermediate = arrays.linear(f"{name}.{scheme.intermediate}")
        widest = self._config.sizes.get("intermediate_size", intermediate.outputs)
        if intermediate.outputs > widest:  # pruning makes it narrower
            raise CheckpointError(
                f"{self._where} has a layer of {intermediate.outputs} feed-forward features but "
                f"the configuration says intermediate_size {widest}"
            )
        return Layer(
            query=query,
            key=arrays.linear(f"{name}.{scheme.key}"),
            value=arrays.linear(f"{name}.{scheme.value}"),
            attention_output=arrays.linear(f"{name}.{scheme.attention_output}"),
            attention_norm=arrays.norm(f"{name}.{scheme.attention_norm}"),
            intermediate=intermediate,
            output=arrays.linear(f"{name}.{scheme.output}"),
            output_norm=arrays.norm(f"{name}.{scheme.output_norm}"),
            heads=self._heads(query.outputs, index),
        )

    def _heads(self, features: int, index: int) -> int:
        """Count a layer's attention heads; pruning removes whole heads and keeps their size."""
        hidden, heads = self._config.hidden, self._config.heads
        head_size, rest = divmod(hidden, heads)
        if rest or features % head_size:
            raise CheckpointError(
                f"{self._where} has a layer of {features} attention features; expected whole heads "
                f"of hidden_size {hidden} / {heads} heads"
            )
        pruned = self._config.pruned_heads.get(index)
        if pruned is not None and features // head_size != heads - pruned:
            raise CheckpointError(
                f"{self._where} has {features // head_size} heads in layer {index} but the "
                f"configuration says {heads} less {pruned} (pruned_heads); put the configuration "
                f"that was saved with these weights beside them"
            )
        return features // head_size

    def _check_size(self, key: str, found: int, of: str) -> None:
        said = self._config.sizes.get(key, found)
        if said != found:
            raise CheckpointError(
                f"{self._where} has {found} {of} but the configuration says {key} {said}; put the "
                f"configuration that was saved with these weights beside them"
            )
