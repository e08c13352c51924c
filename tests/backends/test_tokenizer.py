"""The first stage gives each request its own rows of tokens, or its own error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ernie_triton.settings import TokenizerSettings
from ernie_triton.tasks import SEQ_CLS, token_tensors
from tests.backends import fake_triton
from tests.backends.calls import assert_as_declared, execute, opened, refusal, texts
from tests.backends.fake_triton import InferenceResponse, TritonError
from tests.tokenizer.original_tokenizer import OriginalTokenizer

if TYPE_CHECKING:
    from ernie_triton.backends.stage import Stage

MAX_LENGTH = 12
"""Of single texts too: Triton drops the token types, which their configuration does not declare."""


@pytest.fixture
def original(paddle_vocab: Path) -> OriginalTokenizer:
    return OriginalTokenizer(paddle_vocab, lower_case=True)


def opened_stage(folder: Path, vocab: Path, *, pair: bool = False) -> Stage[Any]:
    from ernie_triton.backends.tokenizer import TritonPythonModel

    (folder / "1" / "vocab.txt").write_bytes(vocab.read_bytes())
    settings = TokenizerSettings(
        task="seq_cls",
        pair=pair,
        max_length=MAX_LENGTH,
        lower_case=True,
        overlap=0,
        max_windows=1,
    )
    return opened(TritonPythonModel(), settings, folder)


def assert_rows(
    response: InferenceResponse,
    rows: Sequence[tuple[str, str | None]],
    original: OriginalTokenizer,
) -> None:
    """The answer has the original's rows, padded to the longest of the request."""
    is_pair = rows[0][1] is not None
    specs = (*token_tensors(pair=is_pair), *SEQ_CLS.tokenizer_results)
    assert_as_declared(response, specs, len(rows))
    tensors = response.tensors()
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
    responses = execute(stage, [{"text": texts(*values)} for values in requests])
    for values, response in zip(requests, responses, strict=True):
        assert_rows(response, [(value, None) for value in values], original)


def test_pairs_keep_their_partners(
    folder: Path, paddle_vocab: Path, original: OriginalTokenizer
) -> None:
    requests = [[("北京", "天")], [("", ""), ("好吃吗" * 9, "也"), ("不", "贵" * 20)]]
    stage = opened_stage(folder, paddle_vocab, pair=True)
    responses = execute(
        stage,
        [
            {
                "text": texts(*(first for first, _ in pairs)),
                "text_pair": texts(*(second for _, second in pairs)),
            }
            for pairs in requests
        ],
    )
    for pairs, response in zip(requests, responses, strict=True):
        assert_rows(response, pairs, original)


@pytest.mark.parametrize(
    ("damaged", "place"),
    [
        (b"\xff", "byte 0xff at offset 0"),
        ("北京".encode("gb18030"), "byte 0xb1 at offset 0"),
        ("北".encode()[:2], "byte 0xe5 at offset 0"),
        (b"ab\xed\xa0\x80", "byte 0xed at offset 2"),
    ],
)
def test_a_text_that_is_not_utf_8_spoils_its_own_request_alone(
    damaged: bytes,
    place: str,
    folder: Path,
    paddle_vocab: Path,
    original: OriginalTokenizer,
) -> None:
    stage = opened_stage(folder, paddle_vocab)
    good, bad, late = execute(
        stage,
        [{"text": texts("北京")}, {"text": texts("好", damaged)}, {"text": texts("也", "贵")}],
    )
    assert_rows(good, [("北京", None)], original)
    assert_rows(late, [("也", None), ("贵", None)], original)
    code, message = refusal(bad)
    assert code == TritonError.INVALID_ARG
    assert message == f"row 1 of the input 'text' is not UTF-8: {place}; send UTF-8 text"


def test_a_batch_of_bad_requests_alone_is_answered_too(folder: Path, paddle_vocab: Path) -> None:
    stage = opened_stage(folder, paddle_vocab)
    codes = [refusal(one)[0] for one in execute(stage, [{"text": texts(b"\xff")}] * 2)]
    assert codes == [TritonError.INVALID_ARG] * 2


def test_a_megabyte_is_cut_beside_a_short_text(
    folder: Path, paddle_vocab: Path, original: OriginalTokenizer
) -> None:
    stage = opened_stage(folder, paddle_vocab)
    long, short = execute(stage, [{"text": texts("北京 " * 150_000)}, {"text": texts("好")}])
    assert_rows(long, [("北京 " * 20, None)], original)
    assert_rows(short, [("好", None)], original)


def test_a_missing_vocabulary_fails_the_loading_with_its_path(folder: Path) -> None:
    from ernie_triton.backends.tokenizer import TritonPythonModel

    settings = TokenizerSettings(
        task="seq_cls", pair=False, max_length=8, lower_case=True, overlap=0, max_windows=1
    )
    with pytest.raises(fake_triton.TritonModelException, match=r"1/vocab\.txt cannot be read"):
        opened(TritonPythonModel(), settings, folder)
