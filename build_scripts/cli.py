"""The command line: `python -m build_scripts build | inspect | benchmark`."""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from build_scripts.build import build_pipeline
from build_scripts.family import FAMILY
from build_scripts.inspection import describe
from build_scripts.load import read_source
from build_scripts.progress import timed_step
from ernie_triton.errors import ErnieTritonError
from ernie_triton.pipeline import Batching, PipelineSpec, load_pipeline
from ernie_triton.tasks import ENGINES, LAYOUTS, PRECISIONS, TASKS

_DEFAULTS = {field.name: field.default for field in dataclasses.fields(PipelineSpec)}
_BATCHING = {field.name: field.default for field in dataclasses.fields(Batching)}


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
    _add_build_options(build)
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


def _add_build_options(parser: argparse.ArgumentParser) -> None:
    def add(option: str, text: str, kind: object = str, **more: object) -> None:
        name = option.removeprefix("--").replace("-", "_")
        default = _DEFAULTS.get(name, _BATCHING.get(name))
        shown = f" (default {default})" if default not in (None, "", dataclasses.MISSING) else ""
        parser.add_argument(option, type=kind, help=text + shown, **more)  # type: ignore[arg-type]

    parser.add_argument("pipeline", nargs="?", type=Path, metavar="PIPELINE.toml")
    add("--checkpoint", "folder or file of the fine-tuned model", Path)
    add("--task", "what the model does", choices=sorted(TASKS))
    add("--repository", "the model repository to build into", Path)
    add("--name", "the ensemble's name (default: the task's own)")
    add("--labels", "label names: a JSON list, a name a line, or CLUE's labels.json", Path)
    add("--vocab", "vocab.txt, where the checkpoint has none beside it", Path)
    add("--texts", "sample texts for the checks and warm-up, one a line", Path)
    parser.add_argument(
        "--pair",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="the model reads two texts at once",
    )
    add("--max-length", "most tokens of a row, special tokens included", int)
    add("--engine", "the runtime", choices=ENGINES)
    add("--precision", "what the engine computes in", choices=PRECISIONS)
    add("--layout", "packed: real tokens only", choices=LAYOUTS)
    add("--threads", "threads of the engine, 0 for every core", int)
    add("--tolerance", "largest difference from the source accepted, 0: the precision's own", float)
    add("--version", "version directory to write", int)
    add("--max-batch-size", "most rows of one engine run", int)
    add("--max-queue-delay-us", "microseconds a stage waits for company", int)
    add("--max-queue-size", "most requests that wait at a stage", int)


def _build(arguments: argparse.Namespace) -> int:
    given = {
        name: value
        for name, value in vars(arguments).items()
        if value is not None and name not in ("command", "run", "pipeline")
    }
    manifest = build_pipeline(_spec(arguments.pipeline, given), timed_step)
    print(manifest.summary())
    return 0


def _spec(pipeline: Path | None, given: dict[str, object]) -> PipelineSpec:
    batching = {name: given.pop(name) for name in tuple(given) if name in _BATCHING}
    if pipeline is not None:
        spec = load_pipeline(pipeline)
        changed = dataclasses.replace(spec.batching, **batching)  # type: ignore[arg-type]
        return dataclasses.replace(spec, batching=changed, **given)  # type: ignore[arg-type]
    missing = [f"--{name}" for name in ("checkpoint", "task", "repository") if name not in given]
    if missing:
        print(f"error: without a PIPELINE.toml, {', '.join(missing)} is needed", file=sys.stderr)
        raise SystemExit(2)
    return PipelineSpec(batching=Batching(**batching), **given)  # type: ignore[arg-type]


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
