"""What every stage does when its `run` fails, shown on one that adds numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ernie_triton.errors import TextError
from tests.ernie_triton import fake_triton
from tests.ernie_triton.backends.calls import Array, execute, refusal
from tests.ernie_triton.fake_triton import TritonError

if TYPE_CHECKING:
    from ernie_triton.backends.stage import Stage


def adder(runs: list[int]) -> Stage[int]:
    from ernie_triton.backends.stage import Stage, Tensors

    class Adder(Stage[int]):
        inputs = ("number",)

        def open(self, parameters: Mapping[str, str], folder: Path) -> None:
            raise NotImplementedError

        def read(self, tensors: Tensors) -> int:
            return int(tensors["number"][0, 0])

        def run(self, items: Sequence[int]) -> list[Tensors]:
            runs.append(len(items))
            if 13 in items:
                raise ZeroDivisionError("thirteen")
            if 14 in items:
                raise TextError("fourteen is refused")
            return [{"sum": np.array([[item + 1]], np.int64)} for item in items]

    return Adder()


def requests(*numbers: int) -> list[Mapping[str, Array]]:
    return [{"number": np.array([[number]], np.int64)} for number in numbers]


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
    assert logged.endswith("ZeroDivisionError('thirteen')")


def test_no_requests_make_no_run() -> None:
    runs: list[int] = []
    assert execute(adder(runs), []) == []
    assert runs == []
