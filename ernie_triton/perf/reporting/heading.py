"""What stands around a table: where and when the figures were taken, and which are unstable."""

from collections.abc import Sequence

from ernie_triton.perf.results import Measurement, Run
from ernie_triton.perf.running.words import load_words

_GIB = 1 << 30


def heading_of(runs: Sequence[Run]) -> str:
    """A paragraph for each run, and what gave no figures."""
    return "\n\n".join(map(_paragraph, runs))


def unstable_lines(measurements: Sequence[Measurement]) -> list[str]:
    """Why each unstable figure should not be trusted."""
    return [
        f"Unstable: {one.subject.name}, {load_words(one.load)}: {'; '.join(one.unstable)}."
        for one in measurements
        if one.unstable
    ]


def _paragraph(run: Run) -> str:
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
