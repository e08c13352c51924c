"""Each mask of a text becomes a row of tokens, in which the other masks are marked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ernie_triton.arrays import Tensors
from ernie_triton.decoders.cloze import ClozeDecoder
from ernie_triton.errors import TextError
from ernie_triton.settings import TokenizerSettings
from ernie_triton.stages.tokenizer import TokenizerStage
from tests.stages.calls import texts
from tests.tokenizer.original_tokenizer import OriginalTokenizer

OTHER = 99_999


@pytest.fixture
def stage(folder: Path, paddle_vocab: Path) -> TokenizerStage:
    (folder / "1" / "vocab.txt").write_bytes(paddle_vocab.read_bytes())
    settings = TokenizerSettings(
        task="cloze",
        pair=False,
        max_length=10,
        lower_case=True,
        overlap=0,
        max_windows=1,
        max_documents=4,
        other_mask=OTHER,
    )
    return TokenizerStage.open(settings.to_parameters(), folder / "1")


def request(*rows: tuple[str, str]) -> Tensors:
    return {
        "text": texts(*(row[0] for row in rows)),
        "parameters": texts(*(row[1] for row in rows)),
    }


def test_a_text_has_a_row_for_each_of_its_masks(stage: TokenizerStage, paddle_vocab: Path) -> None:
    original = OriginalTokenizer(paddle_vocab, lower_case=True)
    made = stage.answer(request(("[MASK]京好[MASK]", ""), ("北[MASK]", '{"top_k": 2}')))
    whole = [np.array(original.row(text, None, 10)[0]) for text in ("[MASK]京好[MASK]", "北[MASK]")]
    [mask] = original.token_ids("[MASK]")
    expected = [whole[0].copy(), whole[0].copy(), whole[1]]
    expected[0][4], expected[1][1] = OTHER, OTHER
    for row, ids in zip(made["input_ids"], expected, strict=True):
        assert row[: len(ids)].tolist() == ids.tolist()
        assert (row == mask).sum() == 1
    assert made["query_row"].ravel().tolist() == [0, 0, 1]
    assert made["truncated"].tolist() == [[False], [False]]
    assert [json.loads(cell)["top_k"] for cell in made["asked"].ravel()] == [5, 5, 2]
    assert stage.token_counts() == [6 + 6 + 4]


def test_candidates_are_tokens_of_the_vocabulary(stage: TokenizerStage) -> None:
    asked = json.dumps({"candidates": ["京", "北"]})
    made = stage.answer(request(("[MASK]", asked)))
    [found] = [json.loads(cell) for cell in made["asked"].ravel()]
    names = stage._encoder.vocabulary.names()
    assert [names[one] for one in found["candidates"]] == ["京", "北"]
    assert found["top_k"] == 2


@pytest.mark.parametrize(
    ("text", "parameters", "message"),
    [
        ("北京", "", r"row 0 of the input 'text' has no \[MASK\]"),
        ("【MASK】", "", r"has no \[MASK\]; put one in each place"),
        ("[MASK]" + "北" * 9 + "[MASK]", "", r"has 2 \[MASK\], of which 1 in the 10 tokens"),
        ("[MASK]" * 5, "", r"has 5 \[MASK\]; expected at most 4"),
        ("[MASK]", "x", "is no JSON"),
        ("[MASK]", '{"topk": 1}', "expected an object with top_k and candidates"),
        ("[MASK]", '{"top_k": 0}', "top_k is 0; expected 1 to 1,000"),
        ("[MASK]", '{"candidates": []}', "expected a list of 1 to 1,000"),
        ("[MASK]", '{"candidates": ["北京"]}', "the candidate '北京' is 2 tokens; a"),
    ],
)
def test_what_cannot_be_filled_in_is_one_clear_error(
    stage: TokenizerStage, text: str, parameters: str, message: str
) -> None:
    with pytest.raises(TextError, match=message):
        stage.answer(request((text, parameters)))


def test_probabilities_are_those_among_all_tokens() -> None:
    decoder = ClozeDecoder({"task": "cloze"}, ["a", "b", "c"])
    asked = [{"top_k": 2, "candidates": None}, {"top_k": 9, "candidates": [2, 0]}]
    logits = np.log(np.array([[0.1, 0.2, 0.6, 0.1], [0.3, 0.4, 0.3, 0.0]], np.float32) + 1e-12)
    tensors = {
        "logits": logits,
        "query_row": np.array([[0], [1]], np.int32),
        "asked": np.array([json.dumps(one).encode() for one in asked], np.object_)[:, None],
    }
    [answer] = decoder.run([decoder.read(tensors)])
    first, second = (json.loads(cell) for [cell] in answer["fills"])
    assert [(one["token"], one["token_id"]) for one in first[0]] == [("c", 2), ("b", 1)]
    assert [one["probability"] for one in first[0]] == pytest.approx([0.6, 0.2])
    assert [(one["token"], round(one["probability"], 4)) for one in second[0]] == [
        ("a", 0.3),
        ("c", 0.3),
    ]
