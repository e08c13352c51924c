"""The shapes that a plan is built for: all that the tokenizer stage may emit, best at the usual."""

from collections.abc import Mapping
from dataclasses import dataclass

from ernie_triton.batch import columns_for
from ernie_triton.pipeline import SHORTEST_TEXT_TOKENS, PipelineSpec
from ernie_triton.tasks import LENGTHS, WIDTH, task_named

USUAL_ROWS = 16
USUAL_TOKENS = 32

_Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeRange:
    """The smallest, the most used and the largest shape of one input."""

    least: _Shape
    usual: _Shape
    most: _Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineShapes:
    """The shapes of the batches that a pipeline's engine has to run.

    Attributes:
        layout: `packed` or `padded`.
        max_rows: most rows of one run.
        max_length: most tokens of one row.
        usual_rows: rows of the batch that is to be fastest.
        usual_tokens: tokens of each of its rows, where they are packed.
    """

    layout: str
    max_rows: int
    max_length: int
    usual_rows: int
    usual_tokens: int

    @property
    def usual(self) -> tuple[int, int]:
        """The usual rows and tokens within what is allowed.

        Padded rows are always full: the tokenizer stage pads those of GPU engines to the longest.
        """
        rows = min(max(self.usual_rows, 1), self.max_rows)
        if self.layout == "padded":
            return rows, self.max_length
        return rows, min(max(self.usual_tokens, SHORTEST_TEXT_TOKENS), self.max_length)


def pipeline_shapes(spec: PipelineSpec, *, rows: int = 0, tokens: int = 0) -> EngineShapes:
    """The load of a pipeline.

    Args:
        spec: the pipeline.
        rows: of the usual batch; 0 for 16.
        tokens: of its rows; 0 for 32, or full windows where the task has them.
    """
    windows = task_named(spec.task).has_windows
    return EngineShapes(
        layout=spec.layout,
        max_rows=spec.max_stage_rows,
        max_length=spec.max_length,
        usual_rows=rows or USUAL_ROWS,
        usual_tokens=tokens or (spec.max_length if windows else USUAL_TOKENS),
    )


def profile_of(shapes: EngineShapes, inputs: Mapping[str, _Shape]) -> dict[str, ShapeRange]:
    """The range of shapes of each input.

    Packed, tokens go from one row of the shortest text to every row at full length, and items from
    1 to all; the rows' lengths are values, which need no range. The width is what Triton makes of a
    request, or a row of ours, rounded up. Padded, so do rows and columns.

    Args:
        shapes: the shapes that the engine has to run.
        inputs: names and shapes of the graph's inputs, -1 where free.
    """
    rows, tokens = shapes.usual
    tokens_range = ShapeRange(
        least=(SHORTEST_TEXT_TOKENS,),
        usual=(rows * tokens,),
        most=(shapes.max_rows * shapes.max_length,),
    )
    items_range = ShapeRange(least=(1,), usual=(rows,), most=(shapes.max_rows,))
    width_range = ShapeRange(
        least=(SHORTEST_TEXT_TOKENS,),
        usual=(tokens,),
        most=(columns_for(shapes.max_length) * shapes.max_rows,),
    )
    rectangle = ShapeRange(
        least=(1, SHORTEST_TEXT_TOKENS),
        usual=(rows, tokens),
        most=(shapes.max_rows, shapes.max_length),
    )
    if shapes.layout == "padded":
        return dict.fromkeys(inputs, rectangle)
    others = {LENGTHS: items_range, WIDTH: width_range}
    return {name: others.get(name, tokens_range) for name in inputs}
