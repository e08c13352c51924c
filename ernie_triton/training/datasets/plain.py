"""Examples in the form that the clients' `--evaluate` and `build --data` read."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ernie_triton.client.evaluation.choices import GOLD
from ernie_triton.client.items import Item
from ernie_triton.tasks import (
    CHOICE,
    CLOZE,
    EMBEDDING,
    EXTRACTION,
    MULTI_LABEL,
    QA,
    REGRESSION,
    TOKEN_CLS,
)
from ernie_triton.training.datasets.examples import AnswerSpan, DataSet, Extracted, LabelledText

PLAIN_DEV = "dev.json"


def items_of(data: DataSet, examples: Sequence[LabelledText]) -> list[Item]:
    """Convert examples for the clients' scorers: texts, and a record with the gold label."""
    return [
        Item(line=example.line, texts=example.texts, record=_record(data, example))
        for example in examples
    ]


def plain_dev(data: DataSet, folder: Path) -> Path:
    """Return a development file that `--evaluate` reads: the data set's own, or a new one.

    Args:
        data: the data set.
        folder: gets `dev.json`, if the data set's own file has another form.
    """
    if data.is_plain:
        return data.dev_path
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PLAIN_DEV
    path.write_text(plain_content(data), encoding="utf-8")
    return path


def plain_content(data: DataSet) -> str:
    """Format the development set as JSON lines; as one document for qa."""
    if data.task == QA.name:
        return json.dumps(_document(data), ensure_ascii=False) + "\n"
    lines = [{**_texts(data, example), **_record(data, example)} for example in data.dev]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _texts(data: DataSet, example: LabelledText) -> dict[str, Any]:
    if data.task in (TOKEN_CLS.name, EXTRACTION.name):
        return {}
    if data.task == CHOICE.name:
        context, question, *options = example.texts
        answer = example.target
        return {"context": context, "question": question, "options": options, "answer": answer}
    if data.task == CLOZE.name:
        return {"text": example.texts[0]}
    keys = ("sentence1", "sentence2") if data.pair else ("sentence",)
    return dict(zip(keys, example.texts, strict=True))


def _record(data: DataSet, example: LabelledText) -> dict[str, Any]:
    """Return the keys of a line that hold its gold label."""
    target: Any = example.target
    if isinstance(target, Extracted):
        return dict(target.record)
    if isinstance(target, AnswerSpan):
        starts = [target.start, *(-1 for _ in target.texts[1:])]
        answers = zip(target.texts, starts, strict=False)
        return {"answers": [{"text": text, "answer_start": start} for text, start in answers]}
    if data.task == TOKEN_CLS.name:
        return {"tokens": list(example.texts[0]), "labels": list(target)}
    if data.task == MULTI_LABEL.name:
        return {"labels": [data.labels[label] for label in target]}
    if data.task in (REGRESSION.name, EMBEDDING.name):
        return {"score": target}
    if data.task == CHOICE.name:
        return {GOLD: target}
    if data.task == CLOZE.name:
        return {"answer": target[0] if len(target) == 1 else list(target)}
    return {"label": data.labels[target]}


def _document(data: DataSet) -> dict[str, Any]:
    paragraphs = [
        {
            "context": example.texts[1],
            "qas": [
                {"id": f"DEV_{number}", "question": example.texts[0], **_record(data, example)}
            ],
        }
        for number, example in enumerate(data.dev)
    ]
    return {"version": "v1.0", "data": [{"title": "", "paragraphs": paragraphs}]}
