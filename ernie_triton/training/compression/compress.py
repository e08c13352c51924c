"""The work of `compress`: every step once, each from where the last run left it, and the report.

Under the output each step has a folder with its checkpoint, and `steps/STEP.json` with what it was
made from. A step whose record says the same as now is not done again.
"""

import dataclasses
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.build.load.settings import config_values
from ernie_triton.build.progress import timed_step
from ernie_triton.build.publish.manifest import file_hashes
from ernie_triton.training.compression.steps import (
    ORIGINAL,
    SCORES,
    STEPS,
    Step,
    StepOptions,
    run_step,
)

if TYPE_CHECKING:
    from ernie_triton.perf.compression_report.content import Report
    from ernie_triton.perf.compression_report.measuring import Measuring
    from ernie_triton.perf.compression_report.variants import Variant
    from ernie_triton.training.datasets import DataSet

RECORDS = "steps"
_CHECKPOINT_SUFFIXES = (".json", ".safetensors", ".bin", ".pdparams", ".txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """What is compressed, and how.

    Attributes:
        checkpoint: a fine-tuned model.
        data: of its task.
        output: folder of everything.
        options: of the steps.
    """

    checkpoint: Path
    data: "DataSet"
    output: Path
    options: StepOptions = field(default_factory=StepOptions)

    def folder(self, name: str) -> Path:
        """Where the checkpoint of a step is; the original's own place."""
        return self.checkpoint if name == ORIGINAL else self.output / name


def run_steps(work: Compression, steps: Sequence[Step]) -> None:
    """Do every step that is not done yet, telling on stderr how far it is.

    Raises:
        ErnieTritonError: a step fails; those before it are kept.
    """
    (work.output / RECORDS).mkdir(parents=True, exist_ok=True)
    for number, step in enumerate(steps, 1):
        words = f"step {number} of {len(steps)}, {step.name} ({step.kind} {step.of})"
        inputs = _inputs(work, step)
        if _is_done(work, step, inputs):
            _tell(f"{words}: done before, {work.folder(step.name)}")
            continue
        _tell(f"{words} …")
        start = time.monotonic()
        _clear(work, step, inputs)
        outcome = run_step(
            step, work.folder(step.of), work.data, work.folder(step.name), work.options
        )
        seconds = time.monotonic() - start
        record = {"inputs": inputs, "outcome": outcome, "seconds": round(seconds, 1)}
        text = json.dumps(record, ensure_ascii=False, indent=2) + "\n"
        _write(_record(work, step), text)
        _started(work, step).unlink()
        _tell(f"{words}: {seconds:.0f} s, {outcome}")
    shutil.rmtree(work.output / SCORES, ignore_errors=True)


def done_steps(work: Compression) -> list[Step]:
    """The steps whose results are there, from this run or another."""
    return [
        step for step in STEPS if _record(work, step).is_file() and work.folder(step.name).is_dir()
    ]


def variants_of(
    work: Compression, steps: Sequence[Step], precisions: Sequence[str]
) -> list["Variant"]:
    """What the report compares: the original in its precisions, and the result of every step."""
    from ernie_triton.perf.compression_report.variants import Variant

    first = dict.fromkeys(("fp32", *precisions))
    variants = [
        Variant(model=ORIGINAL, checkpoint=work.checkpoint, precision=precision)
        for precision in first
    ]
    for step in steps:
        variant = Variant(
            model=step.model,
            checkpoint=work.folder(step.name),
            precision="int8" if step.kind == "quantize" else "fp32",
        )
        if step.kind == "slim":
            # Of so small a model, most of the time would be the hops between stages.
            variant = dataclasses.replace(variant, engine="onnxruntime", joined=True)
        variants.append(variant)
    return variants


def report_on(
    work: Compression, steps: Sequence[Step], precisions: Sequence[str], measuring: "Measuring"
) -> tuple["Report", list[Path]]:
    """Build, serve and measure everything, and write the report's files.

    Args:
        work: what was compressed.
        steps: whose results to compare with the original.
        precisions: of the original, besides FP32 (and INT8, which is a step).
        measuring: how long.

    Returns:
        The report, and the paths of its files.

    Raises:
        ErnieTritonError: something cannot be built, served or measured.
    """
    from ernie_triton.perf.compression_report.writing import make_report, write_report
    from ernie_triton.training.compression.preparation import usual_max_length
    from ernie_triton.training.datasets.plain import plain_dev

    folder = work.output / "report"
    folder.mkdir(parents=True, exist_ok=True)
    data = dataclasses.replace(work.data, dev_path=plain_dev(work.data, folder), is_plain=True)
    values = config_values(work.checkpoint)
    shape = f"{values.get('num_hidden_layers')} layers x {values.get('hidden_size')}"
    report = make_report(
        variants_of(work, steps, precisions),
        data,
        work.output / "model_repository",
        measuring,
        max_length=work.options.max_length or usual_max_length(work.checkpoint, data.task),
        title=f"{work.checkpoint.name} on {data.name}, {shape}",
        step=timed_step,
        progress=_tell,
    )
    return report, write_report(report, folder)


def _clear(work: Compression, step: Step, inputs: Mapping[str, object]) -> None:
    """Remove what an earlier run made of a step, but not what this one can go on with."""
    folder, text = work.folder(step.name), json.dumps(inputs)
    shutil.rmtree(folder, ignore_errors=True)
    _record(work, step).unlink(missing_ok=True)
    started = _started(work, step)
    if not started.is_file() or started.read_text(encoding="utf-8") != text:
        shutil.rmtree(folder.with_name(f"{folder.name}.work"), ignore_errors=True)
        _write(started, text)


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f"{path.name}.partial")
    beside.write_text(text, encoding="utf-8")
    beside.rename(path)


def _is_done(work: Compression, step: Step, inputs: Mapping[str, object]) -> bool:
    try:
        record = json.loads(_record(work, step).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    # As the file has it: tuples are lists there.
    wanted = json.loads(json.dumps(inputs))
    return work.folder(step.name).is_dir() and record.get("inputs") == wanted


def _inputs(work: Compression, step: Step) -> dict[str, object]:
    """What decides a step's result: the checkpoint that it takes, the data, the options."""
    source = work.folder(step.of)
    files = [path for path in sorted(source.iterdir()) if path.suffix in _CHECKPOINT_SUFFIXES]
    digest = hashlib.sha256(json.dumps(file_hashes(files)).encode()).hexdigest()
    data = (work.data.train_path, work.data.dev_path)
    return {
        "step": dataclasses.asdict(step),
        "checkpoint": digest,
        "data": [file_hashes([path])[path.name] for path in data],
        "task": work.data.task,
        "labels": list(work.data.labels),
        "options": work.options.of(step),
    }


def _record(work: Compression, step: Step) -> Path:
    return work.output / RECORDS / f"{step.name}.json"


def _started(work: Compression, step: Step) -> Path:
    """What a step under way is made from: a killed one goes on only with the same."""
    return work.output / RECORDS / f"{step.name}.started"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
