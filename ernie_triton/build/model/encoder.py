"""The weights of a post-norm Transformer encoder of the BERT family.

Sizes are those of the arrays, layer by layer, so that pruned models need nothing special.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace

import numpy as np

from ernie_triton.arrays import Float32
from ernie_triton.errors import CheckpointError

ACTIVATIONS = ("gelu", "gelu_tanh", "relu", "tanh", "identity")
"""Activation names of the canonical graph; `gelu` is the exact one (erf)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linear:
    """`x @ weight + bias`, with weight float32 [inputs, outputs] and bias float32 [outputs]."""

    weight: Float32
    bias: Float32

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.bias.shape != self.weight.shape[1:]:
            raise CheckpointError(
                f"a linear layer has a weight of shape {list(self.weight.shape)} and a bias of "
                f"shape {list(self.bias.shape)}; expected [inputs, outputs] and [outputs]"
            )

    @property
    def inputs(self) -> int:
        """Number of input features."""
        return int(self.weight.shape[0])

    @property
    def outputs(self) -> int:
        """Number of output features."""
        return int(self.weight.shape[1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Norm:
    """Layer normalisation over the last dimension; scale and bias are float32 [hidden]."""

    scale: Float32
    bias: Float32
    epsilon: float

    def __post_init__(self) -> None:
        if self.scale.ndim != 1 or self.bias.shape != self.scale.shape:
            raise CheckpointError(
                f"a normalisation has a scale of shape {list(self.scale.shape)} and a bias of "
                f"shape {list(self.bias.shape)}; expected [hidden] for both"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """One post-norm layer: attention, add and norm, feed-forward, add and norm.

    The head size is `query.outputs // heads`; after pruning `heads * head_size` is less than the
    hidden size. Attention scores are scaled by `1 / sqrt(head_size)`.
    """

    query: Linear
    key: Linear
    value: Linear
    attention_output: Linear
    attention_norm: Norm
    intermediate: Linear
    output: Linear
    output_norm: Norm
    heads: int

    def __post_init__(self) -> None:
        width = self.query.outputs
        if not (width == self.key.outputs == self.value.outputs == self.attention_output.inputs):
            raise CheckpointError(
                f"an attention layer's projections disagree: query {width}, "
                f"key {self.key.outputs}, value {self.value.outputs} outputs, "
                f"attention output {self.attention_output.inputs} inputs"
            )
        if self.heads < 1 or width % self.heads:
            raise CheckpointError(
                f"{width} attention features do not divide into {self.heads} heads"
            )
        if self.intermediate.outputs != self.output.inputs:
            raise CheckpointError(
                f"a feed-forward layer widens to {self.intermediate.outputs} features but narrows "
                f"from {self.output.inputs}"
            )
        linears = (self.query, self.key, self.value, self.intermediate)
        widths = {linear.inputs for linear in linears}
        widths |= {self.attention_output.outputs, self.output.outputs}
        widths |= {len(self.attention_norm.scale), len(self.output_norm.scale)}
        if len(widths) != 1:
            raise CheckpointError(
                f"the parts of a layer take token vectors of different widths: {sorted(widths)}"
            )

    @property
    def hidden(self) -> int:
        """Width of the token vectors that it reads and returns."""
        return self.query.inputs

    @property
    def head_size(self) -> int:
        """Features of one attention head."""
        return self.query.outputs // self.heads


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendedPadding:
    """Padding that tokens attend to, and that one token at the end of each row stands for.

    PaddleNLP trained and runs UIE-M on rows of one length, without a mask of the padding: all of it
    is at the first position, so its tokens are equal to each other in every layer. One of them with
    the weight of all has the same effect.

    Attributes:
        token_id: of the token that stands for the padding.
        unseen_id: tokens with this id are masked in attention; PaddleNLP takes 0 for padding there,
            which is `[CLS]`.
        row_tokens: tokens of a row with its padding.
    """

    token_id: int
    unseen_id: int
    row_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoder:
    """Embeddings and layers.

    Attributes:
        word: float32 [vocabulary, hidden], or as wide as `projection` takes them.
        position: float32 [positions, hidden], from the first token's position on.
        token_type: float32 [types, hidden]; a task type embedding is already added to every row.
        embedding_norm: normalises the sum of the three.
        projection: from embeddings of another width to the layers'; None where they have theirs.
        layers: from the first on.
        activation: activation of the feed-forward layers, one of `ACTIVATIONS`.
        pad_token_id: tokens with this id are masked in attention.
        padding: a model that attends to padding; None for others.
    """

    word: Float32
    position: Float32
    token_type: Float32
    embedding_norm: Norm
    layers: tuple[Layer, ...]
    activation: str
    pad_token_id: int
    projection: Linear | None = None
    padding: AttendedPadding | None = None

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise CheckpointError(
                f"the activation {self.activation!r} is not one of {', '.join(ACTIVATIONS)}"
            )
        if not self.layers:
            raise CheckpointError("the encoder has no layers")
        for name in ("word", "position", "token_type"):
            shape = getattr(self, name).shape
            if len(shape) != 2 or shape[1] != self.word.shape[-1]:
                raise CheckpointError(
                    f"the {name} embeddings have the shape {list(shape)}; expected a row a token, "
                    f"as wide as the word embeddings of shape {list(self.word.shape)}"
                )
        width = int(self.word.shape[1])
        layers = [layer.hidden for layer in self.layers]
        if self.projection is not None:
            layers.append(self.projection.outputs)
        taken = [self.projection.inputs] if self.projection is not None else layers
        widths = [len(self.embedding_norm.scale), *taken]
        if set(widths) != {width} or len(set(layers)) != 1:
            raise CheckpointError(
                f"the embeddings are {width} wide, but their normalisation and the layers "
                f"take vectors of {[widths[0], *layers]}"
            )

    @property
    def hidden(self) -> int:
        """Width of the token vectors."""
        return self.layers[0].hidden

    @property
    def vocabulary_size(self) -> int:
        """Rows of the word embedding table."""
        return int(self.word.shape[0])

    @property
    def max_positions(self) -> int:
        """Maximum length of a text in tokens."""
        return int(self.position.shape[0])


def with_attended_padding(encoder: Encoder) -> Encoder:
    """Return the encoder with a token behind its vocabulary that stands for padding."""
    return replace(
        encoder,
        word=np.concatenate([encoder.word, encoder.word[encoder.pad_token_id, None]]),
        padding=AttendedPadding(
            token_id=encoder.vocabulary_size, unseen_id=0, row_tokens=encoder.max_positions
        ),
    )


def named_arrays(part: object, prefix: str = "") -> Iterator[tuple[str, Float32]]:
    """Iterate over the weights of a model, or of a part, with dotted names in a fixed order."""
    if isinstance(part, np.ndarray):
        yield prefix, part
    elif isinstance(part, tuple):
        for index, item in enumerate(part):
            yield from named_arrays(item, f"{prefix}.{index}")
    elif is_dataclass(part):
        for field in fields(part):
            name = f"{prefix}.{field.name}" if prefix else field.name
            yield from named_arrays(getattr(part, field.name), name)
