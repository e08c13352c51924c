"""The first stage gives each request its own rows of tokens, or its own error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ernie_triton.arrays import Tensors
from ernie_triton.errors import TextError, VocabularyError
from ernie_triton.settings import TokenizerSettings
from ernie_triton.stages.tokenizer import TokenizerStage
from ernie_triton.tasks import SEQ_CLS, token_tensors
from tests.stages.calls import answers, assert_as_declared, texts
from tests.tokenizer.original_tokenizer import OriginalTokenizer

MAX_LENGTH = 12


@pytest.fixture
def original(paddle_vocab: Path) -> OriginalTokenizer:
    return OriginalTokenizer(paddle_vocab, lower_case=True)


def opened_stage(
    folder: Path,
    vocab: Path,
    *,
    task: str = "seq_cls",
    pair: bool = False,
    max_length: int = MAX_LENGTH,
    length_bucket: int = 1,
) -> TokenizerStage:
    (folder / "1" / "vocab.txt").write_bytes(vocab.read_bytes())
    settings = TokenizerSettings(
        task=task,
        pair=pair,
        max_length=max_length,
        lower_case=True,
        overlap=2,
        max_windows=9,
        length_bucket=length_bucket,
    )
    return TokenizerStage.open(settings.to_parameters(), folder / "1")


def assert_rows(
    tensors: Tensors, rows: Sequence[tuple[str, str | None]], original: OriginalTokenizer
) -> None:
    """The answer has the original's rows, padded to the longest of the request."""
    is_pair = rows[0][1] is not None
    specs = (*token_tensors(pair=is_pair), *SEQ_CLS.tokenizer_results)
    assert_as_declared(tensors, specs, len(rows))
    expected = [original.row(text, pair, MAX_LENGTH) for text, pair in rows]
    longest = max(len(ids) for ids, _ in expected)
    pad = original.as_in_version_5.pad_token_id
    for row, (ids, types) in enumerate(expected):
        filler = longest - len(ids)
        assert tensors["input_ids"][row].tolist() == ids + [pad] * filler
        if is_pair:
            assert tensors["token_type_ids"][row].tolist() == types + [0] * filler
        else:
            assert not any(types)  # so that nothing is lost where they are not sent
        assert ids[-1] != pad  # so that the engine sees where the row ends
        needed = sum(len(original.token_ids(text)) + 1 for text in rows[row] if text is not None)
        assert tensors["truncated"][row].tolist() == [needed + 1 > MAX_LENGTH]


def test_requests_of_one_batch_get_their_own_rows(
    folder: Path, paddle_vocab: Path, original: OriginalTokenizer
) -> None:
    requests = [["北京"], ["", "好吃吗" * 9, "iphone 12"], [" "], ["美" * 10, "a"]]
    stage = opened_stage(folder, paddle_vocab)
    made = answers(stage, [{"text": texts(*values)} for values in requests])
    for values, tensors in zip(requests, made, strict=True):
        assert_rows(tensors, [(value, None) for value in values], original)


def test_pairs_keep_their_partners(
    folder: Path, paddle_vocab: Path, original: OriginalTokenizer
) -> None:
    requests = [[("北京", "天")], [("", ""), ("好吃吗" * 9, "也"), ("不", "贵" * 20)]]
    stage = opened_stage(folder, paddle_vocab, pair=True)
    made = answers(
        stage,
        [
            {
                "text": texts(*(first for first, _ in pairs)),
                "text_pair": texts(*(second for _, second in pairs)),
            }
            for pairs in requests
        ],
    )
    for pairs, tensors in zip(requests, made, strict=True):
        assert_rows(tensors, pairs, original)


@pytest.mark.parametrize(
    ("damaged", "place"),
    [
        (b"\xff", "byte 0xff at offset 0"),
        ("北京".encode("gb18030"), "byte 0xb1 at offset 0"),
        ("北".encode()[:2], "byte 0xe5 at offset 0"),
        (b"ab\xed\xa0\x80", "byte 0xed at offset 2"),
    ],
)
def test_a_text_that_is_not_utf_8_is_refused_with_its_place(
    damaged: bytes, place: str, folder: Path, paddle_vocab: Path
) -> None:
    stage = opened_stage(folder, paddle_vocab)
    message = f"^row 1 of the input 'text' is not UTF-8: {place}; send UTF-8 text$"
    with pytest.raises(TextError, match=message):
        stage.read({"text": texts("好", damaged)})


def test_a_megabyte_is_cut_beside_a_short_text(
    folder: Path, paddle_vocab: Path, original: OriginalTokenizer
) -> None:
    stage = opened_stage(folder, paddle_vocab)
    long, short = answers(stage, [{"text": texts("北京 " * 149_000)}, {"text": texts("好")}])
    assert_rows(long, [("北京 " * 20, None)], original)
    assert_rows(short, [("好", None)], original)


@pytest.mark.parametrize("task", ["seq_cls", "token_cls"])
def test_rows_are_padded_to_a_bucket_within_the_longest(
    folder: Path, paddle_vocab: Path, task: str
) -> None:
    """Rows of few lengths, for an engine that Triton's own batcher feeds."""
    requests = [
        {"text": texts("北京", "好" * 5)},
        {"text": texts("美" * 7)},
        {"text": texts("美" * 19)},
    ]
    made = {}
    for bucket in (1, 8):
        stage = opened_stage(folder, paddle_vocab, task=task, max_length=21, length_bucket=bucket)
        made[bucket] = answers(stage, requests)
    lengths = [tensors["input_ids"].shape[1] for tensors in made[1]]
    assert lengths == [7, 9, 21]
    assert [tensors["input_ids"].shape[1] for tensors in made[8]] == [8, 16, 21]
    for plain, padded, length in zip(made[1], made[8], lengths, strict=True):
        assert plain.keys() == padded.keys()
        for name, values in plain.items():
            kept = padded[name][:, :length] if name == "input_ids" else padded[name]
            np.testing.assert_array_equal(kept, values)
        assert (padded["input_ids"][:, length:] == 0).all()  # [PAD] of this vocabulary


def test_a_missing_vocabulary_is_named_with_its_path(folder: Path) -> None:
    settings = TokenizerSettings(
        task="seq_cls", pair=False, max_length=8, lower_case=True, overlap=0, max_windows=1
    )
    with pytest.raises(VocabularyError, match=r"1/vocab\.txt cannot be read"):
        TokenizerStage.open(settings.to_parameters(), folder / "1")


@pytest.mark.parametrize("task", ["seq_cls", "token_cls"])
def test_the_tokens_of_each_request_are_counted_without_padding(
    folder: Path, paddle_vocab: Path, task: str
) -> None:
    stage = opened_stage(folder, paddle_vocab, task=task)
    batch = [texts("北京", "北京的天"), texts(""), texts("天" * 30, "好")]
    found = stage.run([stage.read({"text": one}) for one in batch])
    expected = [np.count_nonzero(tensors["input_ids"]) for tensors in found]  # [PAD] is 0
    assert stage.token_counts() == expected
    assert expected[:2] == [4 + 6, 2]


def test_a_text_over_the_limit_in_bytes_is_refused_with_its_row(
    paddle_vocab: Path, tmp_path: Path
) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "vocab.txt").write_bytes(paddle_vocab.read_bytes())
    settings = TokenizerSettings(
        task="seq_cls",
        pair=False,
        max_length=8,
        lower_case=True,
        overlap=0,
        max_windows=1,
        max_text_bytes=6,
    )
    stage = TokenizerStage.open(settings.to_parameters(), tmp_path / "1")
    fits, long = "北京".encode(), "北京a".encode()
    assert stage.read({"text": np.array([[fits]], np.object_)}) == (["北京"],)
    message = "row 1 of the input 'text' has 7 bytes; expected at most 6; send less"
    with pytest.raises(TextError, match=message):
        stage.read({"text": np.array([[fits], [long]], np.object_)})
