"""Count the CPU time of a text in each process of a served pipeline: the ceiling of its stages.

A Python stage computes on one core at a time in each of its processes. So its texts per second and
core, times its processes, is what it lets through, however fast the engine is.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ernie_triton.client.statistics import StatisticsClient
from ernie_triton.errors import AnalyzerError
from ernie_triton.perf.analyzer.watch import cpu_of_stages
from ernie_triton.stage_names import ENGINE, pipeline_and_part

SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCost:
    """CPU microseconds of a text in one stage, and the processes that share the texts."""

    cpu_us: float
    processes: int

    @property
    def texts_per_core_s(self) -> float:
        """Texts that one core carries through the stage in a second."""
        return 1e6 / max(self.cpu_us, 1e-3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The costs of a pipeline's processes, by model name; `SERVER` is tritonserver's own.

    In an ensemble all but the engine's stage is what a faster engine does not make faster. Joined
    stages are one process; an engine in one of Triton's own backends is in the server's.
    """

    pipeline: str
    stages: dict[str, StageCost]

    def table(self) -> str:
        """Return a Markdown table."""
        lines = [
            f"| {self.pipeline}: CPU of a text | µs | texts/s of a core | processes | at most |",
            "|---|---:|---:|---:|---:|",
        ]
        others = 0.0
        for name, cost in self.stages.items():
            most = "" if name == SERVER or _is_engine(name) else cost.processes
            lines.append(_row(name, cost, most))
            others += 0.0 if _is_engine(name) else cost.cpu_us
        if any(_is_engine(name) for name in self.stages):
            total = StageCost(cpu_us=others, processes=0)
            lines.append(_row("all but the engine", total, ""))
        return "\n".join(lines)


def _is_engine(model: str) -> bool:
    return pipeline_and_part(model)[1] == ENGINE


def measure_ceiling(url: str, server: int, pipeline: str, load: Callable[[], object]) -> Ceiling:
    """Run a load and divide the CPU time of each process by the texts that were answered.

    Args:
        url: the server's gRPC address.
        server: its process id.
        pipeline: the model under load; no other may have requests.
        load: sends requests, and returns when all are answered.

    Raises:
        ClientError: the server is away or does not have the pipeline.
        AnalyzerError: the load failed, or nothing was answered.
    """
    with StatisticsClient(url, pipeline) as statistics:
        models = statistics.stages()
        before, answered = cpu_of_stages(server), statistics.counts([pipeline])[pipeline]
        load()
        after = cpu_of_stages(server)
        texts = statistics.counts([pipeline])[pipeline].since(answered).rows
    if texts < 1:
        raise AnalyzerError(f"{pipeline} answered no text under load; measure longer")
    stages = {}
    for model in (*models, SERVER):
        own = [pid for pid, (name, _) in after.items() if (name or SERVER) == model]
        spent = sum(after[pid][1] - before.get(pid, ("", 0.0))[1] for pid in own)
        if own:
            stages[model] = StageCost(cpu_us=1e6 * spent / texts, processes=len(own))
    return Ceiling(pipeline=pipeline, stages=stages)


def _row(name: str, cost: StageCost, processes: int | str) -> str:
    most = f"{processes * cost.texts_per_core_s:,.0f} texts/s" if isinstance(processes, int) else ""
    return f"| {name} | {cost.cpu_us:.0f} | {cost.texts_per_core_s:,.0f} | {processes} | {most} |"
