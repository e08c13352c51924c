"""Entities are those that seqeval finds in the same labels, with the characters they stand on."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.decoders.entities import (
    EntityDecoder,
    EntitySettings,
    Word,
    decode_words,
    entities_of_words,
    label_parts,
)
from ernie_triton.errors import LabelCountError
from ernie_triton.tasks import NO_SPAN

KINDS = ("LOC", "PER", "a-b")
BIO = ("O", *(f"{prefix}-{kind}" for prefix in "BI" for kind in KINDS))
BIOES = ("O", *(f"{prefix}-{kind}" for prefix in "BIES" for kind in KINDS))
BMES = ("O", *(f"{prefix}-{kind}" for prefix in "BMES" for kind in KINDS))
SCHEMES = {"BIO": BIO, "BIOES": BIOES, "BMES": BMES}
PLAIN = ("O", "LOC", "PER", "time", "non-fiction")

Chunk = tuple[str, int, int]
"""Type, first word, last word."""


def chunks_of_seqeval(labels: Sequence[str]) -> list[Chunk]:
    """`get_entities` of seqeval 1.2.2, by its two tables of what ends and what starts a chunk.

    It has no `M`, which is the `I` of another scheme.
    """
    chunks: list[Chunk] = []
    begin, before = 0, ("O", "")
    for place, label in enumerate([*labels, "O"]):
        tag = "I" if label[0] == "M" else label[0]
        kind = label[2:]
        now = (tag, kind)
        differs = before[1] != kind
        ends = (
            before[0] in "ES"
            or (before[0] in "BI" and tag in "BSO")
            or (before[0] != "O" and differs)
        )
        starts = tag in "BS" or (before[0] in "ESO" and tag in "EI") or (tag != "O" and differs)
        if ends:
            chunks.append((before[1], begin, place - 1))
        if starts:
            begin = place
        before = now
    return chunks


def runs_of_equal_labels(labels: Sequence[str]) -> list[Chunk]:
    """Labels without prefixes: an entity lasts as long as its label."""
    chunks: list[Chunk] = []
    for place, label in enumerate(labels):
        if label != "O":
            if chunks and chunks[-1][0] == label and chunks[-1][2] == place - 1:
                chunks[-1] = (label, chunks[-1][1], place)
            else:
                chunks.append((label, place, place))
    return chunks


def words_of(labels: Sequence[str], scores: Sequence[float] = ()) -> list[Word]:
    """Words of one character each, with a space after each."""
    given_scores = scores or [0.5] * len(labels)
    return [
        Word(first=2 * place, end=2 * place + 1, label=label, score=score)
        for place, (label, score) in enumerate(zip(labels, given_scores, strict=True))
    ]


def found(labels: Sequence[str]) -> list[Chunk]:
    """Our entities as chunks."""
    entities = entities_of_words(words_of(labels), label_parts(labels))
    return [(entity.label, entity.first // 2, (entity.end - 1) // 2) for entity in entities]


@pytest.mark.parametrize("scheme", SCHEMES)
@given(data=st.data())
def test_entities_are_seqevals_for_any_labels(scheme: str, data: st.DataObject) -> None:
    labels = data.draw(st.lists(st.sampled_from(SCHEMES[scheme]), max_size=16))
    assert found(labels) == chunks_of_seqeval(labels)


@given(labels=st.lists(st.sampled_from(PLAIN), max_size=16))
def test_labels_without_prefixes_make_an_entity_of_each_run(labels: list[str]) -> None:
    assert found(labels) == runs_of_equal_labels(labels)


@pytest.mark.parametrize(
    ("labels", "chunks"),
    [
        ("I-LOC I-LOC O", [("LOC", 0, 1)]),
        ("O I-LOC", [("LOC", 1, 1)]),
        ("B-LOC I-PER", [("LOC", 0, 0), ("PER", 1, 1)]),
        ("B-LOC B-LOC I-LOC", [("LOC", 0, 0), ("LOC", 1, 2)]),
        ("B-LOC I-LOC B-PER", [("LOC", 0, 1), ("PER", 2, 2)]),
        ("B-LOC O I-LOC", [("LOC", 0, 0), ("LOC", 2, 2)]),
        ("S-LOC S-LOC", [("LOC", 0, 0), ("LOC", 1, 1)]),
        ("B-LOC E-LOC I-LOC", [("LOC", 0, 1), ("LOC", 2, 2)]),
        ("B-LOC M-LOC E-LOC", [("LOC", 0, 2)]),
        ("O O", []),
        ("", []),
    ],
)
def test_hand_worked_labels_have_their_entities(labels: str, chunks: list[Chunk]) -> None:
    assert found(labels.split()) == chunks


@pytest.mark.parametrize(
    ("labels", "parts"),
    [
        ("O B-LOC I-LOC", ["O", "B LOC", "I LOC"]),
        ("O B-LOC M-LOC E-LOC S-LOC", ["O", "B LOC", "I LOC", "E LOC", "S LOC"]),
        ("O B-LOC I-LOC L-LOC U-LOC", ["O", "B LOC", "I LOC", "E LOC", "S LOC"]),
        ("O LOC-B LOC-I a-b-B", ["O", "B LOC", "I LOC", "B a-b"]),
        ("O B I", ["O", "B", "I"]),
        ("O LOC PER", ["O", "I LOC", "I PER"]),
        ("O B-LOC PER", ["O", "I B-LOC", "I PER"]),
        ("O non-fiction OTHER", ["O", "I non-fiction", "I OTHER"]),
    ],
)
def test_the_whole_label_set_decides_its_scheme(labels: str, parts: list[str]) -> None:
    said = label_parts(labels.split())
    assert [f"{said[label].prefix} {said[label].kind}".strip() for label in labels.split()] == parts


@given(
    labels=st.lists(st.sampled_from(BIO), min_size=1, max_size=12), seed=st.integers(0, 2**32 - 1)
)
def test_a_score_is_the_mean_of_the_entitys_words(labels: list[str], seed: int) -> None:
    scores = np.random.default_rng(seed).random(len(labels)).tolist()
    entities = entities_of_words(words_of(labels, scores), label_parts(labels))
    for entity, (_, first, last) in zip(entities, chunks_of_seqeval(labels), strict=True):
        assert entity.score == pytest.approx(np.mean(scores[first : last + 1]))


NAMES = ("O", "B-LOC", "I-LOC")


def logits_of(weights: Sequence[Sequence[float]]) -> npt.NDArray[np.float32]:
    """Logits whose probabilities are in proportion to the weights."""
    return np.log(np.array(weights, np.float32)).reshape(-1, len(NAMES))


def test_the_pieces_of_a_word_give_the_decision_of_the_first() -> None:
    # "iPhone12 北": the pieces i, ##Phone, ##12 and the character.
    spans = np.array([[0, 1, 1], [1, 6, 0], [6, 8, 0], [9, 10, 1]], np.int32)
    weights = [[1, 8, 1], [8, 1, 1], [1, 1, 8], [6, 2, 2]]
    first, second = decode_words(logits_of(weights), spans, NAMES)
    assert (first.first, first.end, first.label) == (0, 8, "B-LOC")
    assert (second.first, second.end, second.label) == (9, 10, "O")
    assert [first.score, second.score] == pytest.approx([0.8, 0.6])


def test_a_piece_without_characters_is_no_word() -> None:
    # "é 北": the pieces ▁, é, ▁ and the character.
    spans = np.array([[0, 0, 1], [0, 1, 1], [2, 2, 1], [2, 3, 1]], np.int32)
    weights = [[1, 8, 1], [8, 1, 1], [1, 8, 1], [1, 8, 1]]
    words = decode_words(logits_of(weights), spans, NAMES)
    assert [(word.first, word.end, word.label) for word in words] == [(0, 1, "O"), (2, 3, "B-LOC")]


def test_a_text_without_tokens_has_no_words() -> None:
    assert decode_words(logits_of([]), np.zeros((0, 3), np.int32), NAMES) == []


OUTSIDE, BEGINS, INSIDE = [8.0, 1.0, 1.0], [1.0, 7.0, 2.0], [1.0, 0.0001, 8.9999]


def request_of(
    texts: Sequence[tuple[str, Sequence[Sequence[float]]]],
) -> dict[str, npt.NDArray[np.generic]]:
    """Texts of one token a character, each in one window, with what surrounds them labelled too."""
    longest = max(len(weights) for _, weights in texts) + 4
    logits = np.tile(logits_of([BEGINS]), (len(texts), longest, 1))
    spans = np.full((len(texts), longest, 3), NO_SPAN, np.int32)
    for row, (_, weights) in enumerate(texts):
        logits[row, 1 : 1 + len(weights)] = logits_of(weights)
        places = range(len(weights))
        spans[row, 1 : 1 + len(weights)] = np.array([(p, p + 1, 1) for p in places]).reshape(-1, 3)
    return {
        "logits": logits,
        "spans": spans,
        "window": np.array([(row, 0) for row in range(len(texts))], np.int32),
        "source": np.array([[text.encode()] for text, _ in texts], np.object_),
    }


def decoder(*, per_token: bool = False) -> EntityDecoder:
    settings = EntitySettings(task="token_cls", labels=len(NAMES), per_token=per_token)
    return EntityDecoder(settings.to_parameters(), NAMES)


@pytest.mark.parametrize("per_token", [False, True])
def test_only_the_texts_own_characters_are_in_the_answer(per_token: bool) -> None:
    made = decoder(per_token=per_token)
    texts = [
        ("去北京😀", [OUTSIDE, BEGINS, INSIDE, BEGINS]),
        ("", []),
        ("不", [OUTSIDE]),
    ]
    (answer,) = made.run([made.read(request_of(texts))])
    first, empty, nothing = map(json.loads, answer["OUTPUT"])
    assert [(one["pos"], one["entity"], one["label"]) for one in first] == [
        ([1, 2], "北京", "LOC"),
        ([3, 3], "😀", "LOC"),
    ]
    assert [one["score"] for one in first] == pytest.approx([(0.7 + 0.89999) / 2, 0.7], abs=1e-5)
    assert empty == nothing == []
    # The shape that PaddleNLP's client decodes element by element.
    assert answer["OUTPUT"].shape == (3,)
    assert ("tokens" in answer) == per_token
    if per_token:
        assert answer["tokens"].shape == (3, 1)
        tokens = [json.loads(row) for (row,) in answer["tokens"]]
        assert [(one["pos"], one["token"], one["label"]) for one in tokens[0]] == [
            ([0, 0], "去", "O"),
            ([1, 1], "北", "B-LOC"),
            ([2, 2], "京", "I-LOC"),
            ([3, 3], "😀", "B-LOC"),
        ]
        assert tokens[1] == []


def test_requests_of_one_batch_get_their_own_entities() -> None:
    made = decoder()
    requests = [[("北", [BEGINS])], [("不", [OUTSIDE]), ("京", [INSIDE])]]
    answers = made.run([made.read(request_of(texts)) for texts in requests])
    entities = [[json.loads(text) for text in answer["OUTPUT"]] for answer in answers]
    cut = [[[one["entity"] for one in text] for text in request] for request in entities]
    assert cut == [[["北"]], [[], ["京"]]]


def test_scores_of_another_count_are_refused_with_both_numbers() -> None:
    request = request_of([("北", [BEGINS])])
    request["logits"] = request["logits"][..., :2]
    with pytest.raises(LabelCountError, match="returns 2 scores a token but there are 3 label"):
        decoder().read(request)
