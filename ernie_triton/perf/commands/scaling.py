"""`scaling`: measure how cost grows with tokens, rows, layers and width."""

import argparse
from pathlib import Path

from ernie_triton.perf.commands import CACHE, write_progress


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Build models of random weights, time their engines alone, and fit the time of a run to "
        "its operations. Prints a table and its meaning; writes scaling.json and scaling.png."
    )
    parser.add_argument(
        "--precision",
        choices=("fp32", "bf16"),
        default="fp32",
        help="precision of the engines (default %(default)s)",
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="turns of each point (default %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=0.4, help="duration of a turn (default %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="try the command with tiny models")
    parser.add_argument(
        "--cache",
        type=Path,
        default=CACHE,
        help="folder that keeps the models (default %(default)s)",
    )
    parser.add_argument(
        "--output", type=Path, default=CACHE, help="folder for the results (default %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    import dataclasses

    from ernie_triton.perf.engines.model_cache import ModelCache
    from ernie_triton.perf.machine import (
        cpu_precisions,
        machine_facts,
        project_commit,
        require_precision,
    )
    from ernie_triton.perf.scaling.measure import measure_scaling
    from ernie_triton.perf.scaling.plots import draw_scaling
    from ernie_triton.perf.scaling.report import scaling_json, scaling_sentences, scaling_table
    from ernie_triton.perf.scaling.sweeps import FULL_PLAN, QUICK_PLAN

    require_precision(arguments.precision, cpu_precisions())
    measured = measure_scaling(
        QUICK_PLAN if arguments.quick else FULL_PLAN,
        ModelCache(folder=arguments.cache),
        precision=arguments.precision,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        progress=write_progress,
    )
    facts = {"machine": dataclasses.asdict(machine_facts()), "commit": project_commit()}
    measured = dataclasses.replace(measured, facts=facts)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "scaling.json").write_text(scaling_json(measured), encoding="utf-8")
    draw_scaling(measured, arguments.output / "scaling.png")
    print(scaling_table(measured))
    print("\n" + scaling_sentences(measured))
    return 0
