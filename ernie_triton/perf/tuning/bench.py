"""Measure settings of a pipeline on the real server, one server for each setting."""

import tempfile
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import AnalyzerError
from ernie_triton.perf.analyzer.generator import Windows
from ernie_triton.perf.analyzer.text_spec import TextSpec
from ernie_triton.perf.results import Measurement, Subject
from ernie_triton.perf.running.scenario import LoadSpec, MeasuringTime, Scenario
from ernie_triton.perf.running.server import Serving, ServingPlace, served
from ernie_triton.perf.running.session import Session
from ernie_triton.perf.running.target import connected
from ernie_triton.perf.tuning.affinity import starting_on
from ernie_triton.perf.tuning.repository import lay_out
from ernie_triton.perf.tuning.search import Figure
from ernie_triton.perf.tuning.setting import Setting
from ernie_triton.pipeline import PipelineSpec

_WINDOWS = 3
"""perf_analyzer's least; their mean is the figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """Options that all settings share.

    Attributes:
        spec: the pipeline, already built.
        texts: the texts to send.
        concurrency: requests under way.
        rows: rows of a request.
        cores: cores of each server; perf_analyzer may use all cores.
        warm_up_s: seconds of load before a server's first figure.
    """

    spec: PipelineSpec
    texts: TextSpec
    concurrency: int
    rows: int
    cores: frozenset[int]
    warm_up_s: float


@dataclass(frozen=True, slots=True)
class _Started:
    stack: ExitStack
    serving: Serving
    session: Session


class ServerBench:
    """A context manager that keeps the servers; those without requests only wait.

    Attributes:
        seconds: duration of a figure.
    """

    def __init__(
        self, options: BenchOptions, seconds: float, progress: Callable[[str], None]
    ) -> None:
        self._options = options
        self._progress = progress
        self._load = LoadSpec(concurrency=(options.concurrency,), batch_size=(options.rows,))
        self._started: dict[tuple[Setting, float], _Started] = {}
        self.seconds = seconds

    def __enter__(self) -> "ServerBench":
        return self

    def __exit__(self, *_: object) -> None:
        self.keep(())

    def figure(self, setting: Setting) -> Figure:
        """Measure once, checking answers meanwhile.

        Raises:
            AnalyzerError: perf_analyzer gave no figure.
            ServerError: the server did not start, or ended.
            WrongAnswerError: an answer under load differs from its solo answer.
            ClientError: the server is away or refuses a text.
        """
        session = self._running(setting).session
        found = next(session.measurements([self._load]), None)
        if found is None:
            raise AnalyzerError(session.failures[-1])
        return _figure_of(found, self._options.rows)

    def keep(self, settings: Collection[Setting]) -> None:
        """Stop the servers of all other settings, and those with figures of another duration."""
        for key in list(self._started):
            if key[0] not in settings or key[1] != self.seconds:
                self._started.pop(key).stack.close()

    def serving(self, setting: Setting) -> Serving:
        """Return a setting's server, starting it where necessary."""
        return self._running(setting).serving

    def _running(self, setting: Setting) -> _Started:
        key = (setting, self.seconds)
        if key not in self._started:
            self._started[key] = self._start(setting)
        return self._started[key]

    def _start(self, setting: Setting) -> _Started:
        options = self._options
        spec = options.spec
        scenario = self._scenario(setting)
        with ExitStack() as stack:
            name = stack.enter_context(tempfile.TemporaryDirectory(prefix="ernie-triton-tune-"))
            folder = lay_out(spec, setting, Path(name))
            self._progress(f"starting a server: {setting}")
            with starting_on(options.cores):
                serving = stack.enter_context(served(ServingPlace(repository=folder), spec.name))
            [subject] = scenario.subjects
            target = stack.enter_context(
                connected(serving, subject, scenario.kind, pair=scenario.pair)
            )
            session = Session(
                scenario,
                target,
                windows=Windows(seconds=scenario.measuring.window_s),
                still_serving=serving.still,
                progress=self._progress,
            )
            return _Started(stack.pop_all(), serving, session)

    def _scenario(self, setting: Setting) -> Scenario:
        options = self._options
        spec = options.spec
        subject = Subject(
            name=str(setting),
            model=spec.name,
            engine=spec.engine,
            precision=spec.precision,
            layout=spec.layout,
        )
        measuring = MeasuringTime(window_s=self.seconds / _WINDOWS, warm_up_s=options.warm_up_s)
        return Scenario(
            title=f"tuning {spec.name}",
            task=spec.task,
            pair=spec.pair,
            subjects=(subject,),
            texts=options.texts,
            loads=(self._load,),
            measuring=measuring,
        )


def _figure_of(found: Measurement, rows: int) -> Figure:
    return Figure(
        texts_per_s=found.qps * rows,
        p50_ms=found.latency.p50_us / 1e3,
        p99_ms=found.latency.p99_us / 1e3,
        is_unstable=bool(found.unstable),
    )
