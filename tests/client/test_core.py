"""Requests, retries and the isolation of rows, over a model in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ernie_triton.client.client import Blocking, run_blocking
from ernie_triton.client.core import Caller, Codec, Policy
from ernie_triton.client.tasks.regression import RegressionCodec
from ernie_triton.client.tasks.seq_cls import SeqClsCodec
from ernie_triton.client.tasks.token_cls import TokenCodec
from ernie_triton.client.wire import InferRequest, ModelFacts, Reply, utf8_from_text
from ernie_triton.errors import (
    ClientError,
    ContractError,
    DeadlineExceededError,
    ModelAwayError,
    ModelNotReadyError,
    QueueFullError,
    RequestRefusedError,
    ServerUnavailableError,
    StageFailedError,
    TextError,
)
from tests.client.fakes import (
    ENDPOINT,
    PAIR_FACTS,
    FakeModel,
    FakeTransport,
    Fault,
    refuse_texts_with,
)
from tests.client.task_fakes import entity_model

CODEC = SeqClsCodec()


def caller_of(model: FakeModel, *, timeout_s: float = 30.0, retries: int | None = 6) -> Caller:
    policy = Policy(timeout_s=timeout_s, retries=retries)
    return Caller(Blocking(FakeTransport(model)), ENDPOINT, policy)


def failing(*errors: ClientError) -> Fault:
    """Fails once with each error, then never again."""
    left: Iterator[ClientError] = iter(errors)

    def fault(_: InferRequest) -> ClientError | None:
        return next(left, None)

    return fault


def rows_of(*texts: str) -> list[tuple[bytes]]:
    return [(text.encode(),) for text in texts]


def test_rows_go_out_in_requests_no_larger_than_the_model_takes() -> None:
    model = FakeModel()
    results = run_blocking(caller_of(model).results(rows_of(*"abcabcabc"), CODEC))
    assert [len(request.columns["text"]) for request in model.requests] == [4, 4, 1]
    assert [result.best.id for result in results] == [0, 1, 2] * 3
    assert model.facts_asked == 1


def test_a_refused_batch_is_sent_again_row_by_row() -> None:
    model = FakeModel(fault=refuse_texts_with("!"))
    outcomes = run_blocking(caller_of(model).outcomes(rows_of("a", "b!", "c"), CODEC))
    assert [isinstance(outcome, RequestRefusedError) for outcome in outcomes] == [0, 1, 0]
    assert [len(request.columns["text"]) for request in model.requests] == [3, 1, 1, 1]


def test_a_refused_text_is_named_by_its_number_among_all() -> None:
    model = FakeModel(fault=refuse_texts_with("!"))
    with pytest.raises(RequestRefusedError, match="text 6: the server refused"):
        run_blocking(caller_of(model).results(rows_of("a", "b", "c", "a", "b", "c!"), CODEC))


@pytest.mark.parametrize("error", [ServerUnavailableError("away"), QueueFullError("full")])
def test_an_absent_server_and_a_full_queue_are_tried_again(error: ClientError) -> None:
    model = FakeModel(fault=failing(error, error, error))
    [result] = run_blocking(caller_of(model).results(rows_of("b"), CODEC))
    assert result.best.id == 1
    assert len(model.requests) == 4
    for pause_s, longest_s in zip(model.pauses, (0.1, 0.2, 0.4), strict=True):
        assert longest_s / 2 <= pause_s <= longest_s


@pytest.mark.parametrize(
    "error", [DeadlineExceededError("late"), RequestRefusedError("no"), ModelNotReadyError("none")]
)
def test_no_other_error_is_tried_again(error: ClientError) -> None:
    model = FakeModel(fault=failing(error))
    with pytest.raises(type(error)):
        run_blocking(caller_of(model).results(rows_of("a"), CODEC))
    assert len(model.requests) == 1
    assert model.pauses == []


AWAY = [ServerUnavailableError("away"), ModelAwayError("no available versions")]


@pytest.mark.parametrize("error", AWAY)
def test_what_is_away_is_tried_until_it_is_back(error: ClientError) -> None:
    model = FakeModel(fault=failing(*[error] * 20))
    assert len(run_blocking(caller_of(model, retries=None).results(rows_of("a"), CODEC))) == 1
    assert len(model.requests) == 21
    assert all(1.0 <= pause_s <= 2.0 for pause_s in model.pauses[5:])  # doubled, then at its limit


@pytest.mark.parametrize("error", AWAY)
def test_what_stays_away_is_an_error_when_the_time_is_up(error: ClientError) -> None:
    model = FakeModel(fault=lambda _: error)
    with pytest.raises(type(error)):
        run_blocking(caller_of(model, timeout_s=0.3, retries=None).results(rows_of("a"), CODEC))


def test_a_request_that_ends_its_stage_is_not_sent_for_long() -> None:
    error = StageFailedError("Stub process is not healthy")
    model = FakeModel(fault=lambda _: error)
    with pytest.raises(StageFailedError):
        run_blocking(caller_of(model, retries=None).results(rows_of("a", "b"), CODEC))
    assert len(model.requests) == 3


def test_one_whose_stage_was_ended_by_another_is_answered() -> None:
    ended = [StageFailedError("not healthy")] * 2
    model = FakeModel(fault=failing(*ended, *[ModelAwayError("no available versions")] * 5))
    assert len(run_blocking(caller_of(model, retries=None).results(rows_of("a"), CODEC))) == 1


def test_a_model_that_is_not_there_while_none_is_ready_is_waited_for() -> None:
    model = FakeModel(fault=failing(ModelNotReadyError("is not found")), ready=())
    assert len(run_blocking(caller_of(model).results(rows_of("a"), CODEC))) == 1


def test_retries_of_an_absent_server_are_counted() -> None:
    model = FakeModel(fault=lambda _: ServerUnavailableError("away"))
    with pytest.raises(ServerUnavailableError):
        run_blocking(caller_of(model, retries=2).results(rows_of("a"), CODEC))
    assert len(model.requests) == 3


def test_a_full_queue_is_tried_again_beyond_the_count_but_not_with_none() -> None:
    full = [QueueFullError("full")] * 9
    caller = caller_of(FakeModel(fault=failing(*full)), retries=2)
    assert len(run_blocking(caller.results(rows_of("a"), CODEC))) == 1
    caller = caller_of(FakeModel(fault=failing(*full)), retries=0)
    with pytest.raises(QueueFullError):
        run_blocking(caller.results(rows_of("a"), CODEC))


def test_no_retry_is_begun_that_would_end_after_the_timeout() -> None:
    model = FakeModel(fault=lambda _: QueueFullError("full"))
    with pytest.raises(QueueFullError):
        run_blocking(caller_of(model, timeout_s=0.3).results(rows_of("a"), CODEC))
    assert sum(model.pauses) < 0.9
    assert len(model.requests) < 5


def test_every_request_carries_what_is_left_of_the_timeout() -> None:
    model = FakeModel(fault=failing(ServerUnavailableError("away")))
    run_blocking(caller_of(model, timeout_s=5.0).results(rows_of("a"), CODEC))
    first, second = model.timeouts
    assert 0 < second <= first <= 5.0


def test_a_late_batch_is_late_for_each_row_and_not_sent_again() -> None:
    model = FakeModel(fault=lambda _: DeadlineExceededError("late"))
    outcomes = run_blocking(caller_of(model).outcomes(rows_of("a", "b"), CODEC))
    assert [type(outcome) for outcome in outcomes] == [DeadlineExceededError] * 2
    assert len(model.requests) == 1


def test_a_missing_model_is_reported_with_those_that_are_ready() -> None:
    model = FakeModel(fault=failing(ModelNotReadyError("no such model")))
    with pytest.raises(ModelNotReadyError, match="ready there: ernie_ner, ernie_seqcls"):
        run_blocking(caller_of(model).results(rows_of("a"), CODEC))


def test_pairs_go_out_in_the_order_of_the_task_not_of_the_config() -> None:
    model = FakeModel(facts=PAIR_FACTS)
    run_blocking(caller_of(model).results([(b"a", b"x"), (b"b", b"y")], CODEC))
    assert model.requests[0].columns == {"text": [b"a", b"b"], "text_pair": [b"x", b"y"]}


def test_a_pair_model_is_not_given_single_texts() -> None:
    with pytest.raises(ContractError, match=r"takes 2 text\(s\) a row \(text, text_pair\)"):
        run_blocking(caller_of(FakeModel(facts=PAIR_FACTS)).results(rows_of("a"), CODEC))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (ModelFacts(max_batch_size=8, inputs=("input_ids",), outputs={}), "the inputs input_ids"),
        (ModelFacts(max_batch_size=0, inputs=("text",), outputs={}), "takes no batches"),
    ],
)
def test_a_model_of_another_kind_is_refused(facts: ModelFacts, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        run_blocking(caller_of(FakeModel(facts=facts)).results(rows_of("a"), CODEC))


@pytest.mark.parametrize(
    ("model", "codec", "said"),
    [
        (FakeModel(), RegressionCodec(), "but not score; name a model of regression"),
        (entity_model(with_tokens=False), TokenCodec(), "not tokens; it is an option of the build"),
    ],
)
def test_a_model_without_the_outputs_of_the_task_is_asked_for_nothing(
    model: FakeModel, codec: Codec[object], said: str
) -> None:
    with pytest.raises(ContractError, match=said):
        run_blocking(caller_of(model).outcomes(rows_of("a", "b"), codec))
    assert model.requests == []


def test_an_answer_with_too_few_rows_is_refused() -> None:
    class Short(FakeModel):
        def answer(self, request: InferRequest, timeout_s: float) -> Reply:
            return {name: rows[:1] for name, rows in super().answer(request, timeout_s).items()}

    with pytest.raises(ContractError, match=r"'label' for \(1,\) rows of 2"):
        run_blocking(caller_of(Short()).results(rows_of("a", "b"), CODEC))


def test_a_lone_surrogate_is_named_with_its_place() -> None:
    with pytest.raises(TextError, match=r"U\+D800 at character 2"):
        utf8_from_text("ab\ud800")


@pytest.mark.parametrize(("timeout_s", "retries"), [(0.0, 1), (float("nan"), 1), (1.0, -1)])
def test_a_policy_without_sense_is_refused(timeout_s: float, retries: int) -> None:
    with pytest.raises(ValueError, match="it must"):
        Policy(timeout_s=timeout_s, retries=retries)
