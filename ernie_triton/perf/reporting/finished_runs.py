"""Compare two finished runs, measurement by measurement.

The runs were taken one after the other, so their ratios have no spread, and a change of the machine
between them changes the ratios too.
"""

import dataclasses
from dataclasses import dataclass

from ernie_triton.errors import DatasetError
from ernie_triton.perf.results import Measurement, RequestLoad, ScenarioRun

UNPAIRED = "not measured in turn: changes of the machine between the runs are part of the ratios"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedMeasurement:
    """The same load in both runs."""

    first: Measurement
    second: Measurement

    @property
    def unstable(self) -> bool:
        """Tell whether either figure is unstable."""
        return bool(self.first.unstable or self.second.unstable)


def pairs_of(first: ScenarioRun, second: ScenarioRun) -> list[PairedMeasurement]:
    """Pair the measurements of the same subject under the same load.

    Where each run has a single subject, the two are compared, even under different names.

    Raises:
        DatasetError: the runs have no load of a subject in common.
    """
    single = len({m.subject.name for m in first.measurements}) == 1
    single = single and len({m.subject.name for m in second.measurements}) == 1

    def key(measurement: Measurement) -> tuple[str, str, float, int, str]:
        load = measurement.load
        # A share of the maximum is the same load, even at different rates.
        level = load.of_maximum or load.level
        name = "" if single else measurement.subject.name
        return name, load.mode, level, load.batch_size, load.texts

    others = {key(measurement): measurement for measurement in second.measurements}
    pairs = [
        PairedMeasurement(first=measurement, second=others[key(measurement)])
        for measurement in first.measurements
        if key(measurement) in others
    ]
    if not pairs:
        raise DatasetError(
            f"the runs {first.scenario} and {second.scenario} have no subject and load in common; "
            f"compare two runs of one scenario"
        )
    return pairs


def files_table(first: ScenarioRun, second: ScenarioRun) -> str:
    """Write the ratios, second to first, as a Markdown table under its caveats."""
    pairs = pairs_of(first, second)
    lines = [f"{second.scenario} ({second.started_at}) to {first.scenario} ({first.started_at})"]
    if (first.machine.processor, first.machine.cores) != (
        second.machine.processor,
        second.machine.cores,
    ):
        lines.append(
            f"different machines: {second.machine.processor}, {second.machine.cores} cores, to "
            f"{first.machine.processor}, {first.machine.cores} cores"
        )
    lines += [UNPAIRED, ""]
    lines += ["| subject | load | QPS | ratio | p50 | p99 | |", "|---|---|---:|---:|---:|---:|---|"]
    lines.extend(_line(pair) for pair in pairs)
    return "\n".join(lines)


def _line(pair: PairedMeasurement) -> str:
    first, second = pair.first, pair.second
    name = first.subject.name
    if second.subject.name != name:
        name = f"{second.subject.name} to {name}"
    return (
        f"| {name} | {_load_words(first.load)} | {first.qps:,.1f} to {second.qps:,.1f} | "
        f"{second.qps / first.qps:.2f}x | {second.latency.p50_us / first.latency.p50_us:.2f}x | "
        f"{second.latency.p99_us / first.latency.p99_us:.2f}x | "
        f"{'unstable' if pair.unstable else ''} |"
    )


def _load_words(load: RequestLoad) -> str:
    """Describe a load; a share of the maximum without its rate, which differs between the runs."""
    return str(dataclasses.replace(load, level=0.0) if load.of_maximum else load)
