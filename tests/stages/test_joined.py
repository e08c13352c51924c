"""Stages that are joined answer as the three do one after the other."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from ernie_triton.stages.joined import JoinedStages
from tests.stages.calls import answers, texts
from tests.stages.test_windows import LONG, engine, postprocess, through_stages, tokenizer


@pytest.fixture
def joined(folder: Path, paddle_vocab: Path) -> JoinedStages:
    return JoinedStages(
        tokenizer(folder, paddle_vocab, "token_cls"),
        engine(folder, "token_cls", "packed"),
        postprocess(folder, "token_cls"),
    )


def test_requests_of_a_batch_have_the_answers_of_the_stages(
    joined: JoinedStages, folder: Path, paddle_vocab: Path
) -> None:
    requests = [{"text": texts(LONG, "北京")}, {"text": texts("")}, {"text": texts("天的好" * 9)}]
    expected = through_stages(folder, paddle_vocab, "token_cls", "packed", requests)
    for found, wanted in zip(answers(joined, requests), expected, strict=True):
        assert set(found) == {"OUTPUT"}
        np.testing.assert_array_equal(found["OUTPUT"], wanted["OUTPUT"])


def test_a_long_request_is_answered_after_the_short_ones_of_its_batch(
    joined: JoinedStages, folder: Path, paddle_vocab: Path
) -> None:
    short, long = {"text": texts("北京")}, {"text": texts(*[LONG] * 3)}
    outputs = joined.run([joined.read(one) for one in (short, long, short)])
    assert [isinstance(output, Future) for output in outputs] == [False, True, False]
    joined.close()
    assert isinstance(outputs[1], Future)
    (expected,) = through_stages(folder, paddle_vocab, "token_cls", "packed", [long])
    np.testing.assert_array_equal(outputs[1].result()["OUTPUT"], expected["OUTPUT"])


def test_rows_that_pass_all_stages_together_have_the_answers_of_the_stages(
    folder: Path, paddle_vocab: Path
) -> None:
    """Classified texts have no tensors of each request between the stages."""
    short, several, longer = texts("北京"), texts("", "天的好", "吃"), texts(LONG, LONG)
    requests = [{"text": one} for one in (short, several, longer, short)]
    joined = JoinedStages(
        tokenizer(folder, paddle_vocab, "seq_cls"),
        engine(folder, "seq_cls", "packed"),
        postprocess(folder, "seq_cls"),
    )
    outputs = joined.run([joined.read(one) for one in requests])
    assert [isinstance(output, Future) for output in outputs] == [False, False, True, False]
    assert joined.token_counts() == [4, 2 + 5 + 3, 12 + 12, 4]
    joined.close()
    expected = through_stages(folder, paddle_vocab, "seq_cls", "packed", requests)
    for output, wanted in zip(outputs, expected, strict=True):
        found = output.result() if isinstance(output, Future) else output
        assert set(found) == {"label", "confidence", "label_name", "scores", "truncated"}
        for name, values in found.items():
            assert values.dtype == wanted[name].dtype
            np.testing.assert_array_equal(values, wanted[name])


def test_the_tokens_of_each_request_are_those_of_the_tokenizer(joined: JoinedStages) -> None:
    answers(joined, [{"text": texts("北京", "")}, {"text": texts("北京的天")}])
    assert joined.token_counts() == [4 + 2, 6]


def test_each_part_counts_what_it_runs(joined: JoinedStages) -> None:
    answers(joined, [{"text": texts("北京", "")}, {"text": texts("北京的天")}])
    answers(joined, [{"text": texts("好")}])
    for part, tokens in (("tokenizer", 0), ("engine", 4 + 2 + 6 + 3), ("postprocess", 0)):
        sums = joined.part_counts[part]
        assert (sums.requests, sums.runs, sums.rows, sums.tokens) == (3, 2, 4, tokens)
        assert 0 < sums.seconds < sums.request_seconds < 2 * sums.seconds
