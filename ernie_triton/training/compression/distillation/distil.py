"""Distillation: a student of any shape learns to answer as its teacher does.

Its layers learn from the teacher's layers first; then it learns the teacher's answers (the two
stages of TinyBERT, arxiv.org/abs/1909.10351, section 3.2).
"""

import dataclasses
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ernie_triton.build.progress import timed_step
from ernie_triton.build.torch_models.checkpoints import check_free, save_model
from ernie_triton.build.torch_models.layer_widths import layers_of, widths_of
from ernie_triton.build.torch_models.modules import import_torch, new_model
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.model_shapes import Shape
from ernie_triton.tasks import task_named
from ernie_triton.training.compression.distillation.layers import PROJECTION, LayerObjective
from ernie_triton.training.compression.distillation.students import (
    StudentShape,
    initialise,
    taught_by,
)
from ernie_triton.training.compression.objectives.objectives import AnswerObjective, LossWeights
from ernie_triton.training.compression.objectives.teacher import Teacher
from ernie_triton.training.compression.preparation import PreparedModel, prepared_model
from ernie_triton.training.compression.pruning.importance import (
    Importance,
    task_importance,
    weight_importance,
)
from ernie_triton.training.compression.step_report import REPORT_FILE, StepReport, model_figures
from ernie_triton.training.compression.subwords.students import TeacherOfTexts, with_subwords
from ernie_triton.training.datasets import DataSet, with_unlabelled
from ernie_triton.training.loop.schedule import Schedule
from ernie_triton.training.loop.training import TrainingResult, train

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LAYER_STAGE = Schedule(epochs=3, learning_rate=2e-4, weight_decay=0.0, keep_best=False)
ANSWER_STAGE = Schedule(epochs=5, learning_rate=1e-4)
_LAYER_STAGE_DEV = 256
_INHERITED = (
    *("vocab_size", "max_position_embeddings", "type_vocab_size", "pad_token_id", "use_task_id"),
    *("hidden_act", "pool_act", "layer_norm_eps", "initializer_range", "problem_type"),
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"),
    *("id2label", "label2id"),
)
"""Keys of the configuration that a student of any shape takes over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """Options of distillation.

    Attributes:
        layers: schedule of the first stage; None to skip it.
        answers: schedule of the second stage.
        weights: weights of the losses of both stages.
        texts: file of further texts without labels, one per line, or a pair split by a tab.
        examples: training examples to rank the teacher's parts on, for a narrower student.
        max_length: most tokens of a row in training; None for the task's default.
        seed: seed of weights that the teacher does not have.
        subwords: most pieces of several characters to add to the student's vocabulary. Its
            sequences become shorter, and it learns answers alone. 0 keeps the teacher's tokens.
    """

    layers: Schedule | None = LAYER_STAGE
    answers: Schedule = ANSWER_STAGE
    weights: LossWeights = field(default_factory=lambda: LossWeights(labels=0.5))
    texts: Path | None = None
    examples: int = 1024
    max_length: int | None = None
    seed: int = 0
    subwords: int = 0


def distil(
    checkpoint: Path,
    data: DataSet,
    output: Path,
    student: StudentShape,
    *,
    distillation: Distillation | None = None,
    work: Path | None = None,
    resume: bool = True,
) -> StepReport:
    """Train a student, and write it as a checkpoint.

    Args:
        checkpoint: the teacher: a fine-tuned model, transformers or PaddleNLP, pruned or not.
        data: data of its task.
        output: a new folder; `compression.json` lies beside the weights.
        student: the student's shape.
        distillation: all other options.
        work: folder from which a killed run resumes, by default `OUTPUT.work`. It is removed
            when the checkpoint is written.
        resume: continue the training in `work`.

    Raises:
        CheckpointError: the student's shape does not fit, the model has another task than the
            data, or the output exists.
        DatasetError: a line of the further texts is broken.
        SubwordsError: the texts do not allow a shorter vocabulary.
    """
    how = distillation or Distillation()
    check_free(output)
    teacher = source = prepared_model(checkpoint, data, max_length=how.max_length)
    shape = student.of(teacher.model)
    folder = work or output.with_name(f"{output.name}.work")
    if how.subwords:
        source = with_subwords(teacher, how.subwords, how.texts, folder / "tokenizer")
    with timed_step("student") as notes:
        before, started = teacher.points_of(teacher.model), time.perf_counter()
        model = new_student(source, shape, how)
        seconds = {"initialising": time.perf_counter() - started}
        at_first = source.points_of(model)
        notes.append(f"{before:.2f} points, {at_first:.2f} before training")
    answers = Teacher(teacher.model, data.task)
    if how.subwords:
        answers = TeacherOfTexts(teacher, source, with_unlabelled(data, how.texts))
    elif how.layers is not None:
        result = _train_layers(model, answers, source, how, folder / "layers", resume=resume)
        seconds["layers"] = result.seconds
    result = _train_answers(model, answers, source, how, folder / "answers", resume=resume)
    seconds["answers"] = result.seconds
    report = StepReport(
        step="distil",
        metric=EVALUATION_METHODS[data.task].metric.name,
        before=model_figures(teacher.model, before),
        after=model_figures(model, result.points),
        seconds=seconds,
        settings={**_settings(how, model, shape), "points_at_first": at_first},
    )
    more = {REPORT_FILE: report.as_bytes()}
    save_model(model, output, tokenizer_from=source.checkpoint, more_files=more)
    shutil.rmtree(folder, ignore_errors=True)
    return report


def new_student(source: PreparedModel, shape: Shape, how: Distillation) -> "PreTrainedModel":
    """Make a student with as many of the source's weights as its shape has room for."""
    config = source.model.config
    sizes: dict[str, Any] = {
        **{name: value for name, value in config.to_dict().items() if name in _INHERITED},
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.hidden,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.feed_forward,
    }
    student = new_model(config.model_type, task_named(source.data.task).head, sizes, seed=how.seed)
    initialise(student, source.model, _importance(source, shape, how))
    return student


def _importance(source: PreparedModel, shape: Shape, how: Distillation) -> Importance:
    """Rank the source's parts; measure only if the student is narrower."""
    widths = widths_of(source.model)
    is_narrower = (
        shape.hidden < source.model.config.hidden_size
        or any(shape.heads < width.heads for width in widths)
        or any(shape.feed_forward < width.feed_forward for width in widths)
    )
    if not is_narrower:
        return weight_importance(source.model)
    return task_importance(source, how.examples)


def _train_layers(
    model: "PreTrainedModel",
    teacher: Teacher,
    source: PreparedModel,
    how: Distillation,
    folder: Path,
    *,
    resume: bool,
) -> TrainingResult:
    """Run the first stage; evaluate on a part of the development set to show progress."""
    torch = import_torch()
    if how.layers is None:
        raise ValueError("there is no first stage")
    data = dataclasses.replace(
        with_unlabelled(source.data, how.texts), dev=source.data.dev[:_LAYER_STAGE_DEV]
    )
    chosen = taught_by(len(layers_of(model)), len(layers_of(teacher.model)))
    size, wanted = model.config.hidden_size, teacher.model.config.hidden_size
    if size != wanted:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(how.seed)
            setattr(model, PROJECTION, torch.nn.Linear(size, wanted))
    result = train(
        model,
        data,
        source.task,
        how.layers,
        folder,
        loss=LayerObjective(teacher, how.weights, chosen),
        signature=f"layers {how}",
        resume=resume,
        name="layers",
    )
    if size != wanted:
        delattr(model, PROJECTION)
    return result


def _train_answers(
    model: "PreTrainedModel",
    teacher: Teacher,
    source: PreparedModel,
    how: Distillation,
    folder: Path,
    *,
    resume: bool,
) -> TrainingResult:
    """Run the second stage: learn answers, and also labels if every text has one."""
    weights = dataclasses.replace(how.weights, labels=0.0) if how.texts else how.weights
    return train(
        model,
        with_unlabelled(source.data, how.texts),
        source.task,
        how.answers,
        folder,
        loss=AnswerObjective(teacher, source.task, weights),
        signature=f"answers {how}",
        resume=resume,
        name="answers",
    )


def _settings(how: Distillation, model: "PreTrainedModel", shape: Shape) -> dict[str, Any]:
    return {
        **asdict(shape),
        "stages": {
            "layers": asdict(how.layers) if how.layers and not how.subwords else None,
            "answers": asdict(how.answers),
        },
        "weights": asdict(how.weights),
        "texts": str(how.texts) if how.texts else None,
        "subwords": how.subwords,
        "widths": [asdict(one) for one in widths_of(model)],
    }
