"""Distillation to a student that reads fewer tokens of a text than its teacher.

Their token vectors and attention cannot be compared, so the student learns only the teacher's
answers to the same texts, and the data's labels.
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ernie_triton.build.torch_models.modules import import_torch
from ernie_triton.errors import SubwordsError
from ernie_triton.tasks import task_named
from ernie_triton.training.compression.objectives.teacher import Teacher, row_keys
from ernie_triton.training.compression.preparation import PreparedModel
from ernie_triton.training.compression.subwords.vocabulary import (
    ShortenedVocabulary,
    shortened_vocabulary,
    subword_embeddings,
    write_tokenizer,
)
from ernie_triton.training.datasets import DataSet, with_unlabelled
from ernie_triton.training.tasks import Features, training_task

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

_ROWS_AT_ONCE = 256


class TeacherOfTexts(Teacher):
    """A teacher that takes a student's rows and answers for the texts behind them."""

    def __init__(self, teacher: PreparedModel, student: PreparedModel, data: DataSet) -> None:
        """Map each row of the student to the teacher's row of the same text.

        Args:
            teacher: the teacher, with the task that makes its rows.
            student: the student, with another tokenizer.
            data: all examples that the student trains on; of two with the same student row, the
                later one counts.
        """
        super().__init__(teacher.model, data.task)
        self._task = teacher.task
        self._rows: dict[bytes, Features] = {}
        for start in range(0, len(data.train), _ROWS_AT_ONCE):
            examples = data.train[start : start + _ROWS_AT_ONCE]
            keys = row_keys(student.task.collate(student.task.rows(examples)))
            self._rows.update(zip(keys, self._task.rows(examples), strict=True))

    def answer(self, batch: Mapping[str, "Tensor"]) -> Any:  # noqa: ANN401 (as transformers answers)
        """Return its answer to the texts of a student's batch, float32 `logits`."""
        new = [key for key in dict.fromkeys(row_keys(batch)) if key not in self._remembered]
        if new:
            rows = self._task.collate([self._rows[key] for key in new])
            device = batch["input_ids"].device
            self._remember(new, {name: tensor.to(device) for name, tensor in rows.items()})
        return super().answer(batch)


def with_subwords(
    teacher: PreparedModel, pieces: int, texts: Path | None, folder: Path
) -> PreparedModel:
    """Give the teacher a vocabulary of longer pieces; a student starts from the result.

    Args:
        teacher: a model of a task on whole texts.
        pieces: most pieces, see `shortened_vocabulary`; measured on the development set.
        texts: file of further texts without labels to choose pieces from, or None.
        folder: gets `vocab.txt` and `tokenizer_config.json`, and is the new `checkpoint`.

    Raises:
        SubwordsError: the task needs places in the text, or the texts do not allow it.
    """
    data = teacher.data
    if task_named(data.task).head != "sequence":
        raise SubwordsError(
            f"{data.task} asks for places in the text, which a teacher and a student of other "
            f"tokens do not share; expected a task on whole texts"
        )
    shortened = shortened_vocabulary(
        teacher.checkpoint,
        [text for example in with_unlabelled(data, texts).train for text in example.texts],
        pieces,
        held_out=[text for example in data.dev for text in example.texts],
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(shortened, teacher.checkpoint, folder)
    length = teacher.task.max_length
    task = training_task(data, shortened.encoder(length), max_length=length)
    return PreparedModel(checkpoint=folder, model=_with_rows(teacher.model, shortened), task=task)


def _with_rows(model: "PreTrainedModel", shortened: ShortenedVocabulary) -> "PreTrainedModel":
    """Copy a model, with embeddings of the new vocabulary."""
    torch = import_torch()
    changed = copy.deepcopy(model)
    base: Any = changed.base_model
    old = base.embeddings.word_embeddings
    table = torch.from_numpy(subword_embeddings(old.weight.detach().cpu().numpy(), shortened))
    base.embeddings.word_embeddings = torch.nn.Embedding.from_pretrained(
        table, freeze=False, padding_idx=old.padding_idx
    )
    changed.config.vocab_size = len(table)
    return changed
