"""What a run measured, as data: written and read as JSON, never edited by hand."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ernie_triton.errors import DatasetError

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was measured.

    Attributes:
        name: as tables and plots call it, unique within a run (`medium int8`).
        model: the ensemble that was asked.
        shape: its size (`medium`), or empty where it is not known.
        engine: the runtime, or empty.
        precision: what it computes in, or empty.
        layout: `packed` or `padded`, or empty.
        accuracy: the task's metric on labelled data, 0 to 1, where it was measured.
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
class Load:
    """How the server was loaded.

    Attributes:
        mode: `concurrency` (closed loop: so many requests are always under way) or `request_rate`
            (open loop: so many requests start each second, Poisson arrivals).
        level: the concurrency, or the requests per second.
        batch_size: rows of a request.
        texts: the kind of texts that were sent, where the scenario has several.
        of_maximum: the level as a part of the closed loops' highest rate, where it was given so.
        beside: what other kinds of texts were sent meanwhile, each at its own rate.
    """

    mode: str
    level: float
    batch_size: int = 1
    texts: str = ""
    of_maximum: float = 0.0
    beside: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Latency of a request as the client sees it, in microseconds."""

    mean_us: float
    p50_us: float
    p90_us: float
    p95_us: float
    p99_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTimes:
    """Where the time of a stage goes, by the server's own statistics.

    Attributes:
        queue_us: mean wait of a request, in microseconds.
        input_us: mean time of a request for gathering inputs.
        compute_us: mean time of a request inside the stage's execution.
        output_us: mean time of a request for giving outputs back.
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
        subject: what.
        load: how.
        qps: requests answered per second.
        latency: of a request.
        stages: `tokenizer`, `engine` and `postprocess`; empty where the server gave none.
        server_cores: mean CPU cores that the server and its stages used; None where not visible.
        server_memory_bytes: most resident memory of the server and its stages; None likewise.
        stage_memory_bytes: most resident memory of each stage's process; empty likewise.
        other_load: CPU cores that other programs used meanwhile, perf_analyzer not among them.
        checked_answers: answers compared under load with their solo answer.
        variation: by how much of itself the slowest of the windows is exceeded by the fastest, in
            rate; None where it was not seen.
        unstable: why the figures should not be trusted; empty where they should.
    """

    subject: Subject
    load: Load
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
class Machine:
    """Where a run took place: `versions` by package, `accelerator` empty without one."""

    processor: str
    cores: int
    memory_bytes: int
    system: str
    accelerator: str
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All measurements of one scenario, in the order they were taken.

    Attributes:
        scenario: its name.
        title: its description, for headings.
        texts: what was sent, in words (`normal lengths, mean 24 tokens`).
        client: where the client was and what it is.
        server: Triton's version and address.
        machine: of the client; the server's where they are the same.
        commit: of this project, with `+` where files were changed; empty outside of git.
        started_at: UTC, ISO 8601.
        measurements: one for each subject and load.
        failures: loads that gave no figures, each in a line.
    """

    scenario: str
    title: str
    texts: str
    client: str
    server: str
    machine: Machine
    commit: str
    started_at: str
    measurements: tuple[Measurement, ...]
    failures: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The run as indented JSON."""
        content = {"format": FORMAT, **dataclasses.asdict(self)}
        return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def read_run(path: Path) -> Run:
    """A run from its JSON file.

    Raises:
        DatasetError: the file cannot be read or is not of this format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise DatasetError(f"{path} is not of format {FORMAT}; measure again")
        content["machine"] = Machine(**content["machine"])
        content["measurements"] = tuple(map(_measurement, content["measurements"]))
        content["failures"] = tuple(content.get("failures", ()))
        return Run(**content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} cannot be read as results of a run: {error!r}") from error


def _measurement(content: dict[str, Any]) -> Measurement:
    content["subject"] = Subject(**content["subject"])
    content["load"] = Load(**content["load"])
    content["latency"] = Latency(**content["latency"])
    content["stages"] = {name: StageTimes(**times) for name, times in content["stages"].items()}
    content["unstable"] = tuple(content["unstable"])
    return Measurement(**content)
