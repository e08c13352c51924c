"""Turn the figures of the shapes, of the way around an engine and of the tokenizer into goals."""

from collections.abc import Mapping, Sequence

from ernie_triton.perf.floor.repository import ONE_STAGE, THREE_STAGES
from ernie_triton.perf.goals.alone import CHOSEN, TIMED_ROWS, engines_of, figure_name
from ernie_triton.perf.goals.around import JOINED
from ernie_triton.perf.goals.models import ENSEMBLE, FULL_PRECISION, REDUCED_PRECISIONS
from ernie_triton.perf.goals.serving import LONG_SHARE, OF_MAXIMUM, ShapeFigures
from ernie_triton.perf.goals.table import Goal
from ernie_triton.perf.paired import Figures, Spread, paired_ratio, spread

_MIB = 1024 * 1024
_PAYS = 1.1
"""A precision that costs accuracy should be faster by this much at least."""
_NATIVE_BOUNDS: Mapping[tuple[str, str], tuple[float, float | None]] = {
    ("medium", "int8"): (5.0, 6.0),
    ("medium", "bf16"): (3.5, None),
    ("nano", "int8"): (2.5, 3.0),
    ("nano", "bf16"): (2.5, 3.0),
}
"""Bound and aim over the baseline by shape and precision, where the processor has its products."""
_OTHER_BOUND = (1.6, 2.0)
"""The same of FP32, and where the processor has no such products."""


def goals_from(
    shapes: Mapping[str, ShapeFigures],
    around: Figures,
    tokenizer: Mapping[str, Spread],
    native: Sequence[str],
) -> tuple[Goal, ...]:
    """Make every goal; those of a precision that was left out are left out too.

    Args:
        shapes: figures of `medium` and `nano`.
        around: CPU microseconds of a request around an engine.
        tokenizer: our tokenizer's speed over the library's, by kind of text.
        native: the reduced precisions that the processor multiplies natively.
    """
    goals: list[Goal] = []
    for name, shape in shapes.items():
        goals += [_over_baseline(name, shape, kind, native) for kind in shape.facts]
        goals += [_choice(name, shape, rows) for rows in TIMED_ROWS]
        goals += _of_peak(name, shape) if name == "medium" else _added(name, shape)
        goals += _tails(name, shape)
        goals += [_memory(name, shape, kind) for kind in shape.facts if _has_memory(shape, kind)]
    goals += [_around(around, JOINED, ONE_STAGE, 400), _around(around, ENSEMBLE, THREE_STAGES, 900)]
    return (*goals, _tokenizer("plain", tokenizer, 28.0), _tokenizer("mixed", tokenizer, 4.0))


def precision_advice(shapes: Mapping[str, ShapeFigures]) -> str:
    """Say which precision pays on this processor, from the requests/s of joined pipelines."""
    sentences = []
    for name, shape in shapes.items():
        for kind in REDUCED_PRECISIONS:
            if kind in shape.facts:
                ratio = paired_ratio(shape.figures[f"{kind} qps"], shape.figures["fp32 qps"])
                verdict = "it pays" if ratio.median >= _PAYS else "it does not pay"
                sentences.append(
                    f"{name.capitalize()} in {kind.upper()} answers {ratio.text('x')} as many "
                    f"requests/s as in FP32: {verdict} on this processor."
                )
    return " ".join(sentences)


def _kind_name(shape: str, kind: str) -> str:
    """Name a pipeline: `Medium INT8 joined`, `Nano FP32 ensemble`."""
    if kind == ENSEMBLE:
        return f"{shape.capitalize()} {FULL_PRECISION.upper()} ensemble"
    return f"{shape.capitalize()} {kind.upper()} joined"


def _over_baseline(name: str, shape: ShapeFigures, kind: str, native: Sequence[str]) -> Goal:
    ours, theirs = shape.figures[f"{kind} qps"], shape.figures["baseline qps"]
    bound, aim = _NATIVE_BOUNDS[name, kind] if kind in native else _OTHER_BOUND
    return Goal(
        name=f"{_kind_name(name, kind)}, requests/s at concurrency 32 over the baseline's",
        figure=paired_ratio(ours, theirs),
        unit="x",
        bound=bound,
        kind="least",
        aim=aim,
        note=f"{shape.facts[kind].engine}; {spread(ours).median:,.0f} against "
        f"{spread(theirs).median:,.0f}",
    )


def _choice(name: str, shape: ShapeFigures, rows: int) -> Goal:
    """Compare the engine that was chosen with the best of the other FP32 ones."""
    chosen = shape.figures[figure_name(CHOSEN, rows)]
    ratios = {
        kind: paired_ratio(chosen, shape.figures[figure_name(kind, rows)])
        for kind in engines_of(shape.figures)
    }
    reduced = [kind for kind in ratios if kind in shape.facts]
    best = min((kind for kind in ratios if kind not in reduced), key=lambda k: ratios[k].median)
    also = "".join(f"; {ratios[kind].median:.2f}x of {kind.upper()}" for kind in reduced)
    return Goal(
        name=f"{name.capitalize()} FP32 alone at {rows} row{'s' if rows > 1 else ''}, texts/s of "
        f"the engine that the build chose over the best other",
        figure=ratios[best],
        unit="x",
        bound=0.97,
        kind="least",
        note=f"{shape.facts[FULL_PRECISION].engine} over {best}{also}",
    )


def _of_peak(name: str, shape: ShapeFigures) -> list[Goal]:
    bounds = {"alone": ("alone at 32 rows", 0.85), "served": ("joined, at concurrency 32", 0.75)}
    return [
        Goal(
            name=f"{name.capitalize()} FP32 {where}, of this machine's matrix peak",
            figure=spread(shape.figures[f"peak {kind}"]),
            unit="x",
            bound=bound,
            kind="least",
        )
        for kind, (where, bound) in bounds.items()
    ]


def _added(name: str, shape: ShapeFigures) -> list[Goal]:
    return [
        _at_most(
            f"{_kind_name(name, FULL_PRECISION)}, concurrency 1, median latency above the engine's "
            f"own time after the same pauses",
            shape.figures["added ms"],
            0.7,
            unit=" ms",
        )
    ]


def _tails(name: str, shape: ShapeFigures) -> list[Goal]:
    title = _kind_name(name, FULL_PRECISION)
    return [
        _at_most(
            f"{title}, p99 over the median latency at {OF_MAXIMUM:.0%} of the maximum rate",
            shape.figures["tail"],
            2.5,
        ),
        _at_most(
            f"{title}, p99 of short texts beside {LONG_SHARE:.0%} of 128 tokens over p99 alone",
            shape.figures["mixed"],
            2.0,
        ),
    ]


def _has_memory(shape: ShapeFigures, kind: str) -> bool:
    return bool(shape.figures.get(f"{kind} memory"))


def _memory(name: str, shape: ShapeFigures, kind: str) -> Goal:
    """Compare the resident memory of the stage with the engine with the allowed memory.

    The size of the weights is that of the engine's files, which hold them in its precision.
    """
    figures = shape.figures[f"{kind} memory"]
    allowed = 1.3 * shape.facts[kind].size_bytes + 150e6
    return _at_most(
        f"{_kind_name(name, kind)}, memory of the engine's stage over 1.3 x its weights + 150 MB",
        [memory / allowed for memory in figures],
        1.0,
        note=f"{spread(figures).median / _MIB:,.0f} of {allowed / _MIB:,.0f} MiB",
    )


def _around(figures: Figures, form: str, floor: str, bound: float) -> Goal:
    empty = spread(figures[floor]).median
    stages = "a stage that computes nothing" if floor == ONE_STAGE else "three such stages"
    above = spread(figures[form]).median - empty
    return _at_most(
        f"CPU of a request around the engine at concurrency 32, {form}",
        figures[form],
        bound,
        unit=" µs",
        note=f"Triton with {stages} {empty:,.0f} µs, the rest {above:,.0f} µs",
    )


def _at_most(
    name: str, figures: Sequence[float], bound: float, *, unit: str = "x", note: str = ""
) -> Goal:
    return Goal(name=name, figure=spread(figures), unit=unit, bound=bound, kind="most", note=note)


def _tokenizer(kind: str, ratios: Mapping[str, Spread], bound: float) -> Goal:
    return Goal(
        name=f"Tokenizer, speed on {kind} text in batches of 64 over the `tokenizers` library",
        figure=ratios[kind],
        unit="x",
        bound=bound,
        kind="least",
    )
