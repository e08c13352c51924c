"""Data distillation: a teacher scores many texts, and a student learns the scores.

As in ERNIE-Slim (PaddlePaddle/ERNIE, `distill/README`), the texts are those of the training data,
optional others without labels, and new ones made from both (`augment`).
"""

import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ernie_triton.build.check.sample_texts import SampleRules, read_sample_texts
from ernie_triton.build.load.settings import vocabulary_beside
from ernie_triton.build.load.slim import SlimConfig
from ernie_triton.build.load.tokenizers.tokenizer_files import read_vocabulary
from ernie_triton.build.model.slim import KINDS
from ernie_triton.build.torch_models.checkpoints import check_free
from ernie_triton.build.torch_models.modules import import_torch
from ernie_triton.errors import CheckpointError
from ernie_triton.tasks import TASKS, task_named
from ernie_triton.training.compression.preparation import PreparedModel, prepared_model
from ernie_triton.training.compression.slim.augment import Augmentation, Augmenter
from ernie_triton.training.compression.slim.checkpoints import save_student
from ernie_triton.training.compression.slim.rows import RowMaker, SoftScoreTraining
from ernie_triton.training.compression.slim.soft_scores import teacher_scorer
from ernie_triton.training.compression.step_report import (
    REPORT_FILE,
    StepReport,
    model_figures,
    module_figures,
)
from ernie_triton.training.datasets import DataSet
from ernie_triton.training.loop.schedule import Schedule
from ernie_triton.training.loop.training import train
from ernie_triton.training.tasks import Features

if TYPE_CHECKING:
    from ernie_triton.training.compression.slim.modules import SlimClassifier

_MAX_POSITIONS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class SlimTraining:
    """Options of a slim student.

    Attributes:
        embedding_size: width of its word vectors.
        hidden_size: width of its hidden layer.
        bigram_buckets: rows of the bigram table of a bag of words; 0 for none.
        filters: features of a convolution's windows of one token, two tokens and so on.
        dropout: share of features that are left out in training, 0 to below 1.
        teachers_words: start with the teacher's word vectors, projected to the student's width;
            else with random ones.
        temperature: softens the scores of both sides, above 0.
        augmentation: options of the new texts.
        unlabelled: file of texts without labels, one per line, or a pair split by a tab.
        schedule: schedule of the training.
        max_length: most tokens of a row in training; None for the task's default.
    """

    embedding_size: int = 64
    hidden_size: int = 128
    bigram_buckets: int = 32768
    filters: tuple[int, ...] = (128, 128, 128)
    dropout: float = 0.1
    teachers_words: bool = True
    temperature: float = 1.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    unlabelled: Path | None = None
    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            epochs=3, batch_size=64, learning_rate=2e-3, warmup_share=0.05, precision="fp32"
        )
    )
    max_length: int | None = None

    def __post_init__(self) -> None:
        for name in ("embedding_size", "hidden_size"):
            if getattr(self, name) < 1:
                raise CheckpointError(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.bigram_buckets < 0 or not self.filters or min(self.filters) < 1:
            raise CheckpointError(
                f"bigram_buckets is {self.bigram_buckets} and filters {list(self.filters)}; "
                f"expected no negative number, and at least one feature of each window"
            )
        if not 0 <= self.dropout < 1 or self.temperature <= 0:
            raise CheckpointError(
                f"dropout is {self.dropout} and temperature {self.temperature}; expected 0 to "
                f"below 1, and above 0"
            )


def distil_slim(
    teacher: Path,
    data: DataSet,
    output: Path,
    *,
    kind: str = "cnn",
    training: SlimTraining | None = None,
    work: Path | None = None,
    scores: Path | None = None,
) -> StepReport:
    """Train a bag of words or a convolution, and write it as a checkpoint that `build` takes.

    Args:
        teacher: the fine-tuned checkpoint.
        data: data of its task, single texts or pairs.
        output: a new folder; `compression.json` lies beside the weights.
        kind: `bow` or `cnn`.
        training: all other options.
        work: folder from which a killed run resumes, by default `OUTPUT.work`. It is removed
            when the checkpoint is written.
        scores: folder of the teacher's scores, which other students of the same teacher can
            share; it is not removed. By default it is within `work`.

    Raises:
        CheckpointError: the kind or the task does not fit a slim student, the teacher has another
            task or other labels, or the output exists.
        TextError: the texts without labels cannot be read.
    """
    how = training or SlimTraining()
    _check(kind, data)
    check_free(output)
    folder = work or output.with_name(f"{output.name}.work")
    began = time.perf_counter()
    ready = prepared_model(teacher, data, max_length=how.max_length)
    before = ready.points_of(ready.model)
    rows = _rows(ready, how)
    made = time.perf_counter()
    scorer = teacher_scorer(teacher, ready.model, ready.task, scores or folder / "scores")
    for row, logits in zip(rows, scorer.scores(rows), strict=True):
        row["labels"] = logits
    scored = time.perf_counter()
    student = _student(ready, kind, how)
    task = SoftScoreTraining(ready.task, rows, temperature=how.temperature)
    signature, name = f"slim, temperature {how.temperature}", f"distilling a {kind}"
    result = train(
        student, data, task, how.schedule, folder / "training", signature=signature, name=name
    )
    report = StepReport(
        step="distil",
        metric=result.metric,
        before=model_figures(ready.model, before),
        after=module_figures(student, 0, result.points),
        seconds={"texts": made - began, "scores": scored - made, "training": result.seconds},
        settings={"student": kind, "rows": len(rows), **_settings(how)},
    )
    files = {REPORT_FILE: report.as_bytes()}
    save_student(student, output, data=data, tokenizer_from=teacher, more_files=files)
    shutil.rmtree(folder, ignore_errors=True)
    return report


def _check(kind: str, data: DataSet) -> None:
    if kind not in KINDS:
        raise CheckpointError(f"the student is {kind!r}; expected {' or '.join(KINDS)}")
    if task_named(data.task).head != "sequence":
        able = ", ".join(task.name for task in TASKS.values() if task.head == "sequence")
        raise CheckpointError(
            f"a {kind} student scores whole texts ({able}); found data of {data.task} in "
            f"{data.train_path.parent}; name a shape instead, such as layers=3"
        )


def _rows(ready: PreparedModel, how: SlimTraining) -> list[Features]:
    """Make rows of the training data, of texts without labels, and of new texts from both."""
    maker = RowMaker(ready.task)
    rows: list[Features] = [
        {name: row[name] for name in ("input_ids", "token_type_ids")}
        for row in ready.task.rows(ready.data.train)
    ]
    if how.unlabelled is not None:
        found = read_sample_texts(how.unlabelled, SampleRules(texts=1 + ready.data.pair))
        rows += maker.plain_rows(*found.columns)
    examples = [maker.texts(row) for row in rows]
    path = vocabulary_beside(ready.checkpoint)
    if path is None:
        raise CheckpointError(f"{ready.checkpoint} has no vocabulary beside its weights")
    texts = [text for example in examples for text in example]
    augmenter = Augmenter(texts, read_vocabulary(path, ready.checkpoint), how.augmentation)
    return rows + [maker.row(made) for made in augmenter.copies(examples)]


def _student(ready: PreparedModel, kind: str, how: SlimTraining) -> "SlimClassifier":
    """Make a student, with the teacher's word vectors and random weights from the seed."""
    torch = import_torch()
    from ernie_triton.training.compression.slim.modules import SlimClassifier

    config = SlimConfig(
        kind=kind,
        vocab_size=int(ready.model.config.vocab_size),
        embedding_size=how.embedding_size,
        bigram_buckets=how.bigram_buckets if kind == "bow" else 0,
        filters=how.filters if kind == "cnn" else (),
        hidden_size=how.hidden_size,
        pair=ready.data.pair,
        pad_token_id=ready.task.tokenizer.pad_token_id,
        max_position_embeddings=_MAX_POSITIONS,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how.schedule.seed)
        student = SlimClassifier(config, len(ready.data.outputs), dropout=how.dropout)
    if how.teachers_words:
        words: Any = ready.model.get_input_embeddings()
        student.take_words(words.weight)
    return student


def _settings(how: SlimTraining) -> dict[str, object]:
    values = asdict(how)
    values["unlabelled"] = str(how.unlabelled) if how.unlabelled else ""
    return values
