"""A vocabulary gives every token the id that transformers gives it, or says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from ernie_triton.errors import VocabularyError
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from tests.tokenizer.original_tokenizer import LEGACY

SPECIAL = "[PAD]\n[CLS]\n[SEP]\n[MASK]\n[UNK]\n"


def written(folder: Path, content: str) -> Path:
    path = folder / "vocab.txt"
    path.write_bytes(content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(SPECIAL + "一\n##一\n二\n", id="plain"),
        pytest.param(SPECIAL + "一\n二", id="no newline at the end"),
        pytest.param(SPECIAL.replace("\n", "\r\n") + "一\r\n二\r\n", id="Windows newlines"),
        pytest.param(SPECIAL + "一\n\n二\n", id="an empty line"),
        pytest.param(
            SPECIAL + " 一\n二 \n\u3000\n\x85三\n\u2028四\n", id="spaces are of the token"
        ),
        pytest.param(SPECIAL + "一\n二\n一\n[UNK]\n三\n", id="tokens on two lines"),
    ],
)
def test_ids_are_those_of_transformers(content: str, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    assert dict(load_vocabulary(path).ids) == dict(LEGACY.load_vocab(path))


def test_a_real_vocabulary_has_the_ids_of_transformers(paddle_vocab: Path) -> None:
    vocabulary = load_vocabulary(paddle_vocab)
    assert dict(vocabulary.ids) == dict(LEGACY.load_vocab(paddle_vocab))
    assert vocabulary.size == len(paddle_vocab.read_text(encoding="utf-8").splitlines())


def test_a_token_on_two_lines_has_the_later_id_in_a_text_too(tmp_path: Path) -> None:
    path = written(tmp_path, SPECIAL + "一\n二\n一\n[SEP]\n[CLS]\n")
    vocabulary = load_vocabulary(path)
    assert (vocabulary.size, len(vocabulary.ids)) == (10, 7)
    ids = TextEncoder(vocabulary, max_length=8, lower_case=True).encode(["一二[SEP]"]).input_ids
    assert (
        ids.tolist()
        == LEGACY.BertTokenizerLegacy(str(path))("一二[SEP]").input_ids
        == [9, 7, 6, 8, 8]
    )


def test_the_id_that_ernie_1_wrote_after_a_tab_is_no_part_of_the_token(tmp_path: Path) -> None:
    numbered = "".join(f"{line}\t{i}\n" for i, line in enumerate(f"{SPECIAL}一".split("\n")))
    vocabulary = load_vocabulary(written(tmp_path, numbered))
    assert vocabulary.ids["一"] == 5
    assert "[UNK]\t4" not in vocabulary.ids


def test_special_tokens_are_those_that_the_vocabulary_holds(tmp_path: Path) -> None:
    assert set(load_vocabulary(written(tmp_path, SPECIAL)).special_tokens) == set(SPECIAL.split())
    without_mask = written(tmp_path, SPECIAL.replace("[MASK]\n", ""))
    assert "[MASK]" not in load_vocabulary(without_mask).special_tokens


def test_a_file_without_special_tokens_is_refused_by_their_names(tmp_path: Path) -> None:
    path = written(tmp_path, "[PAD]\n[UNK]\n一\n")
    with pytest.raises(VocabularyError, match=r"vocab\.txt has 3 lines but no \[CLS\], \[SEP\];"):
        load_vocabulary(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="has 0 lines"):
        load_vocabulary(written(tmp_path, ""))


def test_a_missing_file_is_refused_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match=r"nowhere\.txt cannot be read"):
        load_vocabulary(tmp_path / "nowhere.txt")


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes(SPECIAL.encode() + "中文".encode("gb18030"))
    with pytest.raises(VocabularyError, match=r"not UTF-8 .*looks like GB18030"):
        load_vocabulary(path)
