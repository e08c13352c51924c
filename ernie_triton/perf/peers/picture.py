"""Draw comparisons with peers: requests a second of each server, a panel for each model."""

from collections.abc import Sequence
from pathlib import Path

from ernie_triton.errors import DatasetError
from ernie_triton.perf.paired import spread
from ernie_triton.perf.peers.finished import PeersRun
from ernie_triton.perf.reporting.style import COLOURS, figure, legend_below

_INCHES = (9.0, 4.6)


def draw_peers(runs: Sequence[PeersRun], path: Path) -> None:
    """Write a picture of bars: medians with their range, in groups by concurrency.

    Args:
        runs: at least one, with the same servers.
        path: the file; its suffix decides the format (png, svg, pdf).

    Raises:
        DatasetError: the file cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    with figure(columns=len(runs), inches=_INCHES) as (drawn, all_axes):
        for axes, run in zip(all_axes, runs, strict=True):
            width = 0.8 / len(run.rates)
            for place, (name, by_level) in enumerate(run.rates.items()):
                found = [spread(by_level[level]) for level in run.levels]
                medians = [one.median for one in found]
                below = [one.median - one.lowest for one in found]
                above = [one.highest - one.median for one in found]
                places = [group + (place + 0.5) * width - 0.4 for group in range(len(found))]
                colour = COLOURS[place % len(COLOURS)]
                axes.bar(places, medians, width * 0.92, label=name, color=colour)
                axes.errorbar(
                    places, medians, [below, above], fmt="none", ecolor="#333333", capsize=2
                )
            axes.set_xticks(range(len(run.levels)), [f"{level:,}" for level in run.levels])
            axes.set_xlabel("requests under way")
            axes.grid(visible=False, axis="x")
            axes.set_title(run.model, fontsize=10, loc="left")
        all_axes[0].set_ylabel("requests/s, median and range")
        legend_below(drawn, all_axes[0], columns=5)
        drawn.suptitle(_place(runs[0]), fontsize=9)
        try:
            drawn.savefig(path)
        except (OSError, ValueError) as error:
            raise DatasetError(f"{path} cannot be written: {error}") from error


def _place(run: PeersRun) -> str:
    _, _, place = run.heading().partition(": ")
    return place
