"""Quantise a fine-tuned checkpoint to INT8, by rounding or by further training.

Rounding after training comes first. The damage of every layer is measured, and the worst layers
stay in floating point until the loss fits. If rounding every layer loses too much, the model is
fine-tuned with rounding in its forward pass (`qat`) and rounded again; the better result is kept.
"""

import dataclasses
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.build.load import holds_weights
from ernie_triton.build.progress import StepReporter
from ernie_triton.build.torch_models.checkpoints import check_free
from ernie_triton.build.torch_models.modules import import_torch
from ernie_triton.errors import CheckpointError, ExactnessError, PipelineError
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.tasks import CALIBRATORS, ENGINES
from ernie_triton.text_files import lines_of, read_text_file
from ernie_triton.training.compression.int8.folder import (
    QuantizeReport,
    RoundedTraining,
    write_calibration,
    write_quantized,
)
from ernie_triton.training.compression.int8.pipelines import int8_pipeline
from ernie_triton.training.compression.int8.post_training import EngineFigures, post_training
from ernie_triton.training.compression.preparation import usual_max_length
from ernie_triton.training.datasets.plain import plain_dev
from ernie_triton.training.loop.schedule import Schedule

if TYPE_CHECKING:
    from ernie_triton.training.datasets import DataSet

AUTO, ALWAYS, NEVER = QAT_MODES = ("auto", "always", "never")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeOptions:
    """Options of quantisation.

    Attributes:
        engines: the runtimes: `openvino`, `onnxruntime` (CPU), `tensorrt` (GPU).
        qat: fine-tune with rounding `always`, `never`, or with `auto` if rounding every layer
            loses more than `allowed_loss` in one of the engines.
        allowed_loss: most points of the metric that INT8 may lose.
        calibrator: method to choose input ranges, one of `CALIBRATORS`.
        calibration_texts: number of texts to draw from the training data.
        max_length: most tokens of a row, as it will be served; None for the task's default.
        epochs: epochs of the fine-tuning.
        batch_size: rows of a batch in the fine-tuning.
        learning_rate: highest learning rate of the fine-tuning.
        seed: seed of the draw and of the training.
    """

    engines: tuple[str, ...] = ("openvino", "tensorrt")
    qat: str = AUTO
    allowed_loss: float = 0.5
    calibrator: str = "percentile"
    calibration_texts: int = 512
    max_length: int | None = None
    epochs: int = 2
    batch_size: int = 32
    learning_rate: float = 2e-5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.qat not in QAT_MODES:
            raise PipelineError(f"qat is {self.qat!r}; expected one of {', '.join(QAT_MODES)}")
        if self.calibrator not in CALIBRATORS:
            raise PipelineError(
                f"calibrator is {self.calibrator!r}; expected one of {', '.join(CALIBRATORS)}"
            )
        unknown = [name for name in self.engines if name not in ENGINES]
        if unknown or not self.engines:
            raise PipelineError(
                f"engines are {list(self.engines)}; expected some of {', '.join(ENGINES)}"
            )
        least = {"calibration_texts": 2, "allowed_loss": 0}
        for name, number in least.items():
            if getattr(self, name) < number:
                raise PipelineError(f"{name} is {getattr(self, name)}; expected at least {number}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A checkpoint with the figures of its engines in INT8."""

    checkpoint: Path
    figures: tuple[EngineFigures, ...]
    training: RoundedTraining | None = None

    def rank(self, original: Sequence[EngineFigures], allowed: float) -> tuple[int, int, float]:
        """Return a rank, higher is better: engines that fit, layers in INT8, points of the worst.

        Args:
            original: figures of the original checkpoint, by engine.
            allowed: most points to lose against it.
        """
        losses = [one.lost_from(first) for one, first in zip(self.figures, original, strict=True)]
        fitting = sum(loss <= allowed + 1e-9 for loss in losses)
        return fitting, -sum(len(one.kept) for one in self.figures), -max(losses)


def quantize_checkpoint(
    checkpoint: Path, data: "DataSet", output: Path, options: QuantizeOptions, step: StepReporter
) -> QuantizeReport:
    """Write a checkpoint whose INT8 loses no more than allowed, with the inputs of `build`.

    Args:
        checkpoint: a fine-tuned model, pruned or not.
        data: its task's data; `train` calibrates and trains, `dev` measures.
        output: folder to make: the checkpoint, `calibration.txt`, `quantization.json`, and by
            engine `pipeline.toml` and `pipeline.gpu.toml`.
        options: options of quantisation.
        step: reports each step.

    Raises:
        CheckpointError: the checkpoint cannot be read, or `output` exists.
        ExactnessError: no choice of layers fits, with or without fine-tuning.
    """
    check_free(output)
    if not holds_weights(checkpoint):
        raise CheckpointError(
            f"{checkpoint} holds no weights; name the folder of a transformers or PaddleNLP "
            f"checkpoint"
        )
    start = time.monotonic()
    max_length = options.max_length or usual_max_length(checkpoint, data.task)
    options = dataclasses.replace(options, max_length=max_length)
    # Beside the output, so that a killed run resumes its training.
    work = output.with_name(f"{output.name}.work")
    work.mkdir(parents=True, exist_ok=True)
    with step("texts") as notes:
        calibration = write_calibration(data, options.calibration_texts, options.seed, work)
        data = dataclasses.replace(data, dev_path=plain_dev(data, work), is_plain=True)
        notes.append(str(calibration))

    def spec_of(folder: Path, engine: str) -> PipelineSpec:
        return int8_pipeline(
            folder,
            data,
            calibration,
            engine=engine,
            max_length=max_length,
            calibrator=options.calibrator,
            allowed_loss=options.allowed_loss,
        )

    chosen, reason, original = _chosen(checkpoint, data, work, options, spec_of, step)
    report = QuantizeReport(
        task=data.task,
        checkpoint=str(checkpoint),
        reason=reason,
        fp32=original.figures[0].fp32,
        engines=chosen.figures,
        after_rounding=original.figures,
        training=chosen.training,
        calibrator=options.calibrator,
        calibration_texts=len(lines_of(read_text_file(calibration))),
        seed=options.seed,
        seconds=time.monotonic() - start,
    )
    with step("write") as notes:
        specs = [spec_of(chosen.checkpoint, engine) for engine in options.engines]
        write_quantized(chosen.checkpoint, output, specs, report)
        notes.append(str(output))
    shutil.rmtree(work)
    return report


def _chosen(
    checkpoint: Path,
    data: "DataSet",
    work: Path,
    options: QuantizeOptions,
    spec_of: Callable[[Path, str], PipelineSpec],
    step: StepReporter,
) -> tuple[_Candidate, str, _Candidate]:
    """Return the better candidate, the reason for it, and the original."""
    figures = tuple(post_training(spec_of(checkpoint, name), step) for name in options.engines)
    original = _Candidate(checkpoint=checkpoint, figures=figures)
    worst = max(figures, key=lambda one: one.rounding_loss)
    found = f"rounding every layer loses {worst.rounding_loss:.2f} points ({worst.engine})"
    limit = f"{options.allowed_loss:g} are allowed"
    fits = worst.rounding_loss <= options.allowed_loss + 1e-9
    if options.qat == NEVER or (options.qat == AUTO and fits):
        _check_fits(original, original, options.allowed_loss)
        why = "fine-tuning was not wanted" if options.qat == NEVER else limit
        return original, f"{found}; {why}", original
    trained = _trained(checkpoint, data, work, options, figures[0], step)
    figures = tuple(
        post_training(spec_of(trained.checkpoint, name), step) for name in options.engines
    )
    trained = dataclasses.replace(trained, figures=figures)
    first, second = (trained, original) if options.qat == ALWAYS else (original, trained)
    better = max(first, second, key=lambda one: one.rank(original.figures, options.allowed_loss))
    _check_fits(better, original, options.allowed_loss)
    outcome = "is kept" if better is trained else "was no better, and is left out"
    return better, f"{found}, {limit}; fine-tuning with rounding {outcome}", original


def _trained(
    checkpoint: Path,
    data: "DataSet",
    work: Path,
    options: QuantizeOptions,
    figures: EngineFigures,
    step: StepReporter,
) -> _Candidate:
    # Needs the extra `train`; rounding alone does not.
    import_torch()
    from ernie_triton.training.compression.int8.qat import fine_tune_rounded

    schedule = Schedule(
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        seed=options.seed,
    )
    folder = work / "checkpoint"
    shutil.rmtree(folder, ignore_errors=True)
    with step("fine-tune") as notes:
        training = fine_tune_rounded(
            checkpoint,
            data,
            folder,
            schedule,
            figures.scales,
            max_length=options.max_length or usual_max_length(checkpoint, data.task),
            work=work / "training",
        )
        notes.append(training.sentence())
    return _Candidate(checkpoint=folder, figures=(), training=training)


def _check_fits(candidate: _Candidate, original: _Candidate, allowed: float) -> None:
    for one, first in zip(candidate.figures, original.figures, strict=True):
        if one.lost_from(first) > allowed + 1e-9:
            found = one.rounded if one.int8 is None else one.int8
            raise ExactnessError(
                f"int8 loses too much in {one.engine}, whichever layers stay in floating point: "
                f"{one.metric} {found:.2f} instead of {first.fp32:.2f}, {allowed:g} points may be "
                f"lost; use --qat always, another --calibrator, or a larger --allowed-loss"
            )
