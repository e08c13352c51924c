"""Turn the figures of the shapes and of the tokenizer into goals."""

from collections.abc import Mapping, Sequence

from ernie_triton.perf.goals.serving import JOINED, LONG_SHARE, OF_MAXIMUM, ShapeFigures
from ernie_triton.perf.goals.table import Goal
from ernie_triton.perf.paired import Spread, paired_ratio, spread

_MIB = 1024 * 1024


def goals_from(
    shapes: Mapping[str, ShapeFigures], tokenizer: Mapping[str, Spread]
) -> tuple[Goal, ...]:
    """Make every goal; those of a precision that was left out are left out too.

    Args:
        shapes: figures of `medium` and `nano`.
        tokenizer: our tokenizer's speed over the library's, by kind of text.
    """
    medium, nano = shapes["medium"], shapes["nano"]
    return (
        _over_baseline("Medium INT8", medium, "int8", bound=5.0, aim=6.0),
        _of_alone("Medium INT8", medium, "int8"),
        *(
            [_over_baseline("Medium BF16", medium, "bf16", bound=3.5)]
            if "bf16" in medium.facts
            else []
        ),
        _better("Nano", nano, bound=2.5, aim=3.0),
        *_latency("Medium INT8", medium, "int8"),
        *_latency("Nano INT8", nano, "int8"),
        _over_baseline("Medium INT8 joined", medium, JOINED, bound=5.0, aim=6.0),
        _of_alone("Medium INT8 joined", medium, JOINED),
        *_latency("Medium INT8 joined", medium, JOINED),
        _over_baseline("Nano INT8 joined", nano, JOINED, bound=2.5, aim=3.0),
        *_latency("Nano INT8 joined", nano, JOINED),
        *_memory("Medium", medium),
        *_memory("Nano", nano),
        _tokenizer("plain", tokenizer, 28.0),
        _tokenizer("mixed", tokenizer, 3.0),
    )


def _over_baseline(
    name: str, shape: ShapeFigures, kind: str, *, bound: float, aim: float | None = None
) -> Goal:
    """Compare the QPS of a precision, or of `joined`, with the baseline's."""
    return Goal(
        name=f"{name}, QPS at concurrency 32 over the baseline's",
        figure=paired_ratio(shape.figures[f"{kind} qps"], shape.figures["baseline qps"]),
        unit="x",
        bound=bound,
        kind="least",
        aim=aim,
        note=_speeds(shape, kind),
    )


def _better(name: str, shape: ShapeFigures, *, bound: float, aim: float) -> Goal:
    """Compare the precision of the higher median with the baseline."""
    names = " and ".join(precision.upper() for precision in shape.facts)
    title = f"{name}, the better of {names}" if len(shape.facts) > 1 else f"{name} {names}"
    goals = [
        _over_baseline(title, shape, precision, bound=bound, aim=aim) for precision in shape.facts
    ]
    return max(goals, key=lambda goal: goal.figure.median)


def _of_alone(name: str, shape: ShapeFigures, kind: str) -> Goal:
    """Compare the served speed with that of the engine alone."""
    return Goal(
        name=f"{name}, texts/s over those of the engine alone with the same batches",
        figure=paired_ratio(shape.figures[f"{kind} qps"], shape.figures[f"{kind} alone"]),
        unit="x",
        bound=0.85,
        kind="least",
        note=f"mean batch {spread(shape.figures[f'{kind} batch']).median:.1f}",
    )


def _speeds(shape: ShapeFigures, kind: str) -> str:
    ours = spread(shape.figures[f"{kind} qps"]).median
    theirs = spread(shape.figures["baseline qps"]).median
    of = "" if kind == JOINED else f"{kind.upper()} "
    return f"{of}{ours:,.0f} over {theirs:,.0f}"


def _latency(name: str, shape: ShapeFigures, kind: str) -> Sequence[Goal]:
    floor = spread(shape.figures["floor added ms"])
    note = "" if kind == JOINED else f"{floor.median:.2f} ms by three stages that compute nothing"
    return (
        _at_most(
            f"{name}, concurrency 1, median latency above the engine's own time",
            shape.figures[f"{kind} added ms"],
            1.0,
            unit=" ms",
            note=note,
        ),
        _at_most(
            f"{name}, p99 over the median latency at {OF_MAXIMUM:.0%} of the maximum rate",
            shape.figures[f"{kind} tail"],
            3.0,
        ),
        _at_most(
            f"{name}, p99 of short texts beside {LONG_SHARE:.0%} of 128 tokens over p99 alone",
            shape.figures[f"{kind} mixed"],
            2.0,
        ),
    )


def _memory(name: str, shape: ShapeFigures) -> list[Goal]:
    """Compare the engine stage's resident memory with the allowed memory.

    The size of the weights is that of the engine's files, which hold them in its precision.
    """
    goals = []
    for precision, facts in shape.facts.items():
        figures = shape.figures.get(f"{precision} memory")
        if not figures:
            continue
        allowed = 1.3 * facts.size_bytes + 150e6
        goals.append(
            _at_most(
                f"{name} {precision.upper()}, engine stage's memory over 1.3 x its weights "
                f"+ 150 MB",
                [memory / allowed for memory in figures],
                1.0,
                note=f"{spread(figures).median / _MIB:,.0f} of {allowed / _MIB:,.0f} MiB",
            )
        )
    return goals


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
