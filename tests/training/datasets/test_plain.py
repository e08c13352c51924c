"""A development set that the clients cannot read is written as they want it."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from ernie_triton.training.datasets import plain_dev, read_dataset
from ernie_triton.training.datasets.plain import plain_content
from tests.training.datasets.folders import document, write
from tests.training.datasets.test_classification import CSL, OCNLI, TNEWS, WSC
from tests.training.tiny import TASKS, part_of


@pytest.mark.parametrize("line", [CSL, WSC])
def test_lines_of_other_keys_get_the_clients(tmp_path: Path, line: dict[str, Any]) -> None:
    data = read_dataset("seq_cls", write(tmp_path, train=[line], dev=[line]))
    written = plain_dev(data, tmp_path / "out")
    again = read_dataset("seq_cls", write(tmp_path / "out", train=[TNEWS]), train_file=written)
    assert again.dev[0].texts == data.dev[0].texts
    assert again.labels[again.dev[0].target] == data.labels[data.dev[0].target]  # type: ignore[index]


def test_lines_that_were_left_out_stay_out(tmp_path: Path) -> None:
    lines = [OCNLI, {**OCNLI, "label": "-"}]
    data = read_dataset("seq_cls", write(tmp_path, train=lines, dev=lines))
    content = plain_dev(data, tmp_path / "out").read_text(encoding="utf-8")
    assert content.count("\n") == 1
    assert "-" not in content


def test_a_file_that_the_clients_read_is_taken_as_it_is(tmp_path: Path) -> None:
    data = part_of("tnews", train=1, dev=1)
    assert plain_dev(data, tmp_path / "out") == data.dev_path
    assert not (tmp_path / "out").exists()


# `extraction` has prompts by chance; tests/training/datasets/test_prompts.py reads it back.
@pytest.mark.parametrize("name", sorted({*TASKS} - {"extraction"}))
def test_every_task_reads_back_what_is_written(tmp_path: Path, name: str) -> None:
    data = dataclasses.replace(part_of(name, train=1, dev=20), is_plain=False)
    folder = write(tmp_path, dev=plain_content(data), labels="\n".join(data.labels) or '["a"]')
    if name == "cmrc2018":
        write(
            tmp_path, train=document({"context": "好", "qas": [{"question": "？", "answers": []}]})
        )
    again = read_dataset(
        TASKS[name], folder, train_file=None if name == "cmrc2018" else folder / "dev.json"
    )
    assert [(one.texts, one.target) for one in again.dev] == [
        (one.texts, one.target) for one in data.dev
    ]
