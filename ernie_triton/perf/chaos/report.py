"""Write down what a run of faults found."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ernie_triton.perf.chaos.load import Failure, LoadCounts

_MIB = 1024 * 1024
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One fault.

    Attributes:
        fault: its name.
        pipeline: that was struck.
        hurts: True if requests to this pipeline may fail until it is back.
        done: what was done; where that failed, why.
        struck_at: seconds of the monotonic clock.
        back_s: until the pipeline's first right answer; None if it never came, or if something
            else happened than should.
    """

    fault: str
    pipeline: str
    hurts: bool
    done: str
    struck_at: float
    back_s: float | None

    def explains(self, failure: Failure) -> bool:
        """Tell whether a request failed of this fault, as it may: same pipeline, same time."""
        back_at = self.struck_at + (float("inf") if self.back_s is None else self.back_s)
        return (
            self.hurts
            and failure.pipeline == self.pipeline
            and failure.sent_at <= back_at
            and failure.ended_at >= self.struck_at
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFacts:
    """Memory in bytes and open descriptors of the server with all its processes."""

    memory_bytes: int
    descriptors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosReport:
    """The findings of a run; `failure` says why the server ended before its time, if it did."""

    minutes: float
    counts: LoadCounts
    strikes: Sequence[Strike]
    before: ProcessFacts
    after: ProcessFacts
    failure: str = ""

    @property
    def unexpected(self) -> list[Failure]:
        """Failures that no fault explains."""
        return [
            failure
            for failure in self.counts.failures
            if not any(strike.explains(failure) for strike in self.strikes)
        ]

    @property
    def passed(self) -> bool:
        """True if nothing was wrong or lost, no innocent failed, and all came back."""
        back = all(strike.back_s is not None for strike in self.strikes)
        return back and not (
            self.failure or self.counts.wrong or self.counts.lost or self.unexpected
        )

    def text(self) -> str:
        """The report as Markdown."""
        unexpected = self.unexpected
        return "\n".join(
            [
                *_totals(self, unexpected),
                "",
                *_faults(self.strikes, self.counts.failures),
                *_examples(self, unexpected),
            ]
        )


def _totals(report: ChaosReport, unexpected: Sequence[Failure]) -> list[str]:
    counts = report.counts
    expected = len(counts.failures) - len(unexpected)
    took_ms = [1000 * seconds for _, seconds in counts.latencies_s] or [float("nan")]
    p50, p99 = np.percentile(took_ms, (50, 99))
    before, after = report.before, report.after
    rows = {
        "minutes": f"{report.minutes:.1f}",
        "requests sent": f"{counts.sent.total():,} to {len(counts.sent)} pipelines",
        "answered right": f"{counts.right.total():,}",
        "refused as it should be": _refusals(counts),
        "failed at a struck pipeline": f"{expected:,}",
        "failed without a reason": f"{len(unexpected):,}",
        "wrong": f"{counts.wrong:,}",
        "lost": f"{counts.lost:,}",
        "latency": f"p50 {p50:.1f} ms, p99 {p99:.1f} ms",
        "memory before and after": f"{before.memory_bytes // _MIB} MiB, "
        f"{after.memory_bytes // _MIB} MiB",
        "descriptors before and after": f"{before.descriptors}, {after.descriptors}",
    }
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]


def _refusals(counts: LoadCounts) -> str:
    reasons = ", ".join(f"{reason} {number:,}" for reason, number in sorted(counts.refused.items()))
    return f"{counts.refused.total():,}" + (f" ({reasons})" if reasons else "")


def _faults(strikes: Sequence[Strike], failures: Sequence[Failure]) -> list[str]:
    lines = [
        "| fault | times | right again after, median (longest) | failed at the struck pipeline |",
        "|---|---:|---:|---:|",
    ]
    for name in dict.fromkeys(strike.fault for strike in strikes):
        ours = [strike for strike in strikes if strike.fault == name]
        back = [strike.back_s for strike in ours if strike.back_s is not None]
        times = f"{np.median(back):.1f} s ({max(back):.1f} s)" if back else "never"
        if back and len(back) < len(ours):
            times += f", {len(ours) - len(back)} never"
        failed = sum(any(strike.explains(failure) for strike in ours) for failure in failures)
        lines.append(f"| {name} | {len(ours)} | {times} | {failed} |")
    return lines


def _examples(report: ChaosReport, unexpected: Sequence[Failure]) -> list[str]:
    reasons = Counter(f"{failure.pipeline}: {failure.reason}" for failure in unexpected)
    lines = [f"- {report.failure}"] if report.failure else []
    lines += [f"- {number}x {reason}" for reason, number in reasons.most_common(_SHOWN)]
    lines += [f"- wrong: {difference}" for difference in report.counts.differences]
    lines += [
        f"- {strike.fault}, {strike.pipeline}: {strike.done}"
        for strike in report.strikes
        if strike.back_s is None
    ][:_SHOWN]
    return ["", *lines] if lines else []
