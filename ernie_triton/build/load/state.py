"""The model from weights by name, in either naming scheme of the BERT family.

Every array of a checkpoint must be used, or be known to be of no use for the task. An array left
over would be a part of the model that is not served.
"""

import re
from collections.abc import Mapping

import numpy as np

from ernie_triton.arrays import Float32
from ernie_triton.build.load.settings import CheckpointConfig
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.load.weights import TRANSFORMERS, NameScheme, modern_name
from ernie_triton.build.model.encoder import Encoder, Layer, Linear, Norm
from ernie_triton.build.model.heads import Head, SequenceHead, SpanHead, TokenHead, VectorHead
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError, OtherTaskError
from ernie_triton.tasks import TASKS

TASKS_BY_HEAD = {
    head: " or ".join(task.name for task in TASKS.values() if task.head == head)
    for head in ("sequence", "token", "span", "vector")
}
"""Names of the tasks that a head serves, for messages."""

_WORD_TABLE = "embeddings.word_embeddings.weight"
# Buffers, and heads of pre-training that fine-tuned checkpoints sometimes keep.
_OTHER_HEADS = re.compile(r"(classifier|qa_outputs)\.")
_UNUSED = re.compile(r"(^|\.)(position_ids|token_type_ids)$|^(cls|lm_head|ernie\.lm)\.")


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
        CheckpointError: an array is missing, left over, or has a shape that contradicts another.
        OtherTaskError: the model is of another task.
    """
    wanted = wanted or WantedHead()
    head = wanted.head or config.head or "sequence"
    # Any model gives vectors; its own head is then left out.
    if config.head not in (None, head) and head != "vector":
        raise OtherTaskError(
            f"{where} is a model of {TASKS_BY_HEAD[config.head]}, as its configuration says; "
            f"found --task of {TASKS_BY_HEAD[head]}"
        )
    return _Reader(state, scheme, config, where).model(head, wanted.pooling or "cls")


class _Reader:
    def __init__(
        self, state: Mapping[str, Float32], scheme: NameScheme, config: CheckpointConfig, where: str
    ) -> None:
        self._state = {modern_name(name): array for name, array in state.items()}
        self._scheme = scheme
        self._config = config
        self._where = where
        self._used: set[str] = set()
        tables = [name for name in self._state if name.endswith(_WORD_TABLE)]
        if len(tables) != 1:
            raise CheckpointError(
                f"{where} has {len(tables)} arrays named …{_WORD_TABLE}; expected one, as the "
                f"BERT-family models of {scheme.framework} have"
            )
        self._prefix = tables[0].removesuffix(_WORD_TABLE)

    def model(self, head: str, pooling: str) -> Model:
        model = Model(encoder=self._encoder(), head=self._head(head, pooling))
        left = sorted(name for name in set(self._state) - self._used if not _UNUSED.search(name))
        if left:
            raise CheckpointError(
                f"{self._where} has {len(left)} arrays that a model of this task does not use, "
                f"such as {left[0]!r}; is it of another task or architecture?"
            )
        return model

    def _encoder(self) -> Encoder:
        word = self._array(f"{self._prefix}{_WORD_TABLE}")
        if word.shape[-1] != self._config.hidden:
            raise CheckpointError(
                f"{self._where}: the word embeddings are {word.shape[-1]} wide but the "
                f"configuration says hidden_size {self._config.hidden}"
            )
        if self._config.pad_token_id >= len(word):
            raise CheckpointError(
                f"{self._where} embeds {len(word)} tokens but the configuration says "
                f"pad_token_id {self._config.pad_token_id}"
            )
        if self._scheme.pad_embeds_to_zero:
            word = word.copy()
            word[self._config.pad_token_id] = 0.0
        token_type = self._array(f"{self._prefix}embeddings.token_type_embeddings.weight")
        task_table = f"{self._prefix}embeddings.task_type_embeddings.weight"
        if self._config.task_type_row is not None:
            token_type = token_type + self._task_type(task_table, self._config.task_type_row)
        else:
            self._used.add(task_table)  # some checkpoints keep it unused
        position = self._array(f"{self._prefix}embeddings.position_embeddings.weight")
        count = 0
        while self._has(f"{self._layer_name(count)}.{self._scheme.query}.weight"):
            count += 1
        return Encoder(
            word=word,
            position=position[self._first_position() :],
            token_type=token_type,
            embedding_norm=self._norm(self._scheme.embedding_norm),
            layers=tuple(self._layer(index) for index in range(count)),
            activation=self._config.activation,
            pad_token_id=self._config.pad_token_id,
        )

    def _task_type(self, name: str, row: int) -> Float32:
        table = self._array(name)
        if row >= len(table):
            raise CheckpointError(
                f"{self._where}: the configuration says task_id {row} but the table has "
                f"{len(table)} rows"
            )
        return np.asarray(table[row])

    def _first_position(self) -> int:
        """Return 0, or for transformers' RoBERTa the id after the padding token's."""
        roberta = "roberta" in self._config.model_type
        offset = roberta and self._scheme is TRANSFORMERS
        return self._config.pad_token_id + 1 if offset else 0

    def _layer_name(self, index: int) -> str:
        return self._scheme.layer.format(index)

    def _layer(self, index: int) -> Layer:
        scheme, name = self._scheme, self._layer_name(index)
        query = self._linear(f"{name}.{scheme.query}")
        return Layer(
            query=query,
            key=self._linear(f"{name}.{scheme.key}"),
            value=self._linear(f"{name}.{scheme.value}"),
            attention_output=self._linear(f"{name}.{scheme.attention_output}"),
            attention_norm=self._norm(f"{name}.{scheme.attention_norm}"),
            intermediate=self._linear(f"{name}.{scheme.intermediate}"),
            output=self._linear(f"{name}.{scheme.output}"),
            output_norm=self._norm(f"{name}.{scheme.output_norm}"),
            heads=self._heads(query.outputs),
        )

    def _heads(self, features: int) -> int:
        """Count a layer's attention heads; pruning removes whole heads and keeps their size."""
        hidden, heads = self._config.hidden, self._config.heads
        head_size, rest = divmod(hidden, heads)
        if rest or features % head_size:
            raise CheckpointError(
                f"{self._where} has a layer of {features} attention features; expected whole heads "
                f"of hidden_size {hidden} / {heads} heads"
            )
        return features // head_size

    def _head(self, kind: str, pooling: str) -> Head:
        if kind == "sequence":
            return self._sequence_head()
        if kind == "vector":
            self._used.update(name for name in self._state if _OTHER_HEADS.match(name))
            pooler = self._linear("pooler.dense") if self._has("pooler.dense.weight") else None
            activation = self._config.pooler_activation
            return VectorHead(pooling=pooling, pooler=pooler, pooler_activation=activation)
        self._skip_pooler()
        if kind == "token":
            return TokenHead(output=self._linear("classifier", prefix=""))
        name = "qa_outputs" if "qa_outputs.weight" in self._state else "classifier"
        return SpanHead(output=self._linear(name, prefix=""))

    def _sequence_head(self) -> SequenceHead:
        """Read the classifier: one linear layer after the pooler, or RoBERTa's own two."""
        if "classifier.out_proj.weight" in self._state:
            self._skip_pooler()
            pooler: Linear | None = self._linear("classifier.dense", prefix="")
            return SequenceHead(
                pooler=pooler,
                pooler_activation="tanh",
                output=self._linear("classifier.out_proj", prefix=""),
            )
        if "classifier.weight" not in self._state:
            raise CheckpointError(
                f"{self._where} has no classifier.weight; expected a model fine-tuned for "
                f"sequence classification, not a pre-trained one or one of another task"
            )
        pooler = self._linear("pooler.dense") if self._has("pooler.dense.weight") else None
        return SequenceHead(
            pooler=pooler,
            pooler_activation=self._config.pooler_activation,
            output=self._linear("classifier", prefix=""),
        )

    def _skip_pooler(self) -> None:
        self._used.update(f"{self._prefix}pooler.dense.{part}" for part in ("weight", "bias"))

    def _has(self, name: str) -> bool:
        return f"{self._prefix}{name}" in self._state

    def _array(self, name: str) -> Float32:
        if name not in self._state:
            raise CheckpointError(
                f"{self._where} has no array {name!r}; expected an encoder of the BERT family as "
                f"{self._scheme.framework} saves it"
            )
        self._used.add(name)
        return self._state[name]

    def _linear(self, name: str, prefix: str | None = None) -> Linear:
        base = f"{self._prefix if prefix is None else prefix}{name}"
        weight = self._array(f"{base}.weight")
        weight = weight.T if self._scheme.linear_is_transposed else weight
        return Linear(weight=weight, bias=self._array(f"{base}.bias"))

    def _norm(self, name: str) -> Norm:
        return Norm(
            scale=self._array(f"{self._prefix}{name}.weight"),
            bias=self._array(f"{self._prefix}{name}.bias"),
            epsilon=self._config.layer_norm_eps,
        )
