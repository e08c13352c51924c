"""`goals`: measure the objectives on speed in one run."""

import argparse
import datetime
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.errors import UsageError
from ernie_triton.perf.commands import (
    CACHE,
    add_plot_option,
    check_output,
    check_plot,
    write_progress,
)

if TYPE_CHECKING:
    from ernie_triton.perf.goals.table import Goal, GoalsRun
    from ernie_triton.perf.paired import Figures


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Build models of random weights and the baseline, serve them here, and measure each "
        "objective in turn with the real perf_analyzer: FP32, and each precision that the "
        "processor has. Prints a Markdown table, and which precision pays here. Needs the extra "
        "train for the baseline's graph. Takes a quarter of an hour with the defaults, and the "
        "builds before. With --from, show the results of an earlier run instead."
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="turns of each figure (default %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="duration of a figure (default %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="try the command with tiny models")
    parser.add_argument(
        "--cache",
        type=Path,
        default=CACHE,
        help="folder that keeps the models (default %(default)s)",
    )
    parser.add_argument(
        "--output", type=Path, help="results as JSON (default: goals.json in the cache)"
    )
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE.json",
        help="show these results of an earlier run, without measuring",
    )
    add_plot_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from ernie_triton.perf.goals.table import read_goals

    if arguments.source and arguments.output:
        raise UsageError("--output is for a new measurement; leave it out with --from")
    if arguments.plot:
        check_plot(arguments.plot)
    found = read_goals(arguments.source) if arguments.source else _measured(arguments)
    print(found.table())
    if arguments.plot:
        from ernie_triton.perf.goals.picture import draw_goals

        draw_goals(found, arguments.plot)
        print(f"\n{arguments.plot}")
    return 0


def _measured(arguments: argparse.Namespace) -> "GoalsRun":
    """Measure all goals and write the JSON file."""
    from ernie_triton.perf.goals.models import REDUCED_PRECISIONS
    from ernie_triton.perf.goals.table import GoalsRun
    from ernie_triton.perf.machine import (
        available_precisions,
        cpu_precisions,
        machine_facts,
        project_commit,
    )

    path = arguments.output or arguments.cache / "goals.json"
    check_output(path)
    started = datetime.datetime.now(datetime.timezone.utc)
    load, *_ = os.getloadavg()
    notes = ["tiny models (--quick): the figures mean nothing"] if arguments.quick else []

    def left_out(line: str) -> None:
        write_progress(line)
        notes.append(line)

    precisions = available_precisions(REDUCED_PRECISIONS, cpu_precisions(), left_out)
    goals, figures, advice = _figures(arguments, precisions)
    found = GoalsRun(
        started_at=started.isoformat(timespec="seconds"),
        machine=machine_facts(),
        commit=project_commit(),
        load=load,
        note="; ".join(notes),
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        goals=goals,
        figures=figures,
        advice=advice,
    )
    path.write_text(found.to_json(), encoding="utf-8")
    return found


def _figures(
    arguments: argparse.Namespace, precisions: Sequence[str]
) -> "tuple[tuple[Goal, ...], dict[str, Figures], str]":
    """Build, measure, and return the goals, all figures, and the advice on precisions."""
    from ernie_triton.model_shapes import FAMILY
    from ernie_triton.perf.engines.model_cache import ModelCache
    from ernie_triton.perf.goals.around import TINY, around_models, measure_around
    from ernie_triton.perf.goals.models import build_models
    from ernie_triton.perf.goals.rows import goals_from, precision_advice
    from ernie_triton.perf.goals.serving import measure_shape
    from ernie_triton.perf.tokenizer.measure import tokenizer_ratios
    from ernie_triton.processor import has_bfloat16, has_int8_products, instruction_sets

    cache = ModelCache(folder=arguments.cache)
    shapes = {name: TINY if arguments.quick else FAMILY[name] for name in ("medium", "nano")}
    models = {}
    for name, shape in shapes.items():
        write_progress(f"{name}: building what is not built yet")
        models[name] = build_models(name, shape, cache, precisions)
    tiny = around_models(cache, models["nano"].engine)
    rounds, seconds = arguments.rounds, arguments.seconds
    measured = {
        name: measure_shape(
            name,
            shape,
            models[name],
            cache,
            rounds=rounds,
            seconds=seconds,
            progress=write_progress,
        )
        for name, shape in shapes.items()
    }
    around = measure_around(tiny, cache, rounds=rounds, seconds=seconds, progress=write_progress)
    tests = {"int8": has_int8_products, "bf16": has_bfloat16}
    native = [name for name, is_native in tests.items() if is_native(instruction_sets())]
    tokenizer = tokenizer_ratios(rounds, write_progress)
    figures = {name: shape.figures for name, shape in measured.items()}
    goals = goals_from(measured, around, tokenizer, native)
    return goals, {**figures, "around an engine": around}, precision_advice(measured)
