"""`goals`: the promised speed, measured in one run."""

import argparse
import datetime
import os
import sys
from pathlib import Path

_CACHE = Path("build/perf")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Build models of random weights and the baseline, serve them here, and "
        "measure each promise in turn with the real perf_analyzer. Prints a Markdown table; needs "
        "the extra train for the baseline's graph. Half an hour with the defaults."
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=6.0, help="of each figure (default %(default)s)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny models in place of the family's, to try it"
    )
    parser.add_argument(
        "--cache", type=Path, default=_CACHE, help="where models are kept (default %(default)s)"
    )
    parser.add_argument("--output", type=Path, help="JSON (default: parser.json in the cache)")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from ernie_triton.model_shapes import FAMILY, Shape
    from ernie_triton.perf.goals.rows import goals_from
    from ernie_triton.perf.goals.serving import build_models, measure_shape
    from ernie_triton.perf.goals.table import GoalsRun
    from ernie_triton.perf.machine import project_commit, this_machine
    from ernie_triton.perf.models import ModelCache
    from ernie_triton.perf.tokenizer.measure import tokenizer_ratios

    def progress(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    started = datetime.datetime.now(datetime.timezone.utc)
    load, *_ = os.getloadavg()
    cache = ModelCache(folder=arguments.cache)
    tiny = Shape(layers=1, hidden=48, heads=12, feed_forward=192)
    shapes = {name: tiny if arguments.quick else FAMILY[name] for name in ("medium", "nano")}
    models = {}
    for name, shape in shapes.items():
        progress(f"{name}: building what is not built yet")
        models[name] = build_models(name, shape, cache)
    measured = {
        name: measure_shape(
            name,
            models[name],
            cache,
            rounds=arguments.rounds,
            seconds=arguments.seconds,
            progress=progress,
        )
        for name in shapes
    }
    tokenizer = tokenizer_ratios(arguments.rounds, progress)
    run = GoalsRun(
        started_at=started.isoformat(timespec="seconds"),
        machine=this_machine(),
        commit=project_commit(),
        load=load,
        note="tiny models (--quick): the figures say nothing" if arguments.quick else "",
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        goals=goals_from(measured, tokenizer),
        figures={name: shape.figures for name, shape in measured.items()},
    )
    path = arguments.output or cache.folder / "goals.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(run.to_json(), encoding="utf-8")
    print(run.table())
    return 0
