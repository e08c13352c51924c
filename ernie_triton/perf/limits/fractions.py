"""Measure peaks, and state results as fractions of them."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ernie_triton.errors import DatasetError
from ernie_triton.model_shapes import FAMILY, Shape
from ernie_triton.perf.limits.arithmetic import mean_text_flops
from ernie_triton.perf.limits.matrix_products import Chain, Part, layer_parts
from ernie_triton.perf.paired import in_turn
from ernie_triton.perf.results import ScenarioRun

_GIGA = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The best speed of one part's products in one precision, in operations per second.

    `lowest` is the best run of the slowest round; it shows how far the machine's speed changed.
    """

    shape: str
    precision: str
    part: str
    inner: int
    outer: int
    flops_per_s: float
    lowest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fraction:
    """A result against the peak of its shape and precision.

    Attributes:
        subject: name of the subject in the result.
        load: the load, as text.
        texts_per_s: measured texts per second.
        text_flops: operations of one text.
        peak_flops_per_s: peak of the linear layers of the shape, in their mix.
        fraction: texts_per_s · text_flops / peak_flops_per_s.
    """

    subject: str
    load: str
    texts_per_s: float
    text_flops: float
    peak_flops_per_s: float
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakOptions:
    """Rows of the products, threads, rounds, and runs of each round."""

    tokens: int
    threads: int
    rounds: int
    runs: int = 5


def measure_peaks(
    shapes: Mapping[str, Shape],
    precisions: Sequence[str],
    options: PeakOptions,
    progress: Callable[[str], None],
) -> list[Peak]:
    """Measure every part of every shape in every precision, in turn.

    Raises:
        EngineError: the processor lacks one of the precisions.
    """
    parts: dict[str, tuple[str, str, Part]] = {}
    chains: dict[str, Callable[[], float]] = {}
    for name, shape in shapes.items():
        for precision in precisions:
            for part in layer_parts(shape):
                key = f"{name} {precision} {part.name}"
                progress(f"compiling {key}")
                chain = Chain(part, precision, tokens=options.tokens, threads=options.threads)
                parts[key] = (name, precision, part)
                chains[key] = _best_of(chain, options.runs)
    figures = in_turn(chains, options.rounds, progress)
    return [
        Peak(
            shape=name,
            precision=precision,
            part=part.name,
            inner=part.inner,
            outer=part.outer,
            flops_per_s=max(figures[key]),
            lowest=min(figures[key]),
        )
        for key, (name, precision, part) in parts.items()
    ]


def mixed_peak(peaks: Sequence[Peak], shape: Shape, name: str, precision: str) -> float | None:
    """Return the speed of a layer's products in their mix: all operations over all time.

    None where the peaks of the shape and precision were not measured.
    """
    flops = time_s = 0.0
    for part in layer_parts(shape):
        found = [
            peak.flops_per_s
            for peak in peaks
            if (peak.shape, peak.precision, peak.part) == (name, precision, part.name)
        ]
        if not found:
            return None
        flops += part.flops_per_token
        time_s += part.flops_per_token / found[0]
    return flops / time_s


def fractions_of(
    run: ScenarioRun, peaks: Sequence[Peak], lengths: Sequence[int], *, labels: int
) -> list[Fraction]:
    """Compare each measurement with the peak of its shape and precision, where there is one.

    Args:
        run: finished measurements.
        peaks: of the run's machine.
        lengths: tokens of the texts that the run sent, or of texts like them.
        labels: outputs of the classifier.

    Raises:
        DatasetError: no measurement has a shape and precision with a peak.
    """
    fractions = []
    for measurement in run.measurements:
        subject, load = measurement.subject, measurement.load
        shape = FAMILY.get(subject.shape)
        peak = mixed_peak(peaks, shape, subject.shape, subject.precision) if shape else None
        if shape is None or peak is None:
            continue
        flops = mean_text_flops(shape, lengths, labels=labels)
        texts_per_s = measurement.qps * load.batch_size
        fractions.append(
            Fraction(
                subject=subject.name,
                load=str(load),
                texts_per_s=texts_per_s,
                text_flops=flops,
                peak_flops_per_s=peak,
                fraction=texts_per_s * flops / peak,
            )
        )
    if not fractions:
        found = sorted({f"{m.subject.shape} {m.subject.precision}" for m in run.measurements})
        raise DatasetError(
            f"no subject of the run has a measured shape and precision; found {', '.join(found)}"
        )
    return fractions


def peaks_table(peaks: Sequence[Peak]) -> str:
    """Write the peaks as a Markdown table."""
    lines = [
        "| shape | precision | products | GFLOP/s, best | slowest round |",
        "|---|---|---|---:|---:|",
    ]
    for peak in peaks:
        products = f"{peak.inner} x {peak.outer}"
        if peak.inner != peak.outer:
            products += " and back"
        lines.append(
            f"| {peak.shape} | {peak.precision} | {peak.part}, {products} | "
            f"{peak.flops_per_s / _GIGA:,.0f} | {peak.lowest / _GIGA:,.0f} |"
        )
    return "\n".join(lines)


def fractions_table(fractions: Sequence[Fraction]) -> str:
    """Write the fractions as a Markdown table."""
    lines = [
        "| subject | load | texts/s | GFLOP of a text | GFLOP/s | of the limit |",
        "|---|---|---:|---:|---:|---:|",
    ]
    lines.extend(
        f"| {one.subject} | {one.load} | {one.texts_per_s:,.1f} | {one.text_flops / _GIGA:.3f} | "
        f"{one.texts_per_s * one.text_flops / _GIGA:,.1f} | {one.fraction:.1%} |"
        for one in fractions
    )
    return "\n".join(lines)


def limit_json(
    peaks: Sequence[Peak], fractions: Sequence[Fraction], facts: Mapping[str, object]
) -> str:
    """Write everything as indented JSON."""
    content = {
        **facts,
        "peaks": [dataclasses.asdict(peak) for peak in peaks],
        "fractions": [dataclasses.asdict(one) for one in fractions],
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _best_of(chain: Chain, runs: int) -> Callable[[], float]:
    return lambda: max(chain.flops_per_s() for _ in range(runs))
