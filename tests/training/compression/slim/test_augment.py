"""New texts: by a seed, of the same kinds of tokens, in the shares asked for."""

from collections.abc import Sequence

import numpy as np
import pytest

from ernie_triton.errors import DatasetError
from ernie_triton.tokenizer.vocabulary import REQUIRED_TOKENS, Vocabulary
from ernie_triton.training.compression.slim.augment import (
    Augmentation,
    Augmenter,
    TokenIds,
    token_categories,
)

IDEOGRAPHS = [chr(0x4E00 + i) for i in range(40)]
LETTERS = ["cat", "##s", "ǎn", "b"]
DIGITS = ["1", "20", "##7"]
SIGNS = ["，", "!", "##.", "😀"]
TOKENS = [*REQUIRED_TOKENS, *IDEOGRAPHS, *LETTERS, *DIGITS, *SIGNS]
VOCABULARY = Vocabulary(ids={token: i for i, token in enumerate(TOKENS)}, size=len(TOKENS))
UNKNOWN = TOKENS.index("[UNK]")
NOTHING = {"noise": 0.0, "replaced": 0.0, "sampled": 0.0}


def texts_of(count: int, *, seed: int = 0) -> list[TokenIds]:
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 30, count)
    return [random.integers(4, len(TOKENS), n, dtype=np.int32) for n in lengths]


def made_of(texts: Sequence[TokenIds], **how: float) -> list[TokenIds]:
    settings = Augmentation(**{**NOTHING, **how})  # type: ignore[arg-type]
    examples = [(text,) for text in texts]
    return [text for (text,) in Augmenter(texts, VOCABULARY, settings).copies(examples)]


def test_categories_are_those_of_the_characters() -> None:
    found = token_categories(VOCABULARY)
    by_kind = [
        {int(found[TOKENS.index(t)]) for t in some} for some in (IDEOGRAPHS, LETTERS, DIGITS, SIGNS)
    ]
    assert by_kind == [{0}, {1}, {2}, {3}]


def test_the_seed_decides_and_rounds_do_not_depend_on_how_many_there_are() -> None:
    texts = texts_of(50)
    how = {"noise": 0.1, "replaced": 0.2, "sampled": 0.5}
    first, again = made_of(texts, copies=3, **how), made_of(texts, copies=3, **how)
    assert [text.tolist() for text in first] == [text.tolist() for text in again]
    fewer = made_of(texts, copies=1, **how)
    assert [text.tolist() for text in fewer] == [text.tolist() for text in first[:50]]
    other = made_of(texts, copies=3, seed=1, **how)
    assert [text.tolist() for text in first] != [text.tolist() for text in other]
    assert first[0].tolist() != first[50].tolist() != first[100].tolist()


def test_without_strategies_texts_stay_as_they_are_and_the_originals_are_never_touched() -> None:
    texts = texts_of(30)
    before = [text.tolist() for text in texts]
    assert [text.tolist() for text in made_of(texts, copies=2)] == before * 2
    made_of(texts, copies=2, noise=1.0, replaced=1.0, sampled=1.0)
    assert [text.tolist() for text in texts] == before


def test_noise_replaces_its_share_by_unknown() -> None:
    texts = texts_of(400)
    made = made_of(texts, copies=5, noise=0.1)
    joined, originals = np.concatenate(made), np.concatenate(texts * 5)
    changed = joined != originals
    assert (joined[changed] == UNKNOWN).all()
    assert changed.mean() == pytest.approx(0.1, abs=0.01)


def test_replacements_are_of_the_same_category_and_come_from_the_texts() -> None:
    texts = texts_of(400)
    texts = [np.where(text == TOKENS.index("😀"), TOKENS.index("!"), text) for text in texts]
    made = made_of(texts, copies=5, replaced=0.3)
    joined, originals = np.concatenate(made), np.concatenate(texts * 5)
    kinds = token_categories(VOCABULARY)
    np.testing.assert_array_equal(kinds[joined], kinds[originals])
    assert 0.2 < (joined != originals).mean() < 0.5
    assert TOKENS.index("😀") not in joined


def test_runs_of_ideographs_are_replaced_by_runs_that_stand_together_elsewhere() -> None:
    # Two texts that go up: every bigram that is not at the seam of a replacement goes up too.
    up = np.arange(4, 44, dtype=np.int32)
    made = made_of([up, up[::2]], copies=200, replaced=0.05)[::2]
    steps = np.concatenate([np.diff(text) for text in made])
    seams = ~np.isin(steps, (1, 2))
    assert (steps == 2).mean() > 0.003  # runs of the second text
    assert 0.02 < seams.mean() < 0.2


def test_spans_are_part_of_their_text_and_of_any_length() -> None:
    text = np.arange(4, 24, dtype=np.int32)
    made = made_of([text], copies=600, sampled=1.0)
    lengths = [len(span) for span in made]
    assert set(lengths) == set(range(1, 21))
    for span in made:
        np.testing.assert_array_equal(np.diff(span), 1)
    assert {int(span[0]) for span in made} == set(range(4, 24))
    whole = made_of([text], copies=600, sampled=0.25)
    assert 0.15 < np.mean([len(span) < 20 for span in whole]) < 0.32


def test_pairs_stay_pairs_and_empty_texts_empty() -> None:
    empty = np.empty(0, np.int32)
    examples = [(np.array([5, 6], np.int32), empty), (empty, np.array([7], np.int32))]
    how = Augmentation(copies=3, noise=0.5, replaced=0.5, sampled=0.5)
    texts = [text for example in examples for text in example]
    made = list(Augmenter(texts, VOCABULARY, how).copies(examples))
    assert [[len(text) > 0 for text in pair] for pair in made] == [[True, False], [False, True]] * 3
    assert list(Augmenter([], VOCABULARY, how).copies([])) == []


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"copies": -1}, "copies is -1"),
        ({"noise": 1.5}, "noise is 1.5; expected a share, 0 to 1"),
        ({"sampled": -0.1}, "sampled is -0.1"),
    ],
)
def test_values_outside_their_range_are_refused(values: dict[str, float], fault: str) -> None:
    with pytest.raises(DatasetError, match=fault):
        Augmentation(**values)  # type: ignore[arg-type]
