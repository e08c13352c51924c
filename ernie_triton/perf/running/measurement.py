"""Measure one subject under one load, watching the machine and checking answers."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from ernie_triton.client.statistics import StageCounts
from ernie_triton.perf.analyzer.generator import (
    AnalyzerLapseError,
    AnalyzerOutcome,
    LoadGenerator,
    ShortWindowError,
    Windows,
    options_for,
)
from ernie_triton.perf.analyzer.output import AnalyzerFigures
from ernie_triton.perf.analyzer.program import AnalyzerRun
from ernie_triton.perf.analyzer.texts import TextRow
from ernie_triton.perf.analyzer.watch import Sighting, Watch
from ernie_triton.perf.results import CONCURRENCY, Measurement, RequestLoad
from ernie_triton.perf.running.checker import Check, Checked, Checker
from ernie_triton.perf.running.scenario import Stability
from ernie_triton.perf.running.stability import not_settled, reasons
from ernie_triton.perf.running.target import ServedSubject, stage_times

_POLL_S = 0.1
_MORE_TRIES = 3
_LONGER_FACTOR = 4.0
_BACKGROUND_FACTOR = 1.25
"""Windows of background streams are longer, so that they last until the last measured window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A load and the rows that it sends."""

    load: RequestLoad
    rows: Sequence[TextRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """Settings that all measurements of a subject share.

    Attributes:
        target: the subject.
        check: of answers.
        windows: of perf_analyzer.
        stability: the limits.
        still_serving: raises ServerError where the server has ended.
    """

    target: ServedSubject
    check: Check
    windows: Windows
    stability: Stability
    still_serving: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    outcomes: Sequence[AnalyzerOutcome]
    sighting: Sighting
    checked: Checked


def measure_streams(procedure: Procedure, streams: Sequence[Stream]) -> list[Measurement]:
    """Send streams at once, and take one measurement of each; the first stream starts last.

    Raises:
        WrongAnswerError: an answer under load differs from its solo answer.
        AnalyzerError: perf_analyzer failed, as it does when a request is refused.
        ClientError: the server is away.
        ServerError: the server that this run started has ended.
    """
    again = None
    # Poisson arrivals settle by chance only, and streams that run at once must start at once.
    is_fixed = len(streams) > 1 or streams[0].load.mode != CONCURRENCY
    before, seen = _run_long_enough(_unsettled(procedure) if is_fixed else procedure, streams)
    if any(outcome.figures is None for outcome in seen.outcomes):
        again = not_settled(seen.outcomes[0].windows, procedure.windows.settle_percent or 0.0)
        before, seen = _run_long_enough(_unsettled(procedure), streams)
    after = procedure.target.counts()
    stages = {name: stage_times(counts.since(before[name])) for name, counts in after.items()}
    measurements = []
    for stream, outcome in zip(streams, seen.outcomes, strict=True):
        if outcome.figures is not None:
            found = _measurement(procedure, stream.load, outcome.figures, seen)
            unstable = (again, *found.unstable) if again else found.unstable
            measurements.append(dataclasses.replace(found, stages=stages, unstable=unstable))
    return measurements


def warm_up_model(procedure: Procedure, stream: Stream, seconds: float) -> None:
    """Load the model without taking a figure.

    A failure here is ignored: the measurement fails in the same way and reports it.
    """
    windows = Windows(seconds=max(seconds / 3, 0.2))
    with contextlib.suppress(ShortWindowError, AnalyzerLapseError):
        _run(dataclasses.replace(procedure, windows=windows), [stream])


def _unsettled(procedure: Procedure) -> Procedure:
    """Accept the first three windows with any difference."""
    return dataclasses.replace(procedure, windows=Windows(seconds=procedure.windows.seconds))


def _run_long_enough(
    procedure: Procedure, streams: Sequence[Stream]
) -> tuple[Mapping[str, StageCounts], _Seen]:
    """Run, with longer windows where no request fits; the counts are the stages' before it."""
    for _ in range(_MORE_TRIES):
        before = procedure.target.counts()
        try:
            return before, _run(procedure, streams)
        except AnalyzerLapseError:
            continue
        except ShortWindowError:
            windows = procedure.windows
            longer = dataclasses.replace(windows, seconds=windows.seconds * _LONGER_FACTOR)
            procedure = dataclasses.replace(procedure, windows=longer)
    return procedure.target.counts(), _run(procedure, streams)


def _run(procedure: Procedure, streams: Sequence[Stream]) -> _Seen:
    target = procedure.target
    with ExitStack() as stack:
        watch = Watch(target.url, target.server_pid)
        checker = Checker(procedure.check)
        stack.enter_context(checker)
        with watch, ExitStack() as generators:
            started: list[LoadGenerator] = []
            for stream in reversed(streams):
                is_background = stream is not streams[0]
                run = _analyzer_run(target, stream, procedure.windows, is_background=is_background)
                started.insert(0, generators.enter_context(LoadGenerator(run)))
            for generator in started:
                while generator.is_running(_POLL_S) and not checker.found.difference:
                    procedure.still_serving()
            checker.found.raise_difference()
            outcomes = [generator.outcome() for generator in started]
    checker.found.raise_difference()
    return _Seen(outcomes=outcomes, sighting=watch.sighting, checked=checker.found)


def _analyzer_run(
    target: ServedSubject, stream: Stream, windows: Windows, *, is_background: bool
) -> AnalyzerRun:
    if is_background:
        windows = dataclasses.replace(windows, seconds=windows.seconds * _BACKGROUND_FACTOR)
    return AnalyzerRun(
        url=target.url,
        model=target.subject.model,
        columns=target.columns(stream.rows),
        options=options_for(stream.load, windows),
    )


def _measurement(
    procedure: Procedure, load: RequestLoad, figures: AnalyzerFigures, seen: _Seen
) -> Measurement:
    sighting = seen.sighting
    return Measurement(
        subject=procedure.target.subject,
        load=load,
        qps=figures.rows_per_second / load.batch_size,
        latency=figures.latency,
        server_cores=sighting.server_cores,
        server_memory_bytes=sighting.server_memory_bytes,
        stage_memory_bytes=_by_stage(procedure.target, sighting),
        other_load=sighting.other_cores,
        checked_answers=seen.checked.answers,
        variation=figures.variation,
        unstable=tuple(reasons(procedure.stability, load, figures, sighting, seen.checked)),
    )


def _by_stage(target: ServedSubject, sighting: Sighting) -> dict[str, int]:
    memory = sighting.stage_memory_bytes
    return {name: memory[model] for name, model in target.stages.items() if model in memory}
