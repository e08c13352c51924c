"""Read a scenario from TOML: subjects, texts, loads, and limits of stability.

The same file runs against a server at an address or against one that the run starts itself: it
names models, never machines.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ernie_triton.errors import PipelineError, ScenarioError
from ernie_triton.perf.analyzer.text_spec import TextSpec, refuse_doubles
from ernie_triton.perf.results import CONCURRENCY, REQUEST_RATE, RequestLoad, Subject
from ernie_triton.strict_toml import read_described
from ernie_triton.tasks import Task, task_named


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSpec:
    """Several loads: each level with each batch size.

    Attributes:
        concurrency: closed loop, requests always under way.
        request_rate: open loop, requests a second with Poisson arrivals.
        of_maximum: open loop, share of the highest rate that the closed loops before reached with
            the same texts and batch size.
        batch_size: rows of a request.
        texts: kinds of texts; all when empty.
        separate: send each kind of texts by a perf_analyzer of its own, at its share of the rate,
            and report its own latency; before that, send the first kind alone.
    """

    concurrency: tuple[int, ...] = ()
    request_rate: tuple[float, ...] = ()
    of_maximum: tuple[float, ...] = ()
    batch_size: tuple[int, ...] = (1,)
    texts: tuple[str, ...] = ()
    separate: bool = False

    def __post_init__(self) -> None:
        given = [
            levels for levels in (self.concurrency, self.request_rate, self.of_maximum) if levels
        ]
        if len(given) != 1:
            raise ScenarioError("a load needs one of concurrency, request_rate and of_maximum")
        if not self.batch_size or min(*given[0], *self.batch_size) <= 0:
            raise ScenarioError("levels and batch sizes of a load must be above 0")
        if self.of_maximum and max(self.of_maximum) >= 1:
            raise ScenarioError(
                f"of_maximum is {max(self.of_maximum):g}; at 1 and above the queue only grows"
            )
        if self.separate and self.concurrency:
            raise ScenarioError("separate needs an open loop: request_rate or of_maximum")

    def loads(self) -> Iterator[RequestLoad]:
        """Yield each load; a share of the maximum has level 0, as the maximum is still unknown."""
        mode = CONCURRENCY if self.concurrency else REQUEST_RATE
        texts = "+".join(self.texts)
        for batch_size in self.batch_size:
            for level in self.concurrency or self.request_rate:
                yield RequestLoad(mode=mode, level=float(level), batch_size=batch_size, texts=texts)
            for part in self.of_maximum:
                yield RequestLoad(
                    mode=mode, level=0.0, batch_size=batch_size, texts=texts, of_maximum=part
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuringTime:
    """Durations in windows of perf_analyzer; a figure is taken over the last three.

    Attributes:
        window_s: seconds of a window.
        most_windows: windows after which a load that did not settle counts as unstable.
        warm_up_s: seconds of load before the first window of each subject.
    """

    window_s: float = 3.0
    most_windows: int = 8
    warm_up_s: float = 2.0

    def __post_init__(self) -> None:
        if self.window_s < 0.2 or self.most_windows < 3 or self.warm_up_s < 0:
            raise ScenarioError("expected window_s of 0.2 or more, most_windows of 3 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """Limits of a figure that is stable.

    Attributes:
        variation_percent: largest difference of three windows, in rate and in mean latency, in
            percent of the smallest.
        other_cores: most CPU cores that other programs may use meanwhile.
        delayed_percent: most requests of an open loop that may start late, in percent.
    """

    variation_percent: float = 15.0
    other_cores: float = 0.2
    delayed_percent: float = 2.0

    def __post_init__(self) -> None:
        if min(self.variation_percent, self.other_cores, self.delayed_percent) < 0:
            raise ScenarioError("a limit of stability is negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """Settings of the check of answers under load.

    Attributes:
        per_second: rows asked and compared each second.
        rows: different rows, whose solo answers are taken before.
        tolerance: largest difference of a score; 0 is the limit of the subject's precision.
    """

    per_second: float = 4.0
    rows: int = 64
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        if self.per_second <= 0 or self.rows < 1 or self.tolerance < 0:
            raise ScenarioError("expected per_second above 0, rows of 1 or more, tolerance of 0 up")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One run: each subject under each load, in order.

    Attributes:
        title: for headings.
        task: one of `ernie_triton.tasks.TASKS`.
        pair: the models read two texts.
        subjects: the models to measure.
        texts: the texts to send.
        loads: the loads.
        measuring: durations.
        stability: limits of stable figures.
        checking: the check of answers.
    """

    title: str
    task: str
    texts: TextSpec
    subjects: tuple[Subject, ...]
    loads: tuple[LoadSpec, ...]
    pair: bool = False
    measuring: MeasuringTime = field(default_factory=MeasuringTime)
    stability: Stability = field(default_factory=Stability)
    checking: Checking = field(default_factory=Checking)

    def __post_init__(self) -> None:
        try:
            if not task_named(self.task).texts:
                object.__setattr__(self, "pair", True)
            task_named(self.task).text_inputs(pair=self.pair)
        except PipelineError as error:
            raise ScenarioError(str(error)) from error
        if not self.subjects or not self.loads:
            raise ScenarioError("a scenario needs at least one subject and one load")
        refuse_doubles("subject", [subject.name for subject in self.subjects])
        seen: set[tuple[int, str]] = set()
        for load in (load for spec in self.loads for load in spec.loads()):
            self._check_load(load, seen)

    def _check_load(self, load: RequestLoad, closed: set[tuple[int, str]]) -> None:
        chosen = self.texts.chosen(load.texts.split("+") if load.texts else ())
        if len(chosen) > 1 and abs(sum(kind.share for kind in chosen) - 1) > 1e-6:
            shares = " + ".join(f"{kind.share:g}" for kind in chosen)
            raise ScenarioError(f"the shares of the texts of a load are {shares}; expected 1")
        if load.mode == CONCURRENCY:
            closed.add((load.batch_size, load.texts))
        elif load.of_maximum and (load.batch_size, load.texts) not in closed:
            raise ScenarioError(
                f"of_maximum = {load.of_maximum:g} needs a concurrency load with the same texts "
                f"and batch size before it"
            )

    @property
    def kind(self) -> Task:
        """Return the task."""
        return task_named(self.task)

    def with_models(self, models: dict[str, str]) -> "Scenario":
        """Replace the models of some subjects, by subject.

        Raises:
            ScenarioError: the scenario lacks a subject.
        """
        names = [subject.name for subject in self.subjects]
        for name in models:
            if name not in names:
                raise ScenarioError(f"there is no subject {name!r}; known are {', '.join(names)}")
        return replace(
            self,
            subjects=tuple(
                replace(subject, model=models.get(subject.name, subject.model))
                for subject in self.subjects
            ),
        )


def load_scenario(path: Path) -> Scenario:
    """Read a scenario from TOML; unknown keys and wrong types are refused.

    Raises:
        ScenarioError: the file cannot be read, or its scenario cannot be run.
    """
    return read_described(Scenario, path, ScenarioError)
