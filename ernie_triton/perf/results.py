"""The results of a run as data, written and read as JSON."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ernie_triton.errors import DatasetError

CONCURRENCY, REQUEST_RATE = "concurrency", "request_rate"
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A model under measurement.

    Attributes:
        name: the name in tables and plots, unique within a run (`medium int8`).
        model: the ensemble.
        shape: its size (`medium`), or empty where it is unknown.
        engine: the runtime, or empty.
        precision: of the engine, or empty.
        layout: `packed` or `padded`, or empty.
        accuracy: the task's metric on labelled data, 0 to 1; None where it was not measured.
        metric: the name of that metric.
    """

    name: str
    model: str
    shape: str = ""
    engine: str = ""
    precision: str = ""
    layout: str = ""
    accuracy: float | None = None
    metric: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLoad:
    """Requests that a server gets.

    Attributes:
        mode: `concurrency` (closed loop: a fixed number of requests is always under way) or
            `request_rate` (open loop: requests start at a fixed rate, Poisson arrivals).
        level: the concurrency, or the requests per second.
        batch_size: rows of a request.
        texts: the kind of texts; empty where the scenario has one kind.
        of_maximum: the level as a share of the closed loops' highest rate, 0 to 1; 0 where the
            level was given itself.
        beside: other kinds of texts that were sent at the same time, each at its own rate.
    """

    mode: str
    level: float
    batch_size: int = 1
    texts: str = ""
    of_maximum: float = 0.0
    beside: str = ""

    def __str__(self) -> str:
        """Format for a table: `concurrency 8, batch 4, titles`."""
        if self.mode == CONCURRENCY:
            words = [f"concurrency {self.level:.0f}"]
        elif self.level:
            words = [f"{self.level:.4g} requests/s"]
        else:
            words = ["requests"]
        if self.of_maximum:
            words[0] += f" at {self.of_maximum:.0%} of the maximum"
        if self.batch_size > 1:
            words.append(f"batch {self.batch_size}")
        if self.texts:
            words.append(self.texts)
        if self.beside:
            words.append(f"beside {self.beside}")
        return ", ".join(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Latency of a request at the client, in microseconds."""

    mean_us: float
    p50_us: float
    p90_us: float
    p95_us: float
    p99_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTimes:
    """Times of a stage by the server's statistics.

    Attributes:
        queue_us: mean wait of a request, in microseconds.
        input_us: mean time of a request for gathering inputs, in microseconds.
        compute_us: mean time of a request inside the stage's execution, in microseconds.
        output_us: mean time of a request for returning outputs, in microseconds.
        executions: runs of the stage.
        batch: mean rows of a run.
    """

    queue_us: float
    input_us: float
    compute_us: float
    output_us: float
    executions: int
    batch: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One subject under one load.

    Attributes:
        subject: the model.
        load: the requests.
        qps: requests answered per second.
        latency: of a request.
        stages: `tokenizer`, `engine` and `postprocess`; empty where the server gave none.
        server_cores: mean CPU cores of the server and its stages; None where they are not visible.
        server_memory_bytes: most resident memory of the server and its stages; None likewise.
        stage_memory_bytes: most resident memory of each stage's process; empty likewise.
        other_load: mean CPU cores of other programs, without perf_analyzer.
        checked_answers: answers compared under load with their solo answer.
        variation: fastest window over the slowest, in rate, minus 1; None where it is unknown.
        unstable: reasons not to trust the figures; empty where they are stable.
    """

    subject: Subject
    load: RequestLoad
    qps: float
    latency: Latency
    stages: Mapping[str, StageTimes] = dataclasses.field(default_factory=dict)
    server_cores: float | None = None
    server_memory_bytes: int | None = None
    stage_memory_bytes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    other_load: float | None = None
    checked_answers: int = 0
    variation: float | None = None
    unstable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """The machine of a run: `versions` by package, `accelerator` empty without one."""

    processor: str
    cores: int
    memory_bytes: int
    system: str
    accelerator: str
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioRun:
    """All measurements of one scenario, in the order they were taken.

    Attributes:
        scenario: the scenario's name.
        title: its description, for headings.
        texts: the texts that were sent (`normal lengths, mean 24 tokens`).
        client: the load generator and its place.
        server: Triton's version and address.
        machine: of the client.
        commit: of this project, with `+` where files were changed; empty outside a clone.
        started_at: UTC, ISO 8601.
        measurements: one for each subject and load.
        failures: loads without figures, a line each.
    """

    scenario: str
    title: str
    texts: str
    client: str
    server: str
    machine: MachineFacts
    commit: str
    started_at: str
    measurements: tuple[Measurement, ...]
    failures: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return indented JSON."""
        content = {"format": _FORMAT, **dataclasses.asdict(self)}
        return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def read_run(path: Path) -> ScenarioRun:
    """Read a run from its JSON file.

    Raises:
        DatasetError: the file cannot be read or has another format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != _FORMAT:
            raise DatasetError(f"{path} is not of format {_FORMAT}; measure again")
        content["machine"] = MachineFacts(**content["machine"])
        content["measurements"] = tuple(map(_measurement, content["measurements"]))
        content["failures"] = tuple(content.get("failures", ()))
        return ScenarioRun(**content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} cannot be read as results of a run: {error!r}") from error


def _measurement(content: dict[str, Any]) -> Measurement:
    content["subject"] = Subject(**content["subject"])
    content["load"] = RequestLoad(**content["load"])
    content["latency"] = Latency(**content["latency"])
    content["stages"] = {name: StageTimes(**times) for name, times in content["stages"].items()}
    content["unstable"] = tuple(content["unstable"])
    return Measurement(**content)
