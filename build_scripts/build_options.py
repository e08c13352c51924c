"""The options of `build` as a pipeline: alone, or on top of a TOML file."""

import argparse
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

from ernie_triton.pipeline import Answering, Batching, PipelineSpec, load_pipeline
from ernie_triton.tasks import ENGINES, LAYOUTS, POOLINGS, PRECISIONS, TASKS

_PARTS = (PipelineSpec, Batching, Answering)
_DEFAULTS = {field.name: field.default for part in _PARTS for field in dataclasses.fields(part)}
_BATCHING = {field.name for field in dataclasses.fields(Batching)}
_ANSWERING = {field.name for field in dataclasses.fields(Answering)}


def add_build_options(parser: argparse.ArgumentParser) -> None:
    """Add every option; those not given are absent from the result, as None."""
    parser.add_argument("pipeline", nargs="?", type=Path, metavar="PIPELINE.toml")
    general = _adder(parser.add_argument_group("what to build"))
    general("--checkpoint", "folder or file of the fine-tuned model", Path)
    general("--task", "what the model does", choices=sorted(TASKS))
    general("--repository", "the model repository to build into", Path)
    general("--name", "the ensemble's name (default: the task's own)")
    general("--version", "version directory to write", int)
    general("--labels", "label names: a JSON list, a name a line, or CLUE's labels.json", Path)
    general("--vocab", "vocab.txt, where the checkpoint has none beside it", Path)
    general("--texts", "sample texts for the checks and warm-up, one a line", Path)
    general("--pair", "the model reads two texts at once", bool)
    general("--max-length", "most tokens of a row, special tokens included", int)
    engine = _adder(parser.add_argument_group("engine"))
    engine("--engine", "the runtime", choices=ENGINES)
    engine("--precision", "what the engine computes in", choices=PRECISIONS)
    engine("--layout", "packed: real tokens only", choices=LAYOUTS)
    engine("--threads", "threads of the engine, 0 for every core", int)
    engine("--tolerance", "largest difference from the source accepted, 0: as its precision", float)
    batching = _adder(parser.add_argument_group("batching"))
    batching("--max-batch-size", "most rows of one request and of one batch", int)
    batching("--max-queue-delay-us", "microseconds a stage waits for company", int)
    batching("--max-queue-size", "most requests that wait at a stage", int)
    answers = _adder(parser.add_argument_group("answers"))
    answers("--overlap", "tokens that windows share, 0: a quarter (token_cls, qa)", int)
    answers("--max-windows", "most windows of one request (token_cls, qa)", int)
    answers("--per-token", "return every word's label too (token_cls)", bool)
    answers("--max-answer-tokens", "longest answer (qa)", int)
    answers("--n-best", "answers in the list of the best (qa)", int)
    answers("--no-answer-threshold", "lead that 'no answer' needs over the best (qa)", float)
    answers("--pooling", "which vector stands for a text (embedding)", choices=POOLINGS)
    answers("--normalize", "scale vectors to length 1 (embedding)", bool)
    parser.add_argument(
        "--threshold",
        action="append",
        dest="thresholds",
        metavar="[LABEL=]NUMBER",
        help="probability from which a label is selected (multi_label); repeatable (default 0.5)",
    )


def spec_from_options(pipeline: Path | None, given: dict[str, object]) -> PipelineSpec:
    """The pipeline that the options describe; SystemExit with code 2 where they do not suffice.

    Raises:
        PipelineError: a value contradicts the contract.
    """
    if "thresholds" in given:
        given["thresholds"] = _thresholds(given["thresholds"])
    batching = {name: given.pop(name) for name in tuple(given) if name in _BATCHING}
    answering = {name: given.pop(name) for name in tuple(given) if name in _ANSWERING}
    if pipeline is not None:
        spec = load_pipeline(pipeline)
        return dataclasses.replace(
            spec,
            batching=dataclasses.replace(spec.batching, **batching),  # type: ignore[arg-type]
            answering=dataclasses.replace(spec.answering, **answering),  # type: ignore[arg-type]
            **given,  # type: ignore[arg-type]
        )
    missing = [f"--{name}" for name in ("checkpoint", "task", "repository") if name not in given]
    if missing:
        _wrong_usage(f"without a PIPELINE.toml, {', '.join(missing)} is needed")
    return PipelineSpec(
        batching=Batching(**batching),  # type: ignore[arg-type]
        answering=Answering(**answering),  # type: ignore[arg-type]
        **given,  # type: ignore[arg-type]
    )


def _adder(group: argparse._ArgumentGroup) -> Callable[..., None]:
    def add(option: str, text: str, kind: type = str, **more: object) -> None:
        default = _DEFAULTS.get(option.removeprefix("--").replace("-", "_"))
        shown = f" (default {default})" if default not in (None, "", dataclasses.MISSING) else ""
        if kind is bool:
            action = argparse.BooleanOptionalAction
            group.add_argument(option, action=action, default=None, help=text + shown)
        else:
            group.add_argument(option, type=kind, help=text + shown, **more)  # type: ignore[arg-type]

    return add


def _thresholds(given: object) -> dict[str, float]:
    thresholds = {}
    for entry in given if isinstance(given, list) else ():
        label, _, number = str(entry).rpartition("=")
        try:
            thresholds[label or "default"] = float(number)
        except ValueError:
            _wrong_usage(f"--threshold is {entry!r}; expected NUMBER or LABEL=NUMBER")
    return thresholds


def _wrong_usage(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(2)
