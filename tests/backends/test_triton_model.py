"""Triton's calls on a stage, shown on one that adds numbers: batches, errors, later answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ernie_triton.arrays import Array, Tensors
from ernie_triton.errors import NotFiniteError, PipelineError, TextError
from ernie_triton.stages.stage import Stage, StageOutput
from tests.backends import fake_triton
from tests.backends.calls import execute, initialized, refusal
from tests.backends.fake_triton import InferenceRequest, InferenceResponse, TritonError

if TYPE_CHECKING:
    from ernie_triton.backends.triton_model import StageModel


class OnNumbers(Stage[int]):
    """A stage of requests that hold a number, with these two steps."""

    inputs = ("number",)

    def __init__(
        self, run: Callable[[Sequence[int]], Sequence[StageOutput]], close: Callable[[], None]
    ) -> None:
        self._run = run
        self._close = close

    @classmethod
    def open(cls, parameters: Mapping[str, str], folder: Path) -> OnNumbers:
        raise PipelineError(f"{sorted(parameters)} in {folder.parts[-2:]}")

    def read(self, tensors: Tensors) -> int:
        return int(tensors["number"][0, 0])

    def run(self, items: Sequence[int]) -> Sequence[StageOutput]:
        return self._run(items)

    def close(self) -> None:
        self._close()


def on_numbers(
    run: Callable[[Sequence[int]], Sequence[StageOutput]],
    close: Callable[[], None] = lambda: None,
) -> StageModel:
    """A model that is loaded with such a stage."""
    from ernie_triton.backends.triton_model import StageModel

    class Opened(OnNumbers):
        @classmethod
        def open(cls, parameters: Mapping[str, str], folder: Path) -> OnNumbers:  # noqa: ARG003
            return cls(run, close)

    class Model(StageModel):
        stage_type = Opened

    return initialized(Model(), {}, Path("unused"))


def test_a_stage_that_cannot_be_opened_fails_the_loading_with_its_message(folder: Path) -> None:
    from ernie_triton.backends.triton_model import StageModel

    class Model(StageModel):
        stage_type = OnNumbers

    message = rf"\['one', 'two'\] in \('{folder.name}', '1'\)"
    with pytest.raises(fake_triton.TritonModelException, match=message):
        initialized(Model(), {"one": "1", "two": "2"}, folder)


def adder(runs: list[int]) -> StageModel:
    def run(items: Sequence[int]) -> list[Tensors]:
        runs.append(len(items))
        if 13 in items:
            raise ZeroDivisionError("thirteen")
        if 14 in items:
            raise TextError("fourteen is refused")
        return [{"sum": np.array([[item + 1]], np.int64)} for item in items]

    return on_numbers(run)


def number(value: int) -> dict[str, Array]:
    return {"number": np.array([[value]], np.int64)}


def requests(*numbers: int) -> list[Mapping[str, Array]]:
    return [number(value) for value in numbers]


def test_good_requests_take_one_run() -> None:
    runs: list[int] = []
    responses = execute(adder(runs), requests(1, 2, 3))
    assert [one.tensors()["sum"].tolist() for one in responses] == [[[2]], [[3]], [[4]]]
    assert runs == [3]


def test_a_run_that_fails_for_one_request_leaves_the_others_their_answers() -> None:
    runs: list[int] = []
    first, thirteen, fourteen, last = execute(adder(runs), requests(1, 13, 14, 4))
    assert [one.tensors()["sum"].item() for one in (first, last)] == [2, 5]
    assert refusal(thirteen) == (TritonError.INTERNAL, "thirteen")
    assert refusal(fourteen) == (TritonError.INVALID_ARG, "fourteen is refused")
    assert runs == [4, 1, 1, 1, 1]


def test_what_is_no_fault_of_the_request_is_logged() -> None:
    execute(adder([]), requests(13, 14))
    (logged,) = fake_triton.Logger.errors
    assert logged.endswith("ZeroDivisionError: thirteen")


def test_a_fault_over_a_text_is_logged_without_the_text() -> None:
    def run(_: Sequence[int]) -> list[Tensors]:
        raise UnicodeEncodeError("utf-8", "a secret \ud800", 9, 10, "surrogates not allowed")

    execute(on_numbers(run), requests(1))
    (logged,) = fake_triton.Logger.errors
    assert "UnicodeEncodeError" in logged
    assert "secret" not in logged


def test_no_requests_make_no_run() -> None:
    runs: list[int] = []
    assert execute(adder(runs), []) == []
    assert runs == []


def procrastinator(futures: Mapping[int, Future[Tensors]]) -> StageModel:
    """Answers some numbers when their futures do, all others at once, and 0 when it is closed."""
    return on_numbers(
        lambda items: [futures.get(item, number(item)) for item in items],
        lambda: futures[0].set_result(number(100)),
    )


def sent(request: InferenceRequest) -> InferenceResponse:
    return request.get_response_sender().sent.get_nowait()


def test_an_answer_that_comes_later_does_not_keep_the_others() -> None:
    futures: dict[int, Future[Tensors]] = {7: Future(), 8: Future()}
    batch = [InferenceRequest(number(value)) for value in (1, 7, 2, 8)]
    returned = procrastinator(futures).execute(batch)
    assert [one and one.tensors()["number"].item() for one in returned] == [1, None, 2, None]
    futures[8].set_result(number(80))
    futures[7].set_result(number(70))
    assert sent(batch[1]).tensors()["number"].item() == 70
    assert sent(batch[3]).tensors()["number"].item() == 80


def test_what_fails_later_is_refused_as_ever() -> None:
    futures: dict[int, Future[Tensors]] = {7: Future(), 8: Future()}
    batch = [InferenceRequest(number(value)) for value in (7, 8)]
    assert procrastinator(futures).execute(batch) == [None, None]
    futures[7].set_exception(ZeroDivisionError("seven"))
    futures[8].set_exception(TextError("eight is refused"))
    assert refusal(sent(batch[0])) == (TritonError.INTERNAL, "seven")
    assert refusal(sent(batch[1])) == (TritonError.INVALID_ARG, "eight is refused")
    (logged,) = fake_triton.Logger.errors
    assert logged.endswith("ZeroDivisionError: seven")


def test_what_is_there_already_is_sent_at_once() -> None:
    done: Future[Tensors] = Future()
    done.set_result(number(70))
    request = InferenceRequest(number(7))
    assert procrastinator({7: done}).execute([request]) == [None]
    assert sent(request).tensors()["number"].item() == 70


def test_a_model_that_is_unloaded_answers_first() -> None:
    stage, request = procrastinator({0: Future()}), InferenceRequest(number(0))
    assert stage.execute([request]) == [None]
    stage.finalize()
    assert sent(request).tensors()["number"].item() == 100


def test_scores_that_are_no_numbers_fail_their_request_alone_and_are_logged() -> None:
    def run(items: Sequence[int]) -> list[Tensors]:
        if 2 in items:
            raise NotFiniteError("text 1 of the request: the engine's logits are NaN")
        return [{"sum": np.array([[item + 1]])} for item in items]

    responses = execute(on_numbers(run), [{"number": np.array([[item]])} for item in (1, 2, 3)])
    message = "text 1 of the request: the engine's logits are NaN"
    assert refusal(responses[1]) == (TritonError.INTERNAL, message)
    assert [response.error() for response in responses[::2]] == [None, None]
    (logged,) = fake_triton.Logger.errors
    assert message in logged
