"""Write students as checkpoints that `ernie_triton.build.load.slim` reads."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.build.load import read_source
from ernie_triton.build.load.slim import MODEL_TYPE
from ernie_triton.build.torch_models.checkpoints import check_free, write_beside_config
from ernie_triton.build.torch_models.modules import PROBLEM_TYPES
from ernie_triton.build.whole_folder import whole_folder

if TYPE_CHECKING:
    from ernie_triton.training.compression.slim.modules import SlimClassifier
    from ernie_triton.training.datasets import DataSet


def save_student(
    student: "SlimClassifier",
    folder: Path,
    *,
    data: "DataSet",
    tokenizer_from: Path,
    more_files: Mapping[str, bytes] | None = None,
) -> None:
    """Write `config.json`, `model.safetensors`, `vocab.txt` and `tokenizer_config.json`.

    The folder is written under another name, read back by the build's reader, then renamed.

    Args:
        student: the student.
        folder: a new or an empty folder.
        data: gives the task and the labels.
        tokenizer_from: the teacher, whose vocabulary and tokenizer settings are copied.
        more_files: contents of further files, by name.

    Raises:
        CheckpointError: the folder holds something, or the teacher has no vocabulary.
    """
    check_free(folder)
    names = data.outputs
    config = {
        "model_type": MODEL_TYPE,
        **asdict(student.slim),
        "problem_type": PROBLEM_TYPES[data.task],
        "id2label": {str(index): name for index, name in enumerate(names)},
        "label2id": {name: index for index, name in enumerate(names)},
    }
    with whole_folder(folder) as beside:
        text = json.dumps(config, ensure_ascii=False, indent=2) + "\n"
        (beside / "config.json").write_text(text, encoding="utf-8")
        write_beside_config(student, beside, tokenizer_from, more_files or {})
        read_source(beside)
