"""The output folder of `quantize`: a checkpoint, the inputs of its build, and the figures."""

import dataclasses
import json
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.build.load import read_source
from ernie_triton.build.load.settings import CONFIG_FILES
from ernie_triton.build.load.weight_files import find_weights
from ernie_triton.build.whole_folder import whole_folder
from ernie_triton.errors import DatasetError
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.tokenizer.vocabulary import VOCABULARY_FILE
from ernie_triton.training.compression.int8.pipelines import (
    CPU_PIPELINE,
    GPU_PIPELINE,
    REPOSITORY,
    write_pipeline,
)
from ernie_triton.training.compression.int8.post_training import EngineFigures
from ernie_triton.training.datasets.plain import PLAIN_DEV

if TYPE_CHECKING:
    from ernie_triton.training.datasets import DataSet

CALIBRATION_FILE = "calibration.txt"
FIGURES_FILE = "quantization.json"
_FEWEST_TEXTS = 2
_CHECKPOINT_FILES = (
    *CONFIG_FILES,
    VOCABULARY_FILE,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.json",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundedTraining:
    """Figures of fine-tuning with rounding.

    Attributes:
        epochs: epochs trained.
        learning_rate: the highest learning rate.
        seconds: duration.
        before: points of the rounded torch model before training, 0 to 100.
        after: the same after training.
    """

    epochs: int
    learning_rate: float
    seconds: float
    before: float
    after: float

    def sentence(self) -> str:
        """Format the figures as a sentence."""
        return (
            f"{self.before:.2f} points before and {self.after:.2f} after {self.epochs} epochs "
            f"with every layer rounded"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeReport:
    """Report on the quantisation of a checkpoint, with its loss.

    Attributes:
        task: name of the task.
        checkpoint: the original checkpoint.
        reason: the reason to fine-tune with rounding, or not to.
        fp32: points of the original in FP32, 0 to 100.
        engines: figures of the written checkpoint, by engine; also its own `fp32`.
        after_rounding: figures of the original in INT8, by engine.
        training: training of the written checkpoint; None if it has the original's weights.
        calibrator: method that chose the ranges.
        calibration_texts: number of texts drawn from the training data.
        seed: seed of the draw.
        seconds: duration of the whole work.
    """

    task: str
    checkpoint: str
    reason: str
    fp32: float
    engines: tuple[EngineFigures, ...]
    after_rounding: tuple[EngineFigures, ...]
    training: RoundedTraining | None
    calibrator: str
    calibration_texts: int
    seed: int
    seconds: float

    @property
    def int8(self) -> float:
        """Points of the first engine in INT8, 0 to 100."""
        return self.engines[0].int8 or 0.0

    @property
    def lost(self) -> float:
        """Points that the first engine loses against the original in FP32."""
        return self.fp32 - self.int8

    def to_json(self) -> str:
        """As indented JSON."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=2) + "\n"

    def text(self) -> str:
        """Format the loss, and the most damaged layers, as lines."""
        lines = [
            f"{one.sentence()}; {self.fp32 - (one.int8 or 0):+.2f} lost" for one in self.engines
        ]
        for one in self.engines:
            worst = list(one.damage.items())[:5]
            words = ", ".join(f"{name} {100 * damage:.1f} %" for name, damage in worst)
            lines.append(f"{one.engine}: damage of single layers, the worst first: {words}")
            kept = ", ".join(one.kept) or "none"
            lines.append(f"{one.engine}: kept in floating point: {kept}")
        return "\n".join([*lines, self.reason])


def write_quantized(
    checkpoint: Path, output: Path, specs: Sequence[PipelineSpec], report: QuantizeReport
) -> None:
    """Write the folder under another name, read the checkpoint back, then rename it.

    Args:
        checkpoint: folder with the weights.
        output: folder to make.
        specs: pipelines of the engines; calibration texts and development data that were written
            for them are copied.
        report: the figures.

    Raises:
        CheckpointError: the written checkpoint cannot be read.
        PipelineError: a written pipeline cannot be read.
    """
    with whole_folder(output) as beside:
        for name in _CHECKPOINT_FILES:
            if (checkpoint / name).is_file():
                shutil.copyfile(checkpoint / name, beside / name)
        _copy_weights(checkpoint, beside)
        read_source(beside)
        (beside / FIGURES_FILE).write_text(report.to_json(), encoding="utf-8")
        written = set()
        for spec in specs:
            name = GPU_PIPELINE if spec.device == "gpu" else CPU_PIPELINE
            if name in written:
                name = f"pipeline.{spec.engine}.toml"
            written.add(name)
            write_pipeline(_moved(spec, beside), beside / name, _heading(report, spec.engine))


def _copy_weights(checkpoint: Path, folder: Path) -> None:
    found = find_weights(checkpoint)
    if found is None:
        raise DatasetError(f"{checkpoint} holds no weights; expected a checkpoint")
    for path in (*found.files, *([found.index] if found.index else [])):
        shutil.copyfile(path, folder / path.name)


def _moved(spec: PipelineSpec, folder: Path) -> PipelineSpec:
    """Copy a pipeline's own files into a folder, and return the pipeline of that folder."""
    int8 = spec.quantization
    if int8.calibration is None or int8.data is None:
        raise ValueError("the pipeline has no calibration texts or no labelled data")
    work = int8.calibration.parent
    shutil.copyfile(int8.calibration, folder / CALIBRATION_FILE)
    data = int8.data
    if data.parent == work:
        shutil.copyfile(data, folder / PLAIN_DEV)
        data = folder / PLAIN_DEV
    moved = dataclasses.replace(int8, calibration=folder / CALIBRATION_FILE, data=data)
    return dataclasses.replace(
        spec, checkpoint=folder, repository=folder / REPOSITORY, quantization=moved
    )


def _heading(report: QuantizeReport, engine: str) -> str:
    figures = next(one for one in report.engines if one.engine == engine)
    return (
        f"Made by `quantize`: {figures.metric} {figures.int8:.2f} in INT8, {report.fp32:.2f} of "
        f"the original in FP32. Build it with: ernie-triton build THIS_FILE"
    )


def drawn_texts(data: "DataSet", count: int, seed: int) -> list[str]:
    """Draw different lines of the training examples, in random order.

    Args:
        data: the data set; its `train` is drawn from.
        count: number of lines; all, if there are fewer.
        seed: seed of the draw.

    Returns:
        A line for each example: its text, or its two texts split by a tab. White space within a
        text becomes one space, as in the tokenizer.

    Raises:
        DatasetError: there are fewer than two different lines.
    """
    lines = list(dict.fromkeys(_line(example.texts) for example in data.train))
    lines = [line for line in lines if line.strip()]
    if len(lines) < _FEWEST_TEXTS:
        raise DatasetError(
            f"{data.train_path} has {len(lines)} different texts; calibration needs at least "
            f"{_FEWEST_TEXTS}, better hundreds"
        )
    return random.Random(seed).sample(lines, min(count, len(lines)))


def write_calibration(data: "DataSet", count: int, seed: int, folder: Path) -> Path:
    """Draw texts into `calibration.txt` of a folder, and return its path.

    Raises:
        DatasetError: there are too few texts.
    """
    path = folder / CALIBRATION_FILE
    lines = drawn_texts(data, count, seed)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def _line(texts: tuple[str, ...]) -> str:
    return "\t".join(" ".join(text.split()) for text in texts)
