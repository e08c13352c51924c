"""The command line: `python -m build_scripts build | inspect | benchmark`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from build_scripts.build import build_pipeline
from build_scripts.build_options import add_build_options, spec_from_options
from build_scripts.family import FAMILY
from build_scripts.inspection import describe
from build_scripts.load import read_source
from build_scripts.progress import timed_step
from ernie_triton.errors import ErnieTritonError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 when done, 1 for what the user can mend."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except ErnieTritonError as error:
        # The runtimes' own messages have several lines.
        print(f"error: {' '.join(str(error).splitlines())}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m build_scripts",
        description="Convert a fine-tuned checkpoint into a Triton ensemble.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    build = commands.add_parser(
        "build",
        help="build a pipeline into a model repository",
        description="Build a pipeline from a TOML file, from options, or from a TOML file with "
        "some of its values replaced by options.",
        allow_abbrev=False,
    )
    add_build_options(build)
    build.set_defaults(run=_build)
    inspect = commands.add_parser(
        "inspect", help="say what a checkpoint is, without building", allow_abbrev=False
    )
    inspect.add_argument("checkpoint", type=Path, help="a checkpoint folder or an exported file")
    inspect.set_defaults(run=_inspect)
    benchmark = commands.add_parser(
        "benchmark",
        help="the engines against the graph as exported, as ratios",
        description="Time the CPU engines on models of the ERNIE 3.0 family with random weights "
        "against the graph that torch exports, padded to the longest, in ONNX Runtime FP32.",
        allow_abbrev=False,
    )
    benchmark.add_argument(
        "--shape",
        action="append",
        choices=sorted(FAMILY),
        help="a model of the family (repeatable; default medium and nano)",
    )
    benchmark.add_argument("--batch", type=int, default=32, help="texts (default %(default)s)")
    benchmark.add_argument(
        "--rounds", type=int, default=5, help="turns of every engine (default %(default)s)"
    )
    benchmark.add_argument(
        "--threads", type=int, default=0, help="threads of an engine, 0 for every core"
    )
    benchmark.set_defaults(run=_benchmark)
    return parser


def _build(arguments: argparse.Namespace) -> int:
    given = {
        name: value
        for name, value in vars(arguments).items()
        if value is not None and name not in ("command", "run", "pipeline")
    }
    manifest = build_pipeline(spec_from_options(arguments.pipeline, given), timed_step)
    print(manifest.summary())
    return 0


def _inspect(arguments: argparse.Namespace) -> int:
    print(describe(read_source(arguments.checkpoint)))
    return 0


def _benchmark(arguments: argparse.Namespace) -> int:
    # Needs the extra `train`; the other commands do not.
    from build_scripts.benchmark import benchmark_shape, table

    for name in arguments.shape or ("medium", "nano"):
        results = benchmark_shape(
            name, rows=arguments.batch, rounds=arguments.rounds, threads=arguments.threads
        )
        print(table(name, results, rows=arguments.batch, threads=arguments.threads), end="\n\n")
    return 0
