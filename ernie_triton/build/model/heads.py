"""The heads of the tasks: the last layers, from hidden states to scores or vectors."""

from dataclasses import dataclass

from ernie_triton.build.model.encoder import ACTIVATIONS, Linear, Norm
from ernie_triton.errors import CheckpointError
from ernie_triton.tasks import pooling_parts

DENSE_ACTIVATIONS = (*ACTIVATIONS, "sigmoid")
"""Activations of a layer behind the pooling."""
POOLER_ACTIVATIONS = (*ACTIVATIONS, "tanh_relu")
"""Activations between a pooler and the scores; `tanh_relu` is one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SequenceHead:
    """Scores of a text from its first token: an optional pooler with activation, then `output`."""

    pooler: Linear | None
    pooler_activation: str
    output: Linear

    def __post_init__(self) -> None:
        if self.pooler_activation not in POOLER_ACTIVATIONS:
            raise CheckpointError(
                f"the pooler's activation {self.pooler_activation!r} is not one of "
                f"{', '.join(POOLER_ACTIVATIONS)}"
            )
        if self.pooler is not None and self.pooler.outputs != self.output.inputs:
            raise CheckpointError(
                f"the pooler gives {self.pooler.outputs} features but the classifier takes "
                f"{self.output.inputs}"
            )

    @property
    def features(self) -> int | None:
        """Width of the hidden states that it reads; None for any."""
        return (self.pooler or self.output).inputs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChoiceHead(SequenceHead):
    """One score of a text with one of its options, for a softmax over all options."""

    def __post_init__(self) -> None:
        SequenceHead.__post_init__(self)
        if self.output.outputs != 1:
            raise CheckpointError(
                f"the classifier of multiple choice has {self.output.outputs} outputs; expected "
                f"one score of each option"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenHead:
    """Scores of every token: `output` on its vector."""

    output: Linear

    @property
    def features(self) -> int | None:
        """Width of the hidden states that it reads; None for any."""
        return self.output.inputs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpanHead:
    """Start and end scores of an answer at each token: the two columns of `output`."""

    output: Linear

    def __post_init__(self) -> None:
        if self.output.outputs != 2:
            raise CheckpointError(
                f"the answer layer has {self.output.outputs} outputs; expected 2, start and end"
            )

    @property
    def features(self) -> int | None:
        """Width of the hidden states that it reads; None for any."""
        return self.output.inputs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PointerHead(SpanHead):
    """Start and end scores of any number of spans at each token, each for a sigmoid of its own."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskedHead:
    """Scores of the vocabulary's tokens in the place of one token: a layer, a norm, `output`.

    `mask_id` marks that token. It is the vocabulary's, so weights alone do not tell it.
    """

    transform: Linear
    activation: str
    norm: Norm
    output: Linear
    mask_id: int = -1

    @property
    def features(self) -> int | None:
        """Width of the hidden states that it reads; None for any."""
        return self.transform.inputs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dense:
    """A linear layer behind the pooling, and its activation, one of `DENSE_ACTIVATIONS`."""

    linear: Linear
    activation: str

    def __post_init__(self) -> None:
        if self.activation not in DENSE_ACTIVATIONS:
            raise CheckpointError(
                f"the activation {self.activation!r} of a dense layer is not one of "
                f"{', '.join(DENSE_ACTIVATIONS)}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitLength:
    """Scaling of a vector to length 1, as torch does it: lengths below 1e-12 count as that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The first `width` features of a vector, for models trained so (Matryoshka)."""

    width: int


VectorLayer = Dense | Norm | UnitLength | Cut


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VectorHead:
    """A vector per text: pooled from the tokens' vectors or the `pooler`'s, then the `layers`.

    `pooling` is one of `ernie_triton.tasks.POOLINGS`, or several joined by `+`.
    """

    pooling: str
    pooler: Linear | None
    pooler_activation: str
    layers: tuple[VectorLayer, ...] = ()

    def __post_init__(self) -> None:
        if self.poolings == ("pooler",) and self.pooler is None:
            raise CheckpointError("pooling is 'pooler', but the model has no pooler")

    @property
    def poolings(self) -> tuple[str, ...]:
        """The poolings whose vectors are put side by side."""
        return pooling_parts(self.pooling)

    @property
    def features(self) -> int | None:
        """Width of the hidden states that it reads; None for any."""
        return self.pooler.inputs if self.pooler is not None else None

    def width(self, hidden: int) -> int:
        """Return the width of its vectors, from that of the hidden states.

        Raises:
            CheckpointError: a layer takes vectors of another width than it is given.
        """
        width = self.pooler.outputs if self.pooler and self.pooling == "pooler" else hidden
        width *= len(self.poolings)
        for layer in self.layers:
            taken = _taken(layer)
            if taken is not None and taken != width:
                raise CheckpointError(
                    f"a {type(layer).__name__} layer behind the pooling {self.pooling} takes "
                    f"{taken} features, but is given {width}"
                )
            if isinstance(layer, Dense):
                width = layer.linear.outputs
            elif isinstance(layer, Cut):
                width = min(width, layer.width)
        return width


def _taken(layer: VectorLayer) -> int | None:
    """Return the features that a layer takes; None for any."""
    if isinstance(layer, Dense):
        return layer.linear.inputs
    return len(layer.scale) if isinstance(layer, Norm) else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LexicalHead(TokenHead):
    """The weight of every token: the one column of `output`, where it is above 0."""

    def __post_init__(self) -> None:
        if self.output.outputs != 1:
            raise CheckpointError(
                f"the layer of token weights has {self.output.outputs} outputs; expected 1"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenVectorHead(TokenHead):
    """A vector of every token, for late interaction: `output` on the token's own.

    `skipped` tokens at the beginning of a text have no vector in its answer.
    """

    skipped: int = 0


Head = (
    SequenceHead
    | ChoiceHead
    | TokenHead
    | SpanHead
    | PointerHead
    | VectorHead
    | MaskedHead
    | LexicalHead
    | TokenVectorHead
)

HEAD_NAMES = {
    SequenceHead: "sequence",
    ChoiceHead: "choice",
    TokenHead: "token",
    SpanHead: "span",
    PointerHead: "pointer",
    VectorHead: "vector",
    MaskedHead: "masked",
    LexicalHead: "lexical",
    TokenVectorHead: "token_vector",
}
"""Their names in `Task.head`."""
