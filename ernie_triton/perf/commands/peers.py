"""`peers`: compare serving with what a team would write around ONNX Runtime."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.errors import UsageError
from ernie_triton.perf.commands import (
    add_our_build,
    add_plot_option,
    check_output,
    check_plot,
    write_progress,
)
from ernie_triton.perf.peers.servers import PEERS

if TYPE_CHECKING:
    from ernie_triton.perf.peers.finished import PeersRun

_CONCURRENCY = (1, 8, 32)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Serve a classifier of texts or of tokens with this project, joined and as ensemble, and "
        "with FastAPI, mosec and LitServe around ONNX Runtime, whose graph ONNX Runtime's own "
        "optimiser fused. Checks that all answer the same, asks them in turn for single texts like "
        "titles, and prints requests a second and ratios to the best peer. With --precision int8, "
        "each peer is measured in INT8 too. With --from, show the results of earlier runs instead."
    )
    parser.add_argument(
        "checkpoint", type=Path, nargs="?", help="a transformers folder with vocab.txt"
    )
    parser.add_argument(
        "--python",
        metavar="PYTHON",
        help="Python of an environment with ernie_triton/perf/peers/requirements.txt",
    )
    parser.add_argument(
        "--peer",
        action="append",
        choices=PEERS,
        help="a server to compare with (repeatable; default: every one)",
    )
    parser.add_argument(
        "--concurrency",
        action="append",
        type=int,
        help="requests under way (repeatable; default 1, 8 and 32)",
    )
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="of a figure (default: %(default)s)"
    )
    parser.add_argument(
        "--tokens", type=int, metavar="N", help="of every row (default: like titles)"
    )
    parser.add_argument("--pair", action="store_true", help="rows of two texts")
    parser.add_argument(
        "--window",
        type=int,
        metavar="N",
        help="most tokens of a window, where tokens are labelled (default: as --tokens)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="results as JSON")
    parser.add_argument(
        "--from",
        dest="sources",
        action="append",
        type=Path,
        metavar="FILE.json",
        help="show these results of an earlier run, without measuring (repeatable)",
    )
    add_plot_option(parser)
    add_our_build(parser, engine="auto")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from ernie_triton.perf.peers.finished import read_peers
    from ernie_triton.perf.peers.picture import draw_peers

    if arguments.output:
        check_output(arguments.output)
    if arguments.plot:
        check_plot(arguments.plot)
    if arguments.sources:
        if arguments.checkpoint or arguments.output:
            raise UsageError("--from shows finished runs; leave out the checkpoint and --output")
        found = [read_peers(path) for path in arguments.sources]
    else:
        found = [_measured(arguments)]
    print("\n\n".join("\n".join(one.lines()) for one in found))
    if arguments.plot:
        draw_peers(found, arguments.plot)
        print(f"\n{arguments.plot}")
    return 0


def _measured(arguments: argparse.Namespace) -> "PeersRun":
    """Measure, and write the JSON file if one is wanted."""
    from ernie_triton.perf.peers.comparison import OurBuild, PeerLoad, compare_peers
    from ernie_triton.perf.peers.work import PeerWork, classifier_task

    if not arguments.checkpoint or not arguments.python:
        raise UsageError(
            "name a checkpoint and --python to measure, or --from with results of an earlier run"
        )
    work = PeerWork(
        task=classifier_task(arguments.checkpoint),
        pair=arguments.pair,
        tokens=arguments.tokens,
        window=arguments.window,
    )
    load = PeerLoad(
        concurrency=tuple(arguments.concurrency or _CONCURRENCY),
        rounds=arguments.rounds,
        seconds=arguments.seconds,
    )
    found = compare_peers(
        arguments.checkpoint,
        arguments.python,
        arguments.peer or [*PEERS],
        work,
        load,
        OurBuild(engine=arguments.engine, precision=arguments.precision),
        write_progress,
    )
    if arguments.output:
        arguments.output.write_text(found.to_json(), encoding="utf-8")
    return found
