"""The heads of the tasks: the last layers, from hidden states to scores or vectors."""

from dataclasses import dataclass

from ernie_triton.build.model.encoder import ACTIVATIONS, Linear
from ernie_triton.errors import CheckpointError
from ernie_triton.tasks import POOLINGS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SequenceHead:
    """Scores of a text from its first token: an optional pooler with activation, then `output`."""

    pooler: Linear | None
    pooler_activation: str
    output: Linear

    def __post_init__(self) -> None:
        if self.pooler_activation not in ACTIVATIONS:
            raise CheckpointError(
                f"the pooler's activation {self.pooler_activation!r} is not one of "
                f"{', '.join(ACTIVATIONS)}"
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
class VectorHead:
    """A vector per text: the first token's (`cls`), the mean of all (`mean`), or the `pooler`'s."""

    pooling: str
    pooler: Linear | None
    pooler_activation: str

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise CheckpointError(f"pooling is {self.pooling!r}; expected {', '.join(POOLINGS)}")
        if self.pooling == "pooler" and self.pooler is None:
            raise CheckpointError("pooling is 'pooler', but the model has no pooler")

    @property
    def features(self) -> int | None:
        """Width of the hidden states that it reads; None for any."""
        return self.pooler.inputs if self.pooler is not None else None


Head = SequenceHead | TokenHead | SpanHead | VectorHead

HEAD_NAMES = {
    SequenceHead: "sequence",
    TokenHead: "token",
    SpanHead: "span",
    VectorHead: "vector",
}
"""Their names in `Task.head`."""
