"""Tokens that are shown are those that the stage sends on, each at its place in the text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ernie_triton.arrays import Array, Tensors
from ernie_triton.errors import TextError
from ernie_triton.settings import TokenizerSettings
from ernie_triton.stages.stage import Stage
from ernie_triton.stages.tokenizer import TokenizerStage
from tests.stages.calls import texts
from tests.stages.uie_model import asked, joined_extraction, write_uie_engine

TEXTS = ("北京的天气好", "iPhone 15，贵吗？😀", "", "好" * 30)


def stage_of(folder: Path, vocab: Path, task: str = "seq_cls", **more: Any) -> TokenizerStage:
    (folder / "1" / "vocab.txt").write_bytes(vocab.read_bytes())
    given = {"pair": False, "max_length": 12, "lower_case": True, "overlap": 2, "max_windows": 9}
    settings = TokenizerSettings(task=task, **{**given, **more})
    return TokenizerStage.open(settings.to_parameters(), folder / "1")


def shown(stage: Stage[Any], given: Tensors) -> tuple[list[Any], Array]:
    assert stage.tokenization is not None
    answer = stage.tokenization.answer(given, counts_alone=False)
    assert set(answer) == {"tokenization", "token_count"}
    alone = stage.tokenization.answer(given, counts_alone=True)
    assert set(alone) == {"token_count"}
    np.testing.assert_array_equal(alone["token_count"], answer["token_count"])
    return [json.loads(cell) for cell in answer["tokenization"][:, 0]], answer["token_count"][:, 0]


def sent_rows(stage: TokenizerStage, given: Tensors) -> list[list[int]]:
    ids = stage.answer(given)["input_ids"]
    return [[one for one in row if one != stage._encoder.pad_token_id] for row in ids.tolist()]


def test_a_text_has_the_ids_of_its_row_the_rest_is_cut(folder: Path, paddle_vocab: Path) -> None:
    stage = stage_of(folder, paddle_vocab)
    rows, counts = shown(stage, {"text": texts(*TEXTS)})
    for row, sent in zip(rows, sent_rows(stage, {"text": texts(*TEXTS)}), strict=True):
        [text] = row["texts"]
        assert text["ids"][: text["read"]] == sent[1:-1]
    assert counts.tolist() == [8, 10, 2, 12] == [row["count"] for row in rows]
    assert [row["truncated"] for row in rows] == [False, False, False, True]
    assert [len(row["texts"][0]["ids"]) for row in rows] == [6, 8, 0, 30]
    assert {row["windows"] == [] for row in rows} == {True}


def test_every_token_has_its_name_and_its_place(folder: Path, paddle_vocab: Path) -> None:
    lines = paddle_vocab.read_text(encoding="utf-8").split("\n")
    [[text], *_] = [
        row["texts"]
        for row in shown(stage_of(folder, paddle_vocab), {"text": texts("天，😀 北京")})[0]
    ]
    assert [lines[one] for one in text["ids"]] == text["tokens"]
    assert text["offsets"] == [[0, 1], [1, 2], [2, 3], [4, 5], [5, 6]]


def test_places_count_the_text_as_sent_under_a_prompt_and_longer_lower_case(
    folder: Path, paddle_vocab: Path
) -> None:
    stage = stage_of(folder, paddle_vocab, lower_texts=True, prompt="天:", max_length=7)
    [row], _ = shown(stage, {"text": texts("İ北京的")})
    [text] = row["texts"]
    assert text["offsets"][-3:] == [[1, 2], [2, 3], [3, 4]]
    [sent] = sent_rows(stage, {"text": texts("İ北京的")})
    assert sent[-1 - text["read"] : -1] == text["ids"][: text["read"]]
    assert row["truncated"]


def test_both_texts_of_a_pair_are_cut_as_the_row_is(folder: Path, paddle_vocab: Path) -> None:
    stage = stage_of(folder, paddle_vocab, pair=True)
    given = {"text": texts("北京", "好" * 20), "text_pair": texts("天" * 3, "天" * 6)}
    rows, counts = shown(stage, given)
    for row, sent in zip(rows, sent_rows(stage, given), strict=True):
        first, second = row["texts"]
        kept = [text["ids"][: text["read"]] for text in (first, second)]
        middle = 1 + first["read"]
        assert kept == [sent[1:middle], sent[middle + 1 : -1]]
    assert counts.tolist() == [8, 12]


def test_windows_are_ranges_of_the_last_text_s_tokens(folder: Path, paddle_vocab: Path) -> None:
    stage = stage_of(folder, paddle_vocab, "qa", pair=True)
    given = {"question": texts("天"), "context": texts("北京的好" * 5)}
    [row], [count] = shown(stage, given)
    assert row["windows"] == [[0, 8], [6, 14], [12, 20]]
    assert [text["read"] for text in row["texts"]] == [1, 20]
    assert count == sum(map(len, sent_rows(stage, given))) == 36


def test_extraction_shows_the_text_alone(tmp_path: Path) -> None:
    write_uie_engine(tmp_path)
    stage = joined_extraction(tmp_path)
    try:
        [row], [count] = shown(stage, asked(["北京"], "人物"))
    finally:
        stage.close()
    assert len(row["texts"]) == 1
    assert count == len(row["texts"][0]["ids"]) == 2


def test_what_is_too_much_or_unclear_is_refused(folder: Path, paddle_vocab: Path) -> None:
    with pytest.raises(TextError, match="1,000 characters of text; expected at most 864"):
        shown(stage_of(folder, paddle_vocab), {"text": texts("好" * 1000)})
    stage = stage_of(folder, paddle_vocab, "rerank", pair=True)
    documents = np.array([[b"a", b"b"]], np.object_)
    with pytest.raises(TextError, match="one of the documents for each row"):
        shown(stage, {"query": texts("a"), "documents": documents})
