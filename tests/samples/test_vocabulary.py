from pathlib import Path

import pytest

from ernie_triton.tokenizer.vocabulary import TOKENIZER_JSON
from samples.cli import main
from samples.errors import DataError
from samples.vocabulary import build_vocabulary, gb2312_level_1

SAMPLES = Path(__file__).parents[2] / "samples"


def committed() -> list[str]:
    return (SAMPLES / "data" / "vocab.txt").read_text(encoding="utf-8").splitlines()


def test_committed_vocabulary_is_reproduced(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    assert main(["vocabulary", "--data", str(SAMPLES / "data"), "--output", str(path)]) == 0
    assert path.read_bytes() == (SAMPLES / "data" / "vocab.txt").read_bytes()


def test_specials_come_first_and_pad_is_0() -> None:
    assert committed()[:5] == ["[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]"]


def test_entries_are_few_and_unique() -> None:
    entries = committed()
    assert 4000 < len(entries) <= 4500
    assert len(set(entries)) == len(entries)


@pytest.mark.parametrize(
    "entry", ["的", "一", "，", "。", "？", "a", "##a", "0", "##0", "iphone", "５", "##00"]
)
def test_vocabulary_covers(entry: str) -> None:
    assert entry in committed()


def test_first_level_of_gb2312_is_complete() -> None:
    level = gb2312_level_1()
    assert len(level) == 3755
    assert (level[0], level[-1]) == ("啊", "座")
    assert set(level) <= set(committed())


def test_checkpoints_carry_the_committed_vocabulary_or_pieces_of_their_own() -> None:
    folders = list((SAMPLES / "checkpoints").iterdir())
    paths = [folder / "vocab.txt" for folder in folders if not (folder / TOKENIZER_JSON).is_file()]
    assert len(paths) == len(folders) - 1
    for path in paths:
        assert path.read_text(encoding="utf-8").splitlines() == committed()


def test_too_few_entries_are_refused() -> None:
    with pytest.raises(DataError, match="allow more"):
        build_vocabulary(["你好"], max_entries=100)
