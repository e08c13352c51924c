"""The pipeline that the arguments of `build` describe: a checkpoint or TOML file, and options."""

import argparse
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from ernie_triton.build.commands.pipeline_files import is_pipeline_file, pipeline_of_folder
from ernie_triton.build.commands.task_inference import infer_task, reads_pairs
from ernie_triton.build.progress import timed_step
from ernie_triton.errors import CheckpointError, PipelineError, UsageError
from ernie_triton.pipeline import (
    DEFAULT_MAX_LENGTH,
    MOST_DOCUMENTS,
    MOST_MASKS,
    Answering,
    Batching,
    PipelineSpec,
    Quantization,
    TensorRtBuild,
    load_pipeline,
)
from ernie_triton.tasks import (
    AUTO_ENGINE,
    CALIBRATORS,
    DEVICES,
    ENGINES,
    LAYOUTS,
    POOLINGS,
    PRECISIONS,
    RANK_ACTIVATIONS,
    TASKS,
    pooling_parts,
)

_REPOSITORY = Path("model_repository")

_TABLES: Mapping[str, type] = {
    "batching": Batching,
    "answering": Answering,
    "quantization": Quantization,
    "tensorrt": TensorRtBuild,
}
"""The tables of a pipeline, by key; no field of theirs has the name of another's."""

_DEFAULTS = {
    field.name: field.default
    for part in (PipelineSpec, *_TABLES.values())
    for field in dataclasses.fields(part)
}


def add_build_options(parser: argparse.ArgumentParser) -> None:
    """Add every argument; those not given are None in the result."""
    parser.usage = "%(prog)s CHECKPOINT... [options]"
    parser.add_argument(
        "sources",
        nargs="*",
        type=Path,
        metavar="CHECKPOINT",
        help="a checkpoint folder, an exported file (onnx, pdmodel, json), or a pipeline TOML",
    )
    general = _adder(parser.add_argument_group("what to build"))
    general("--checkpoint", "the checkpoint; replaces the one that a TOML names", Path)
    task_help = "the model's task (default: as the checkpoint says)"
    general("--task", task_help, choices=sorted(TASKS))
    repository_help = f"model repository to build into (default {_REPOSITORY}, or a TOML's own)"
    general("--repository", repository_help, Path)
    general("--name", "the pipeline's name as a model (default: the task's own)")
    joined_help = "the stages in one model and process, or an ensemble (default: joined on a cpu)"
    general("--joined", joined_help, bool)
    general("--version", "version directory to write", int)
    general("--labels", "label names: a JSON list, a name a line, or CLUE's labels.json", Path)
    general("--vocab", "vocab.txt, where the checkpoint has none beside it", Path)
    general("--texts", "sample texts for the checks and warm-up, one a line", Path)
    general("--pair", "the model reads two texts at once", bool)
    length_help = f"most tokens of a row (default: as the checkpoint says, or {DEFAULT_MAX_LENGTH})"
    general("--max-length", length_help, int)
    engine = _adder(parser.add_argument_group("engine"))
    auto_help = f"the runtime; {AUTO_ENGINE} times those of a CPU and takes the fastest"
    engine("--engine", auto_help, choices=(AUTO_ENGINE, *ENGINES))
    engine("--precision", "what the engine computes in", choices=PRECISIONS)
    engine("--layout", "packed: real tokens only", choices=LAYOUTS)
    engine("--device", "where a container's onnxruntime runs", choices=DEVICES)
    engine("--threads", "threads of the engine, 0 for every core", int)
    copies = "copies of the engine side by side; each takes its memory again"
    engine("--instances", copies, int)
    share = "1; for a GPU a quarter of the cores here"
    engine("--tokenizer-instances", f"processes of an ensemble's tokenizer (default {share})", int)
    last_help = f"processes of an ensemble's last stage (default {share})"
    engine("--postprocess-instances", last_help, int)
    engine("--tolerance", "largest difference from the source accepted, 0: as its precision", float)
    int8 = _adder(parser.add_argument_group("int8"))
    int8("--calibration", "calibration texts, one a line (default: the sample texts)", Path)
    int8("--calibrator", "how ranges of activations are chosen", choices=CALIBRATORS)
    int8("--data", "labelled examples in CLUE's format, to measure the metric's loss on", Path)
    int8("--allowed-loss", "most points of the metric that may be lost, with --data", float)
    int8("--allowed-changes", "share of decisions that may change, without --data", float)
    tensorrt = _adder(parser.add_argument_group("tensorrt"))
    tensorrt("--builder-level", "optimisation level, 0 to 5", int)
    tensorrt("--memory-mib", "most GPU memory of the builder in MiB, 0: all", int)
    tensorrt("--timing-cache", "file that keeps timings between builds", Path)
    tensorrt("--plan", "build the plan now; --no-plan leaves it to `ernie-triton engine`", bool)
    batching = _adder(parser.add_argument_group("batching"))
    batching("--max-batch-size", "most rows of one request and of one batch", int)
    batching("--max-queue-delay-us", "microseconds a request waits for others to batch with", int)
    batching("--max-queue-size", "most requests that wait at a stage; 0: no bound", int)
    batching("--max-text-bytes", "most bytes of one text; a longer one is refused", int)
    answers = _adder(parser.add_argument_group("answers"))
    answers("--overlap", "tokens that windows share, 0: a quarter (token_cls, qa)", int)
    answers("--max-windows", "most windows of one request (token_cls, qa)", int)
    answers("--per-token", "return every word's label too (token_cls)", bool)
    answers("--max-answer-tokens", "longest answer (qa)", int)
    answers("--n-best", "answers in the list of the best (qa)", int)
    answers("--no-answer-threshold", "lead that 'no answer' needs over the best (qa)", float)
    says = "(default: as the checkpoint says)"
    pooling = f"{', '.join(POOLINGS)}, or several joined by + (embedding) {says}"
    answers("--pooling", pooling, _pooling, metavar="POOLING")
    answers("--normalize", f"scale vectors to length 1 (embedding) {says}", bool)
    answers("--dimensions", f"features of a vector to keep (embedding) {says}", int)
    answers("--prompt", "text put before every text (embedding)")
    answers("--prompt-name", f"one of the checkpoint's prompts (embedding) {says}")
    answers("--position-prob", "probability that the ends of a span exceed (extraction)", float)
    answers("--split-sentence", "windows do not cross the end of a sentence (extraction)", bool)
    answers("--max-prompts", "most rows of a request: prompts x texts x windows (extraction)", int)
    answers("--max-schema-names", "most names of a schema (extraction)", int)
    answers("--max-schema-depth", "most names under each other in a schema (extraction)", int)
    through = f"what the score goes through (regression, rerank) {says}"
    answers("--activation", through, choices=RANK_ACTIVATIONS)
    most = ", ".join(f"{count} with {engine}" for engine, count in MOST_DOCUMENTS.items())
    listed = f"(rerank, choice: {most}; cloze: {MOST_MASKS})"
    answers("--max-documents", f"most documents, options or masks of a request {listed}", int)
    answers("--rank-label", "the label whose score ranks, of several (rerank)")
    parser.add_argument(
        "--threshold",
        action="append",
        dest="thresholds",
        metavar="[LABEL=]NUMBER",
        help="probability from which a label is selected (multi_label); repeatable (default 0.5)",
    )


def spec_from_options(source: Path | None, given: dict[str, object]) -> PipelineSpec:
    """The pipeline that the arguments describe.

    Args:
        source: a positional argument, if there is one.
        given: the options that were given, by field name.

    Raises:
        UsageError: two checkpoints are given, or none, or nothing says the task.
        PipelineError: a value contradicts the contract.
        CheckpointError: there is no such checkpoint, or it is damaged.
    """
    if "thresholds" in given:
        given["thresholds"] = _thresholds(given["thresholds"])
    pipeline = _pipeline_file(source, given)
    tables = {
        key: {f.name: given.pop(f.name) for f in dataclasses.fields(table) if f.name in given}
        for key, table in _TABLES.items()
    }
    if pipeline is not None:
        spec = load_pipeline(pipeline)
        for key, values in tables.items():
            given[key] = dataclasses.replace(getattr(spec, key), **values)
        return dataclasses.replace(spec, **given)  # type: ignore[arg-type]
    checkpoint = Path(str(given["checkpoint"]))
    if "task" not in given:
        given["task"] = _inferred_task(checkpoint)
    if "pair" not in given and reads_pairs(checkpoint):
        given["pair"] = True
    given.setdefault("repository", _REPOSITORY)
    for key, table in _TABLES.items():
        given[key] = table(**tables[key])
    return PipelineSpec(**given)  # type: ignore[arg-type]


def _pipeline_file(source: Path | None, given: dict[str, object]) -> Path | None:
    """The pipeline TOML of the arguments; without one `given` has the checkpoint afterwards."""
    option = Path(str(given["checkpoint"])) if "checkpoint" in given else None
    if source is None and option is None:
        raise UsageError("name a CHECKPOINT: a folder, an exported file or a pipeline TOML")
    if source is None:
        if option is not None and is_pipeline_file(option):
            del given["checkpoint"]
            return option
        return None
    if is_pipeline_file(source) and (option is None or not is_pipeline_file(option)):
        return source
    if option is not None:
        raise UsageError(f"found two checkpoints, {source} and --checkpoint {option}; give one")
    found = pipeline_of_folder(source) if source.is_dir() else None
    if found is None:
        given["checkpoint"] = source
    else:
        with timed_step("pipeline") as notes:
            notes.append(f"{found}; --checkpoint {source} builds without it")
    return found


def _inferred_task(checkpoint: Path) -> str:
    if not checkpoint.exists():
        raise CheckpointError(f"the checkpoint {checkpoint} does not exist")
    with timed_step("task") as notes:
        inferred = infer_task(checkpoint)
        notes.append(f"{inferred.task}, by {inferred.reason}; --task names another")
    return inferred.task


def _adder(group: argparse._ArgumentGroup) -> Callable[..., None]:
    def add(option: str, text: str, kind: Callable[[str], object] = str, **more: object) -> None:
        default = _DEFAULTS.get(option.removeprefix("--").replace("-", "_"))
        says = "(default" not in text and default not in (None, "", dataclasses.MISSING)
        shown = f" (default {default})" if says else ""
        if kind is bool:
            action = argparse.BooleanOptionalAction
            group.add_argument(option, action=action, default=None, help=text + shown)
        else:
            group.add_argument(option, type=kind, help=text + shown, **more)  # type: ignore[arg-type]

    return add


def _pooling(text: str) -> str:
    try:
        pooling_parts(text)
    except PipelineError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _thresholds(given: object) -> dict[str, float]:
    thresholds = {}
    for entry in given if isinstance(given, list) else ():
        label, _, number = str(entry).rpartition("=")
        try:
            thresholds[label or "default"] = float(number)
        except ValueError:
            raise UsageError(f"--threshold is {entry!r}; expected NUMBER or LABEL=NUMBER") from None
    return thresholds
