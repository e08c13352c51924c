"""`scaling`: how cost grows with tokens, rows, layers and width."""

import argparse
import sys
from pathlib import Path

_CACHE = Path("build/perf")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Build models of random weights, time their engines alone, and fit the time "
        "of a run against its arithmetic. Prints a table and what it means; writes scaling.json "
        "and scaling.png."
    )
    parser.add_argument(
        "--precision",
        choices=("fp32", "bf16"),
        default="fp32",
        help="of the engines (default %(default)s)",
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default 5)")
    parser.add_argument(
        "--seconds", type=float, default=0.4, help="of each turn (default %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="tiny models, to try the command")
    parser.add_argument(
        "--cache", type=Path, default=_CACHE, help="where models are kept (default %(default)s)"
    )
    parser.add_argument(
        "--output", type=Path, default=_CACHE, help="folder for the results (default %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    import dataclasses

    from ernie_triton.perf.machine import project_commit, this_machine
    from ernie_triton.perf.models import ModelCache
    from ernie_triton.perf.scaling.measure import measure_scaling
    from ernie_triton.perf.scaling.plots import draw_scaling
    from ernie_triton.perf.scaling.report import scaling_json, sentences, table
    from ernie_triton.perf.scaling.sweeps import FULL, QUICK

    measured = measure_scaling(
        QUICK if arguments.quick else FULL,
        ModelCache(folder=arguments.cache),
        precision=arguments.precision,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        progress=lambda line: print(line, file=sys.stderr, flush=True),
    )
    facts = {"machine": dataclasses.asdict(this_machine()), "commit": project_commit()}
    measured = dataclasses.replace(measured, facts=facts)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "scaling.json").write_text(scaling_json(measured), encoding="utf-8")
    draw_scaling(measured, arguments.output / "scaling.png")
    print(table(measured))
    print("\n" + sentences(measured))
    return 0
