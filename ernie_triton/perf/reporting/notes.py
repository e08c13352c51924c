"""Write the notes around a table: time and place, mixed loads, and unstable figures."""

import dataclasses
from collections.abc import Iterator, Sequence

from ernie_triton.perf.results import Measurement, RequestLoad, ScenarioRun, Subject

_GIB = 1 << 30


def heading_of(runs: Sequence[ScenarioRun]) -> str:
    """Write a paragraph for each run: time, machine, versions, loads without figures."""
    return "\n\n".join(map(_paragraph, runs))


def mixed_load_lines(measurements: Sequence[Measurement]) -> Iterator[str]:
    """Compare the p99 of each load beside others with that of the same load alone."""
    alone: dict[tuple[Subject, RequestLoad], Measurement] = {}
    for one in measurements:
        if not one.load.beside:
            alone[one.subject, one.load] = one
            continue
        other = alone.get((one.subject, dataclasses.replace(one.load, beside="")))
        if other is not None:
            ratio = one.latency.p99_us / other.latency.p99_us
            yield (
                f"{one.subject.name}, {one.load}: p99 {ratio:.2f} times that of the "
                f"same load alone ({one.latency.p99_us / 1e3:.2f} ms to "
                f"{other.latency.p99_us / 1e3:.2f} ms)"
            )


def unstable_lines(measurements: Sequence[Measurement]) -> list[str]:
    """Name each unstable figure with its reasons."""
    return [
        f"Unstable: {one.subject.name}, {one.load}: {'; '.join(one.unstable)}."
        for one in measurements
        if one.unstable
    ]


def _paragraph(run: ScenarioRun) -> str:
    machine = run.machine
    hardware = (
        f"{machine.cores} cores of {machine.processor}, {machine.memory_bytes / _GIB:.0f} GiB"
    )
    if machine.accelerator:
        hardware += f", {machine.accelerator}"
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    commit = f", commit {run.commit}" if run.commit else ""
    lines = [
        f"{run.title}. Texts: {run.texts}.",
        f"{run.started_at[:10]}, {hardware}, {machine.system}; {run.server}; load: {run.client}"
        f"{commit}.",
        f"{versions}.",
    ]
    lines += [f"No figures: {failure}." for failure in run.failures]
    return "  \n".join(lines)
