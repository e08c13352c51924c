"""`peers`: compare serving with what a team would write around ONNX Runtime."""

import argparse
from pathlib import Path

from ernie_triton.perf.commands import add_our_build, our_build, write_progress
from ernie_triton.perf.peers.servers import PEERS

_CONCURRENCY = (1, 8, 32)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Serve a sequence classifier with this project, joined and as ensemble, and with FastAPI, "
        "mosec and LitServe around ONNX Runtime, whose graph ONNX Runtime's own optimiser fused. "
        "Checks that all answer the same, asks them in turn for single texts like titles, and "
        "prints requests a second and ratios to the best peer."
    )
    parser.add_argument("checkpoint", type=Path, help="a transformers folder with vocab.txt")
    parser.add_argument(
        "--python",
        required=True,
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
    add_our_build(parser, engine="auto")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from ernie_triton.perf.peers.comparison import PeerLoad, compare_peers

    load = PeerLoad(
        concurrency=tuple(arguments.concurrency or _CONCURRENCY),
        rounds=arguments.rounds,
        seconds=arguments.seconds,
    )
    options = our_build(arguments)
    if arguments.precision == "int8":
        options = (*options, "--allowed-changes", "1")
    peers = arguments.peer or [*PEERS]
    found = compare_peers(
        arguments.checkpoint, arguments.python, peers, load, options, write_progress
    )
    print("\n".join(found))
    return 0
