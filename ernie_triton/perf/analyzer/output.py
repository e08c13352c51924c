"""Read perf_analyzer's CSV file, windows, warnings and errors."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ernie_triton.errors import AnalyzerError
from ernie_triton.perf.results import Latency

_NUMBER = r"[0-9.]+(?:e[+-]?[0-9]+)?"
_WINDOW = re.compile(rf"Pass \[\d+\] throughput: ({_NUMBER}) infer/sec\. Avg latency: (\d+) usec")
_DELAYED = re.compile(rf"({_NUMBER})% of the requests were delayed")
_REQUESTS = re.compile(r"Request count: (\d+)")
_THREAD_ERROR = re.compile(r"Thread \[\d+\] had error:\s*(.+)")
_REQUEST_ID = re.compile(r"\[request id: [^]]*\] ?")
_MEASURED_WINDOWS = 3
_QUOTED_LINES = 2

RATE = "Inferences/Second"
_LATENCIES = {
    "p50_us": "p50 latency",
    "p90_us": "p90 latency",
    "p95_us": "p95 latency",
    "p99_us": "p99 latency",
}
_MEAN = "Avg latency"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzerWindow:
    """One measurement window: rows per second, and mean latency in microseconds."""

    rows_per_second: float
    mean_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzerFigures:
    """The figures of one load.

    Attributes:
        rows_per_second: rows answered each second; a request may have several.
        latency: of requests.
        windows: the measured windows.
        delayed_percent: requests of an open loop that started late, in percent.
        requests: requests answered in the windows.
    """

    rows_per_second: float
    latency: Latency
    windows: tuple[AnalyzerWindow, ...]
    delayed_percent: float
    requests: int = 0

    @property
    def variation(self) -> float:
        """Fastest window over the slowest, in rate, minus 1."""
        return _spread([window.rows_per_second for window in self.windows])

    @property
    def latency_variation(self) -> float:
        """Slowest window over the fastest, in mean latency, minus 1."""
        return _spread([window.mean_us for window in self.windows])


def figures_from(csv_text: str, output: str) -> AnalyzerFigures:
    """Read one load's figures from the CSV file (`--verbose-csv`) and the output (`-v`).

    Raises:
        AnalyzerError: the file is not perf_analyzer's, or does not hold exactly one load.
    """
    # The file ends in an empty line, and further tables may follow it.
    table = csv_text.strip().split("\n\n")[0]
    rows = list(csv.DictReader(io.StringIO(table)))
    if len(rows) != 1:
        raise AnalyzerError(
            f"perf_analyzer's CSV file has {len(rows)} lines of figures; expected one load's"
        )
    requests = _REQUESTS.search(output)
    delayed = _DELAYED.search(output)
    return AnalyzerFigures(
        requests=int(requests[1]) if requests else 0,
        rows_per_second=_figure(rows[0], RATE),
        latency=Latency(
            mean_us=_figure(rows[0], _MEAN),
            **{name: _figure(rows[0], column) for name, column in _LATENCIES.items()},
        ),
        windows=windows_from(output)[-_MEASURED_WINDOWS:],
        delayed_percent=float(delayed[1]) if delayed else 0.0,
    )


def windows_from(output: str) -> tuple[AnalyzerWindow, ...]:
    """Read every window of the output, in order."""
    return tuple(
        AnalyzerWindow(rows_per_second=float(rate), mean_us=float(mean))
        for rate, mean in _WINDOW.findall(output)
    )


def did_not_settle(errors: str) -> bool:
    """Tell whether perf_analyzer gave up because its windows kept differing."""
    return "Failed to obtain stable measurement" in errors


def window_was_too_short(errors: str) -> bool:
    """Tell whether it failed because no request was answered within a window."""
    return "No valid requests recorded within time interval" in errors


def was_lapse(errors: str) -> bool:
    """Tell whether it could not find a model that it had just measured.

    2.51.0 fails so on a busy machine, about once in a hundred runs.
    """
    return "failed to find the requested model version" in errors


def failure_from(errors: str, output: str) -> str:
    """Return the reason of a failure in one line: the server's answer, or the last lines."""
    thread = _THREAD_ERROR.search(errors)
    if thread:
        return _REQUEST_ID.sub("", thread[1]).strip()
    lines = [line.strip() for line in (errors or output).splitlines() if line.strip()]
    return "; ".join(lines[-_QUOTED_LINES:]) or "it gave no reason"


def _spread(values: Sequence[float]) -> float:
    """Divide the greatest value by the least, minus 1; 0 without values."""
    least, greatest = min(values, default=0.0), max(values, default=0.0)
    return greatest / least - 1 if least else 0.0


def _figure(row: Mapping[str, str | None], column: str) -> float:
    try:
        return float(row[column] or "")
    except (KeyError, ValueError):
        known = ", ".join(str(name) for name in row)
        raise AnalyzerError(
            f"perf_analyzer's CSV file has no figure under {column!r}; its columns are {known}"
        ) from None
