"""The ids and traces of requests: given by the caller, made otherwise, told in errors."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType

import pytest

from ernie_triton.client.request_context import current_context, request_context
from ernie_triton.client.tasks.seq_cls import AsyncSeqClsClient, SeqClsClient
from ernie_triton.errors import RequestRefusedError, ServerUnavailableError
from tests.client.fakes import FakeAsyncTransport, FakeModel, FakeTransport, refuse_texts_with

SPAN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def client_of(model: FakeModel) -> SeqClsClient:
    return SeqClsClient(transport=FakeTransport(model), retries=1)


def ids_of(model: FakeModel) -> list[str]:
    return [request.request_id for request in model.requests]


def test_every_request_has_an_id_of_its_own() -> None:
    model = FakeModel()
    client_of(model).classify(list("abcabcabc"))
    assert len(set(ids_of(model))) == 3
    assert all(len(bytes.fromhex(made)) == 8 for made in ids_of(model))


def test_a_given_id_goes_with_every_request_of_the_block_and_no_other() -> None:
    model = FakeModel()
    with request_context(request_id="order-1027"):
        client_of(model).classify(list("abcab"))
    client_of(model).classify(["a"])
    *given, made = ids_of(model)
    assert given == ["order-1027"] * 2
    assert made != "order-1027"


def test_blocks_inside_each_other_keep_what_they_do_not_name() -> None:
    with request_context(request_id="outer", traceparent=SPAN):
        with request_context(request_id="inner"):
            assert current_context().request_id == "inner"
            assert current_context().traceparent == SPAN
        assert current_context().request_id == "outer"
    assert current_context().request_id == ""


def test_calls_that_run_at_once_keep_their_own_ids() -> None:
    model = FakeModel()

    async def ask(name: str) -> None:
        with request_context(request_id=name):
            async with AsyncSeqClsClient(transport=FakeAsyncTransport(model, 0.01)) as client:
                await client.classify([name])

    async def ask_all() -> None:
        await asyncio.gather(*(ask(name) for name in "abc"))

    asyncio.run(ask_all())
    sent = {request.request_id: request.columns["text"] for request in model.requests}
    assert sent == {name: [name.encode()] for name in "abc"}


def test_a_request_that_is_sent_again_keeps_its_id() -> None:
    failures = iter([ServerUnavailableError("away")])
    model = FakeModel(fault=lambda _: next(failures, None))
    client_of(model).classify(["a"])
    first, second = ids_of(model)
    assert first == second


def test_an_error_names_its_request() -> None:
    client = client_of(FakeModel(fault=refuse_texts_with("!")))
    with (
        request_context(request_id="order-1027"),
        pytest.raises(RequestRefusedError) as caught,
    ):
        client.classify(["a", "b!"])
    assert caught.value.request_id == "order-1027"
    assert str(caught.value) == "text 2: the server refused: ! (request order-1027)"


def test_the_callers_span_goes_along() -> None:
    model = FakeModel()
    with request_context(traceparent=SPAN):
        client_of(model).classify(["a"])
    client_of(model).classify(["a"])
    assert [request.headers for request in model.requests] == [{"traceparent": SPAN}, {}]


def test_the_current_span_of_opentelemetry_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    def inject(carrier: dict[str, str]) -> None:
        carrier["Traceparent"] = SPAN

    propagate = ModuleType("opentelemetry.propagate")
    propagate.__dict__["inject"] = inject
    for name in ("opentelemetry", "opentelemetry.trace"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "opentelemetry.propagate", propagate)
    model = FakeModel()
    client_of(model).classify(["a"])
    assert model.requests[0].headers == {"traceparent": SPAN}


@pytest.mark.parametrize(
    "names",
    [
        {"request_id": "two words"},
        {"request_id": "x" * 129},
        {"request_id": "a\nb"},
        {"traceparent": "00-1-2-3"},
        {"traceparent": SPAN.upper()},
    ],
)
def test_a_name_in_another_form_is_refused(names: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected"), request_context(**names):
        pass
