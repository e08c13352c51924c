"""Vary one size at a time around a shape in the middle."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ernie_triton.model_shapes import FAMILY, Shape
from ernie_triton.perf.limits.arithmetic import text_flops

_LABELS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A model and its batch: rows of equal length in tokens."""

    shape: Shape
    tokens: int
    rows: int

    @property
    def flops(self) -> int:
        """Operations of a run."""
        return self.rows * text_flops(self.shape, tokens=self.tokens, labels=_LABELS)

    @property
    def layer_tokens(self) -> int:
        """Tokens of a run, counted once for each layer."""
        return self.shape.layers * self.rows * self.tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One varied size: its name, the label of its axis, and a point for each value."""

    name: str
    axis: str
    points: Mapping[int, Point]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The shape in the middle, and the values of each size."""

    middle: Point
    tokens: Sequence[int]
    rows: Sequence[int]
    layers: Sequence[int]
    widths: Sequence[int]

    def sweeps(self) -> Iterator[Sweep]:
        """Yield every sweep; the heads stay the same, the inner width stays 4 times the width."""
        middle, shape = self.middle, self.middle.shape

        def of_shape(**sizes: int) -> Point:
            return replace(middle, shape=replace(shape, **sizes))

        yield Sweep(
            name="sequence length",
            axis="tokens of a text",
            points={n: replace(middle, tokens=n) for n in self.tokens},
        )
        yield Sweep(
            name="batch",
            axis="texts of a batch",
            points={n: replace(middle, rows=n) for n in self.rows},
        )
        yield Sweep(
            name="layers", axis="layers", points={n: of_shape(layers=n) for n in self.layers}
        )
        yield Sweep(
            name="width",
            axis="width (hidden size)",
            points={n: of_shape(hidden=n, feed_forward=4 * n) for n in self.widths},
        )

    @property
    def longest(self) -> int:
        """Most tokens of a row."""
        return max(*self.tokens, self.middle.tokens)


FULL_PLAN = Plan(
    middle=Point(shape=FAMILY["micro"], tokens=24, rows=16),
    tokens=(8, 16, 24, 32, 64, 128, 256),
    rows=(1, 2, 4, 8, 16, 32, 64),
    layers=(2, 4, 6, 8, 12),
    widths=(192, 312, 384, 576, 768),
)
QUICK_PLAN = Plan(
    middle=Point(shape=Shape(layers=2, hidden=48, heads=12, feed_forward=192), tokens=24, rows=8),
    tokens=(8, 24, 64),
    rows=(1, 8, 16),
    layers=(1, 2),
    widths=(48, 96),
)
