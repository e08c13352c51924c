"""Measure a whole scenario: each subject on its server, each load in turn."""

import dataclasses
import datetime
from collections.abc import Callable
from typing import TypeVar

from ernie_triton.perf.analyzer.generator import Windows
from ernie_triton.perf.analyzer.program import analyzer_version
from ernie_triton.perf.analyzer.watch import is_local
from ernie_triton.perf.machine import machine_facts, project_commit
from ernie_triton.perf.results import Measurement, ScenarioRun, Subject
from ernie_triton.perf.running.scenario import LoadSpec, Scenario
from ernie_triton.perf.running.server import ServingPlace, served
from ernie_triton.perf.running.session import Session, token_words
from ernie_triton.perf.running.stability import SHORTENED
from ernie_triton.perf.running.target import connected

_Level = TypeVar("_Level", int, float)

_QUICK_WINDOW_S = 0.25
_QUICK_WARM_UP_S = 0.6


def run_scenario(
    scenario: Scenario,
    name: str,
    place: ServingPlace,
    *,
    quick: bool,
    progress: Callable[[str], None],
) -> ScenarioRun:
    """Measure everything that a scenario names.

    Args:
        scenario: subjects, texts and loads.
        name: of the run.
        place: of the models.
        quick: measure each load's first and last level alone, in short windows, and mark the
            figures as unstable.
        progress: receives lines of progress.

    Raises:
        WrongAnswerError: an answer under load differs from its solo answer.
        ClientError: the server is away, lacks a model, or a model is of another task.
        ServerError: the embedded server did not start, or ended.
        MissingExtraError: perf_analyzer, or the server's wheel, is not installed.
    """
    client = f"perf_analyzer {analyzer_version()}"
    started_at = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    part = _Part(shortened(scenario) if quick else scenario, place, progress, quick=quick)
    for number, subject in enumerate(scenario.subjects, 1):
        progress(f"{subject.name} ({subject.model}), {number} of {len(scenario.subjects)}")
        part.measure(subject)
    is_here = not place.url or is_local(place.url)
    return ScenarioRun(
        scenario=name,
        title=scenario.title,
        texts=str(scenario.texts),
        client=f"{client}, {'same' if is_here else 'another'} machine",
        server=part.server,
        machine=machine_facts(),
        commit=project_commit(),
        started_at=started_at,
        measurements=tuple(part.measurements),
        failures=tuple(part.failures),
    )


def shortened(scenario: Scenario) -> Scenario:
    """Keep the first and the last of each load's levels and batch sizes, in short windows."""
    measuring = dataclasses.replace(
        scenario.measuring, window_s=_QUICK_WINDOW_S, warm_up_s=_QUICK_WARM_UP_S
    )
    loads = tuple(map(_with_ends, scenario.loads))
    return dataclasses.replace(scenario, loads=loads, measuring=measuring)


class _Part:
    """Measurements so far, subject by subject."""

    def __init__(
        self,
        scenario: Scenario,
        place: ServingPlace,
        progress: Callable[[str], None],
        *,
        quick: bool,
    ) -> None:
        self._scenario = scenario
        self._place = place
        self._progress = progress
        self._is_quick = quick
        self.measurements: list[Measurement] = []
        self.failures: list[str] = []
        self.server = ""

    def measure(self, subject: Subject) -> None:
        """Add a subject's measurements and failures."""
        scenario = self._scenario
        with (
            served(self._place, subject.model) as serving,
            connected(serving, subject, scenario.kind, pair=scenario.pair) as target,
        ):
            self.server = f"Triton {target.server_version} at {self._place.url or 'this machine'}"
            if words := token_words(scenario, target):
                self._progress(words)
            session = Session(
                scenario,
                target,
                windows=self._windows(),
                still_serving=serving.still,
                progress=self._progress,
            )
            for found in session.measurements(scenario.loads):
                self.measurements.append(self._marked(found))
            self.failures += session.failures

    def _windows(self) -> Windows:
        measuring = self._scenario.measuring
        if self._is_quick:
            return Windows(seconds=measuring.window_s)
        return Windows(
            seconds=measuring.window_s,
            settle_percent=self._scenario.stability.variation_percent,
            most=measuring.most_windows,
        )

    def _marked(self, found: Measurement) -> Measurement:
        if not self._is_quick:
            return found
        return dataclasses.replace(found, unstable=(SHORTENED, *found.unstable))


def _with_ends(spec: LoadSpec) -> LoadSpec:
    return dataclasses.replace(
        spec,
        concurrency=_ends(spec.concurrency),
        request_rate=_ends(spec.request_rate),
        of_maximum=_ends(spec.of_maximum),
        batch_size=_ends(spec.batch_size),
    )


def _ends(levels: tuple[_Level, ...]) -> tuple[_Level, ...]:
    return levels if len(levels) < 2 else (levels[0], levels[-1])
