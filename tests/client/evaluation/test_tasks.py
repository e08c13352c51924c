"""The table of evaluation methods covers every task, and its metrics are means of figures."""

from __future__ import annotations

import pytest

from ernie_triton.client.client import Blocking, run_blocking
from ernie_triton.client.core import Caller, Policy
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.tasks import EMBEDDING, QA, SEQ_CLS, TASKS
from tests.client.fakes import ENDPOINT, LABELS, FakeModel, FakeTransport
from tests.client.task_fakes import vector_model


def caller_of(model: FakeModel) -> Caller:
    return Caller(Blocking(FakeTransport(model)), ENDPOINT, Policy())


def test_every_task_has_a_method() -> None:
    assert set(EVALUATION_METHODS) == set(TASKS)
    assert all(name == method.task.name for name, method in EVALUATION_METHODS.items())


def test_points_are_the_mean_of_the_figures_times_100() -> None:
    assert EVALUATION_METHODS[SEQ_CLS.name].metric.points({"accuracy": 0.25, "f1": 1}) == 25.0
    figures = {"exact_match": 0.5, "f1": 0.75, "questions": 4}
    assert EVALUATION_METHODS[QA.name].metric.points(figures) == 62.5


def test_labels_are_asked_of_the_model_where_they_are_needed() -> None:
    model = FakeModel()
    assert run_blocking(EVALUATION_METHODS[SEQ_CLS.name].labels(caller_of(model))) == LABELS
    assert len(model.requests) == 1
    assert run_blocking(EVALUATION_METHODS[EMBEDDING.name].labels(caller_of(model))) == ()
    assert len(model.requests) == 1


@pytest.mark.parametrize("number", [1, 3])
def test_pairs_are_compared_by_the_vectors_of_their_texts(number: int) -> None:
    method, caller = EVALUATION_METHODS[EMBEDDING.name], caller_of(vector_model())
    assert method.rows_per_example == 2
    assert run_blocking(method.texts(caller)) == ("text", "text_pair")

    async def cosines() -> list[object]:
        return list(await method.send(caller, ())([(b"3 4", b"4 3")] * number))

    found = run_blocking(cosines())
    assert [round(getattr(one, "cosine", 0.0), 4) for one in found] == [0.96] * number
