"""What texts suffer from others beside them: their p99 against that of the same load alone."""

import dataclasses
from collections.abc import Iterator, Sequence

from ernie_triton.perf.results import Load, Measurement, Subject
from ernie_triton.perf.running.words import load_words


def company_lines(measurements: Sequence[Measurement]) -> Iterator[str]:
    """A sentence for each load that was measured alone and beside others."""
    alone: dict[tuple[Subject, Load], Measurement] = {}
    for one in measurements:
        if not one.load.beside:
            alone[one.subject, one.load] = one
            continue
        other = alone.get((one.subject, dataclasses.replace(one.load, beside="")))
        if other is not None:
            ratio = one.latency.p99_us / other.latency.p99_us
            yield (
                f"{one.subject.name}, {load_words(one.load)}: p99 {ratio:.2f} times that of the "
                f"same load alone ({one.latency.p99_us / 1e3:.2f} ms to "
                f"{other.latency.p99_us / 1e3:.2f} ms)"
            )
