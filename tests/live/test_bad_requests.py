"""A bad request gets its own error and hurts nobody else's."""

import queue
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from ernie_triton.client.tasks.seq_cls import SeqClsClient
from ernie_triton.errors import ModelNotReadyError
from ernie_triton.server.embedded import EmbeddedServer
from tests.live.requests import text_tensor

pytestmark = pytest.mark.live

GOOD = "国足客场逆转取胜"


def _answers_together(url: str, inputs: list[list[Any]]) -> list[Any]:
    """Send every request before any answer is waited for; answers in the order of requests."""
    client = triton.InferenceServerClient(url)
    done: queue.Queue[tuple[int, Any]] = queue.Queue()
    for number, tensors in enumerate(inputs):

        def note(result: Any, error: Any, number: int = number) -> None:
            done.put((number, error or result))

        client.async_infer("ernie_seqcls", tensors, note)
    answers = dict(done.get(timeout=60) for _ in inputs)
    client.close()
    return [answers[number] for number in range(len(inputs))]


def test_each_of_a_mixed_batch_gets_its_own_outcome(
    server: EmbeddedServer, client: SeqClsClient
) -> None:
    (alone,) = client.classify([GOOD])
    requests = [
        [text_tensor("text", [GOOD])],
        [text_tensor("text", [b"\xe4\xbd\xff"])],
        [text_tensor("text", [GOOD, GOOD], columns=2)],
        [text_tensor("text", ["长" * 300_000])],
    ]
    good, not_utf8, wrong_shape, huge = _answers_together(server.url, requests * 8)[-4:]
    assert good.as_numpy("label")[0, 0] == alone.best.id
    assert good.as_numpy("confidence")[0, 0] == pytest.approx(alone.best.score, abs=1e-4)
    assert isinstance(not_utf8, InferenceServerException)
    assert "row 0 of the input 'text' is not UTF-8" in not_utf8.message()
    assert not_utf8.status() == "StatusCode.INVALID_ARGUMENT"
    assert isinstance(wrong_shape, InferenceServerException)
    assert "shape" in wrong_shape.message()
    assert huge.as_numpy("truncated")[0, 0]
    (cut,) = client.classify(["长" * 126])
    assert huge.as_numpy("confidence")[0, 0] == pytest.approx(cut.best.score, abs=1e-4)


def test_too_many_rows_are_refused_with_the_limit(server: EmbeddedServer) -> None:
    (answer,) = _answers_together(server.url, [[text_tensor("text", [GOOD] * 65)]])
    assert "must be <= 64" in answer.message()


def test_the_engine_refuses_tokens_that_its_tables_do_not_have(
    server: EmbeddedServer, client: SeqClsClient
) -> None:
    raw = triton.InferenceServerClient(server.url)
    for pipeline, tokens, reason in (
        (
            "ernie_seqcls",
            {"input_ids": [2, 99_999]},
            "input_ids: found 2 to 99999; expected 0 to 4311",
        ),
        ("ernie_seqcls", {"input_ids": [2, -1]}, "input_ids: found -1 to 2; expected 0 to"),
        ("ernie_seqcls", {"input_ids": [2]}, "tokens of a row: found 1 to 1; expected 2 to 128"),
        ("ernie_seqcls", {"input_ids": [0, 0, 0]}, "tokens of a row: found 0 to 0; expected 2"),
        ("ernie_seqcls", {"input_ids": [2] * 129}, "found 129 to 129; expected 2 to 128"),
        (
            "ernie_seqcls_pair",
            {"input_ids": [2, 3], "token_type_ids": [0, 99]},
            "token_type_ids: found 0 to 99; expected 0 to",
        ),
        (
            "ernie_seqcls_pair",
            {"input_ids": [2, 3, 3], "token_type_ids": [0, 1]},
            r"token_type_ids has the shape \[1, 2\] but input_ids \[1, 3\]",
        ),
    ):
        tensors = []
        for name, values in tokens.items():
            array = np.array([values], np.int32)
            tensors.append(triton.InferInput(name, list(array.shape), "INT32"))
            tensors[-1].set_data_from_numpy(array)
        with pytest.raises(InferenceServerException, match=reason):
            raw.infer(f"{pipeline}_engine", tensors)
    raw.close()
    assert client.classify([GOOD])[0].best.name


def test_a_pair_model_asked_for_single_texts_says_so(server: EmbeddedServer) -> None:
    with (
        SeqClsClient(server.url, "ernie_seqcls_pair") as pairs,
        pytest.raises(Exception, match="text_pair"),
    ):
        pairs.classify([GOOD])


def test_an_unknown_model_names_those_that_are_ready(server: EmbeddedServer) -> None:
    with (
        SeqClsClient(server.url, "ernie_seqlcs") as typo,
        pytest.raises(ModelNotReadyError, match="ernie_seqcls"),
    ):
        typo.classify([GOOD])


def test_text_that_is_not_utf8_is_refused_with_its_offset(server: EmbeddedServer) -> None:
    raw = triton.InferenceServerClient(server.url)
    with pytest.raises(InferenceServerException, match="byte 0xff at offset 2"):
        raw.infer("ernie_seqcls", [text_tensor("text", [b"ok\xff"])])
    raw.close()
