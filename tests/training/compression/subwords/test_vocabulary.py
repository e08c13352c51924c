"""A shortened vocabulary knows all that the old one knew, in fewer tokens, in standard files."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from ernie_triton.build.load.settings import folds_case, splits_ideographs
from ernie_triton.errors import SubwordsError
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import UNKNOWN, load_vocabulary
from ernie_triton.training.compression.subwords.tokens import common_characters
from ernie_triton.training.compression.subwords.vocabulary import (
    ShortenedVocabulary,
    shortened_vocabulary,
    subword_embeddings,
    write_tokenizer,
)
from tests.paths import SAMPLES
from tests.tokenizer.original_tokenizer import OriginalTokenizer

CHECKPOINT = SAMPLES / "checkpoints" / "tnews"
PIECES = 600


def titles(split: str) -> list[str]:
    lines = (SAMPLES / "data" / "tnews" / f"{split}.json").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["sentence"] for line in lines[:1500]]


@pytest.fixture(scope="module")
def shortened() -> ShortenedVocabulary:
    return shortened_vocabulary(CHECKPOINT, titles("train"), PIECES, held_out=titles("dev"))


@pytest.fixture(scope="module")
def written(shortened: ShortenedVocabulary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shortened")
    write_tokenizer(shortened, CHECKPOINT, folder)
    return folder


def ids_of(encoder: TextEncoder, text: str) -> list[int]:
    ids: list[int] = encoder.encode([text]).input_ids.tolist()
    return ids[1:-1]


def test_unseen_titles_get_as_much_shorter_as_is_said(
    shortened: ShortenedVocabulary, written: Path
) -> None:
    before = OriginalTokenizer(CHECKPOINT / "vocab.txt", lower_case=True)
    after = OriginalTokenizer(written / "vocab.txt", lower_case=True, tokenize_chinese_chars=False)
    counts = [
        np.mean([len(tokenizer.token_ids(title)) for title in titles("dev")])
        for tokenizer in (before, after)
    ]
    assert [shortened.tokens_before, shortened.tokens_after] == pytest.approx(counts)
    assert shortened.shortening == pytest.approx(1 - counts[1] / counts[0])
    assert shortened.shortening > 0.1


def test_the_files_are_standard_and_read_back(
    shortened: ShortenedVocabulary, written: Path
) -> None:
    settings = json.loads((written / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert settings["tokenize_chinese_chars"] is False
    assert settings["unk_token"] == UNKNOWN
    assert not splits_ideographs(written)
    assert folds_case(written) is True
    new, old = load_vocabulary(written / "vocab.txt"), load_vocabulary(CHECKPOINT / "vocab.txt")
    assert new == shortened.vocabulary
    assert all(new.ids[token] == place for token, place in old.ids.items())
    assert new.size == old.size + len(shortened.new_tokens)
    assert len(set(shortened.new_tokens)) == len(shortened.new_tokens)
    assert not set(shortened.new_tokens) & set(old.ids)


def test_nothing_becomes_unknown_that_was_not(shortened: ShortenedVocabulary) -> None:
    old = TextEncoder(shortened.old, max_length=4096, lower_case=True)
    new = shortened.encoder(4096)
    unknown = shortened.old.ids[UNKNOWN]
    chance = random.Random(0)
    tokens = [token.removeprefix("##") for token in shortened.old.ids]
    others = [*common_characters(lower_case=True), *"ＡÉ①★😀→か"]
    known = 0
    for _ in range(3000):
        parts = chance.choices(tokens, k=chance.randint(1, 8))
        parts += chance.choices(others, k=chance.randint(0, 2))
        chance.shuffle(parts)
        text = "".join(parts)
        if unknown not in ids_of(old, text):
            known += 1
        # Characters in common use that the teacher did not know have rows of their own now.
        assert unknown not in ids_of(new, text) or unknown in ids_of(old, text)
    assert known > 500


def test_a_rare_character_in_a_run_leaves_the_others_known(shortened: ShortenedVocabulary) -> None:
    rare = next(c for c in common_characters(lower_case=True) if c not in shortened.old.ids)
    ids = ids_of(shortened.encoder(64), f"新闻{rare}新闻😀")
    assert shortened.old.ids[UNKNOWN] not in ids


def test_the_same_texts_make_the_same_vocabulary(shortened: ShortenedVocabulary) -> None:
    again = shortened_vocabulary(CHECKPOINT, titles("train"), PIECES, held_out=titles("dev"))
    assert again == shortened


def test_every_piece_of_several_characters_is_used_twice_in_training(
    shortened: ShortenedVocabulary,
) -> None:
    encoder = shortened.encoder(4096)
    uses = np.bincount(encoder.encode(titles("train")).input_ids, minlength=encoder_size(shortened))
    size = shortened.old.size
    rare = [
        token
        for place, token in enumerate(shortened.new_tokens)
        if len(token.removeprefix("##")) > 1 and uses[size + place] < 2
    ]
    # Leaving one piece out may change how others are used; hardly any.
    assert len(rare) <= shortened.pieces * 0.01


def encoder_size(shortened: ShortenedVocabulary) -> int:
    return shortened.vocabulary.size


def test_a_new_row_is_the_mean_of_its_characters_rows(shortened: ShortenedVocabulary) -> None:
    table = np.random.default_rng(0).normal(size=(shortened.old.size + 5, 8)).astype(np.float32)
    made = subword_embeddings(table, shortened)
    ids, size = shortened.old.ids, shortened.old.size
    assert made.dtype == np.float32
    assert made.shape == (shortened.vocabulary.size, 8)
    assert np.array_equal(made[:size], table[:size])
    for place, token in enumerate(shortened.new_tokens[:: len(shortened.new_tokens) // 400]):
        place *= len(shortened.new_tokens) // 400
        surface = token.removeprefix("##")
        if surface in ids:
            expected = table[ids[surface]]
        elif "\u4e00" <= surface[0] <= "\u9fff":
            rows = [ids.get(character, ids[UNKNOWN]) for character in surface]
            expected = table[rows].mean(axis=0)
        else:
            continue
        np.testing.assert_allclose(made[size + place], expected, atol=1e-6)
    with pytest.raises(SubwordsError, match=r"has 3 rows but its vocabulary \d+ tokens"):
        subword_embeddings(table[:3], shortened)


def test_texts_that_do_not_support_it_are_refused_with_the_figure() -> None:
    with pytest.raises(SubwordsError, match=r"10 pieces make sequences \d\.\d% shorter .* 10%"):
        shortened_vocabulary(CHECKPOINT, titles("train"), 10, held_out=titles("dev"))


def test_a_vocabulary_of_words_is_refused(written: Path) -> None:
    with pytest.raises(SubwordsError, match="reads runs of Chinese already"):
        shortened_vocabulary(written, titles("train"), PIECES)


@pytest.mark.parametrize(("texts", "pieces"), [([], 5), (["新闻"], 0)])
def test_no_texts_and_no_pieces_are_refused(texts: list[str], pieces: int) -> None:
    with pytest.raises(SubwordsError, match="expected some of both"):
        shortened_vocabulary(CHECKPOINT, texts, pieces)


def test_a_cased_vocabulary_stays_cased(tmp_path: Path) -> None:
    shutil.copy(CHECKPOINT / "vocab.txt", tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}', encoding="utf-8")
    made = shortened_vocabulary(tmp_path, titles("train"), PIECES)
    assert made.lower_case is False
    assert {"Ａ", "##Ａ"} <= set(made.vocabulary.ids)
