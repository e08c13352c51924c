"""Distillation: a student of any shape learns to answer as its teacher does.

First its layers learn what goes on inside the teacher, then its answers (the two stages of
TinyBERT, arxiv.org/abs/1909.10351, section 3.2).
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
_OF_THE_TEACHER = (
    *("vocab_size", "max_position_embeddings", "type_vocab_size", "pad_token_id", "use_task_id"),
    *("hidden_act", "pool_act", "layer_norm_eps", "initializer_range", "problem_type"),
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"),
    *("id2label", "label2id"),
)
"""Of its configuration, what a student of any shape has too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """How a student is taught.

    Attributes:
        layers: the first stage's training; None for none.
        answers: the second stage's.
        weights: of the losses of both.
        texts: a file of further texts without labels, one (or a pair with a tab between) a line.
        examples: training examples that the teacher's parts are ranked on where the student is
            narrower.
        max_length: most tokens of a row in training; None for the task's usual.
        seed: of the weights that the teacher has none for.
        subwords: pieces of several characters that the student's vocabulary gets, so that its
            sequences are shorter; it then learns answers alone. 0: it reads the teacher's tokens.
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
    """Teach a student, and write it as a checkpoint.

    Args:
        checkpoint: the teacher: a fine-tuned model, transformers or PaddleNLP, pruned or not.
        data: of its task.
        output: a new folder; `compression.json` lies beside the weights.
        student: its shape.
        distillation: how it is taught.
        work: what training needs to go on after a kill; `OUTPUT.work` unless given. It is removed
            when the checkpoint is written.
        resume: go on with what `work` holds.

    Raises:
        CheckpointError: the student's shape does not fit, the model is of another task than the
            data, or the output exists.
        DatasetError: a line of the further texts is broken.
        SubwordsError: the texts do not support a shorter vocabulary.
    """
    how = distillation or Distillation()
    check_free(output)
    own = school = prepared_model(checkpoint, data, max_length=how.max_length)
    shape = student.of(school.model)
    folder = work or output.with_name(f"{output.name}.work")
    if how.subwords:
        school = with_subwords(own, how.subwords, how.texts, folder / "tokenizer")
    with timed_step("student") as notes:
        before, started = own.points_of(own.model), time.perf_counter()
        model = new_student(school, shape, how)
        seconds = {"initialising": time.perf_counter() - started}
        at_first = school.points_of(model)
        notes.append(f"{before:.2f} points, {at_first:.2f} before any lesson")
    teacher = Teacher(own.model, data.task)
    if how.subwords:
        teacher = TeacherOfTexts(own, school, with_unlabelled(data, how.texts))
    elif how.layers is not None:
        result = _teach_layers(model, teacher, school, how, folder / "layers", resume=resume)
        seconds["layers"] = result.seconds
    result = _teach_answers(model, teacher, school, how, folder / "answers", resume=resume)
    seconds["answers"] = result.seconds
    report = StepReport(
        step="distil",
        metric=EVALUATION_METHODS[data.task].metric.name,
        before=model_figures(own.model, before),
        after=model_figures(model, result.points),
        seconds=seconds,
        settings={**_settings(how, model, shape), "points_at_first": at_first},
    )
    more = {REPORT_FILE: report.as_bytes()}
    save_model(model, output, tokenizer_from=school.checkpoint, more_files=more)
    shutil.rmtree(folder, ignore_errors=True)
    return report


def new_student(school: PreparedModel, shape: Shape, how: Distillation) -> "PreTrainedModel":
    """The student with the teacher's weights as far as its shape has room for them."""
    config = school.model.config
    sizes: dict[str, Any] = {
        **{name: value for name, value in config.to_dict().items() if name in _OF_THE_TEACHER},
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.hidden,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.feed_forward,
    }
    student = new_model(config.model_type, task_named(school.data.task).head, sizes, seed=how.seed)
    initialise(student, school.model, _importance(school, shape, how))
    return student


def _importance(school: PreparedModel, shape: Shape, how: Distillation) -> Importance:
    """What may be left out; without measuring where nothing has to be."""
    widths = widths_of(school.model)
    is_narrower = (
        shape.hidden < school.model.config.hidden_size
        or any(shape.heads < width.heads for width in widths)
        or any(shape.feed_forward < width.feed_forward for width in widths)
    )
    if not is_narrower:
        return weight_importance(school.model)
    return task_importance(school, how.examples)


def _teach_layers(
    model: "PreTrainedModel",
    teacher: Teacher,
    school: PreparedModel,
    how: Distillation,
    folder: Path,
    *,
    resume: bool,
) -> TrainingResult:
    """The first stage. The development set is measured on a part, to see that all goes well."""
    torch = import_torch()
    if how.layers is None:
        raise ValueError("there is no first stage")
    data = dataclasses.replace(
        with_unlabelled(school.data, how.texts), dev=school.data.dev[:_LAYER_STAGE_DEV]
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
        school.task,
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


def _teach_answers(
    model: "PreTrainedModel",
    teacher: Teacher,
    school: PreparedModel,
    how: Distillation,
    folder: Path,
    *,
    resume: bool,
) -> TrainingResult:
    """The second stage: answers, and the data's labels where every text has one."""
    weights = dataclasses.replace(how.weights, labels=0.0) if how.texts else how.weights
    return train(
        model,
        with_unlabelled(school.data, how.texts),
        school.task,
        how.answers,
        folder,
        loss=AnswerObjective(teacher, school.task, weights),
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
