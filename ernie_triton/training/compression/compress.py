"""Run the training steps of `compress`, each once, resuming where the last run stopped.

In the output each step has a folder with its checkpoint, and a record of its inputs in
`steps/STEP.json`. A step with an unchanged record is not run again.
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

from ernie_triton.build.publish.manifest import file_hashes
from ernie_triton.training.compression.steps import (
    ORIGINAL,
    SCORES,
    STEPS,
    CompressionStep,
    StepOptions,
    run_step,
)

if TYPE_CHECKING:
    from ernie_triton.training.datasets import DataSet

RECORDS = "steps"
_CHECKPOINT_SUFFIXES = (".json", ".safetensors", ".bin", ".pdparams", ".txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """Request to compress a checkpoint.

    Attributes:
        checkpoint: a fine-tuned model.
        data: data of its task.
        output: folder of all results.
        options: options of the steps.
    """

    checkpoint: Path
    data: "DataSet"
    output: Path
    options: StepOptions = field(default_factory=StepOptions)

    def folder(self, name: str) -> Path:
        """Return the folder of a step's checkpoint; for `ORIGINAL` the checkpoint's own."""
        return self.checkpoint if name == ORIGINAL else self.output / name


def run_steps(work: Compression, steps: Sequence[CompressionStep]) -> None:
    """Run every step that is not done yet, and report progress on stderr.

    Raises:
        ErnieTritonError: a step fails; the results of earlier steps are kept.
    """
    (work.output / RECORDS).mkdir(parents=True, exist_ok=True)
    for number, step in enumerate(steps, 1):
        words = f"step {number} of {len(steps)}, {step.name} ({step.kind} {step.of})"
        inputs = _inputs(work, step)
        if _is_done(work, step, inputs):
            print_progress(f"{words}: done before, {work.folder(step.name)}")
            continue
        print_progress(f"{words} …")
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
        print_progress(f"{words}: {seconds:.0f} s, {outcome}")
    shutil.rmtree(work.output / SCORES, ignore_errors=True)


def done_steps(work: Compression) -> list[CompressionStep]:
    """List the steps with results, from this run or an earlier one."""
    return [
        step for step in STEPS if _record(work, step).is_file() and work.folder(step.name).is_dir()
    ]


def _clear(work: Compression, step: CompressionStep, inputs: Mapping[str, object]) -> None:
    """Remove a step's old results; keep the work that this run can resume."""
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


def _is_done(work: Compression, step: CompressionStep, inputs: Mapping[str, object]) -> bool:
    try:
        record = json.loads(_record(work, step).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    # JSON turns tuples into lists.
    wanted = json.loads(json.dumps(inputs))
    return work.folder(step.name).is_dir() and record.get("inputs") == wanted


def _inputs(work: Compression, step: CompressionStep) -> dict[str, object]:
    """Collect what decides a step's result: its source checkpoint, the data and the options."""
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


def _record(work: Compression, step: CompressionStep) -> Path:
    return work.output / RECORDS / f"{step.name}.json"


def _started(work: Compression, step: CompressionStep) -> Path:
    """Return the file with the inputs of an unfinished step, which resumes only with the same."""
    return work.output / RECORDS / f"{step.name}.started"


def print_progress(line: str) -> None:
    """Write a line to stderr at once."""
    print(line, file=sys.stderr, flush=True)
