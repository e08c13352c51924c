"""A gateway over servers in memory, asked as ASGI or over a real port."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn

from ernie_triton.client.statistics import StageCounts
from ernie_triton.client.transport import Connection
from ernie_triton.client.wire import Endpoint, InferRequest, ModelFacts, RequestedOutput
from ernie_triton.errors import ServerUnavailableError
from ernie_triton.gateway.app import Gateway, Parts
from ernie_triton.gateway.endpoints.table import ENDPOINTS
from ernie_triton.gateway.guard.guard import ByKey, Guard
from ernie_triton.gateway.guard.keys import KeyRing
from ernie_triton.gateway.guard.limits import KeyLimits, write_limit_table
from ernie_triton.gateway.metrics import GatewayMetrics
from ernie_triton.gateway.openapi import openapi_view
from ernie_triton.gateway.pipelines import Pipelines, Ways
from ernie_triton.gateway.serving.worker import BACKLOG, uvicorn_config
from ernie_triton.gateway.settings import ConnectionBounds, GatewaySettings, RequestBounds
from ernie_triton.gateway.spans import Spans
from ernie_triton.gateway.views import page_views, pipeline_views
from ernie_triton.gateway.watching import Watching
from ernie_triton.log_settings import LogSettings
from ernie_triton.server.telemetry.event_log import EventLog
from tests.client.fakes import Array, FakeAsyncTransport, FakeModel
from tests.client.task_fakes import (
    choice_model,
    cloze_model,
    colbert_model,
    entity_model,
    multi_label_model,
    qa_model,
    rank_model,
    score_model,
    sparse_model,
    vector_model,
)

URL = "far:8001"
STAGE = FakeModel(
    facts=ModelFacts(max_batch_size=4, inputs=("text",), outputs={"input_ids": (-1,)})
)


def tokenizer_model(*inputs: str) -> FakeModel:
    """Every character is a token with its code as id; the model reads the first four."""
    outputs = {"input_ids": (-1,), "tokenization": (1,), "token_count": (1,)}
    facts = ModelFacts(max_batch_size=4, inputs=inputs, outputs=outputs)
    return FakeModel(facts=facts, tensor=_tokenizer_tensor)


def _tokenizer_tensor(request: InferRequest, output: RequestedOutput) -> Array:
    rows = zip(*request.columns.values(), strict=True)
    texts = [[text.decode() for text in row] for row in rows]
    if output.name == "token_count":
        return np.array([[2 + min(len(row[0]), 4)] for row in texts], dtype=np.int32)
    cells = [json.dumps(_tokenized(row)).encode() for row in texts]
    return np.array(cells, dtype=np.object_).reshape(-1, 1)


def _tokenized(texts: list[str]) -> dict[str, object]:
    shown = [
        {
            "ids": [ord(character) for character in text],
            "tokens": list(text),
            "offsets": [[at, at + 1] for at in range(len(text))],
            "read": min(len(text), 4),
        }
        for text in texts
    ]
    return {
        "count": 2 + min(len(texts[0]), 4),
        "truncated": len(texts[0]) > 4,
        "texts": shown,
        "windows": [],
    }


def extraction_model() -> FakeModel:
    """The first capital of a text is a person, and the schema as sent is its relation."""
    facts = ModelFacts(max_batch_size=4, inputs=("text", "schema"), outputs={"result": (1,)})
    return FakeModel(facts=facts, tensor=_extraction_tensor)


def _extraction_tensor(request: InferRequest, output: RequestedOutput) -> Array:
    assert output.name == "result"
    rows = zip(request.columns["text"], request.columns["schema"], strict=True)
    cells = [json.dumps(_extracted(text.decode(), schema.decode())) for text, schema in rows]
    return np.array([[cell.encode()] for cell in cells], dtype=np.object_)


def _extracted(text: str, schema: str) -> dict[str, object]:
    match = re.search("[A-Z]", text)
    if match is None:
        return {}
    option = {"text": schema, "probability": 0.5}
    place = {"text": match[0], "start": match.start(), "end": match.end(), "probability": 0.75}
    return {"人物": [{**place, "relations": {"schema": [option]}}]}


def with_stage(model: FakeModel, stage: str) -> FakeModel:
    """The model as an ensemble whose first stage has this name."""
    return dataclasses.replace(model, facts=dataclasses.replace(model.facts, stages=(stage,)))


def all_models() -> dict[str, FakeModel]:
    return {
        "ernie_seqcls": with_stage(FakeModel(), "seqcls@2_tokenizer"),
        "seqcls@2_tokenizer": tokenizer_model("text"),
        "ernie_qa_tokenizer": tokenizer_model("context", "question"),
        "ernie_embedding_tokenizer": tokenizer_model("text"),
        "ernie_multilabel": multi_label_model(),
        "ernie_regression": score_model(),
        "ernie_tokencls": entity_model(),
        "ernie_qa": with_stage(qa_model(), "ernie_qa_tokenizer"),
        "ernie_rerank": rank_model(),
        "ernie_choice": choice_model(),
        "ernie_cloze": cloze_model(),
        "ernie_sparse": sparse_model(),
        "ernie_colbert": colbert_model(),
        "ernie_uie": extraction_model(),
        "ernie_embedding": with_stage(vector_model(), "ernie_embedding_tokenizer"),
    }


@dataclass
class FakeServer:
    """Models in memory at one address; `away` is a server that does not answer."""

    models: Mapping[str, FakeModel] = field(default_factory=all_models)
    longest_s: float = 0.0
    away: bool = False

    def transport(self, connection: Connection) -> _Transport:
        name = connection.endpoint.model
        return _Transport(self, self.models.get(name, STAGE))


class _Transport(FakeAsyncTransport):
    def __init__(self, server: FakeServer, model: FakeModel) -> None:
        super().__init__(model, server.longest_s)
        self._server = server

    async def ready_models(self, timeout_s: float) -> tuple[str, ...]:
        assert timeout_s > 0
        if self._server.away:
            raise ServerUnavailableError("no Triton server answers at far:8001; start it")
        return tuple(self._server.models)


class _Counter:
    """Two requests more in every stage each time it is asked, of 3 ms together."""

    def __init__(self, _: Connection) -> None:
        self._asked = 0

    async def counts(self, models: Sequence[str], timeout_s: float) -> dict[str, StageCounts]:
        assert timeout_s > 0
        self._asked += 1
        names = [field.name for field in dataclasses.fields(StageCounts)]
        none = dict.fromkeys(names, 0)
        requests, spent = 2 * self._asked, 3_000_000 * self._asked
        counts = StageCounts(**{**none, "requests": requests, "compute_ns": spent})
        return dict.fromkeys(models, counts)

    async def close(self) -> None:
        pass


@dataclass(frozen=True)
class Answered:
    """An answer as its caller sees it."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def new_gateway(
    servers: Mapping[str, FakeServer],
    *,
    keys: Path | None = None,
    bounds: RequestBounds | None = None,
    connections: ConnectionBounds | None = None,
    log: Path | None = None,
    spans: Spans | None = None,
) -> Gateway:
    """A gateway over servers by address."""

    def connect(connection: Connection) -> _Transport:
        return servers[connection.endpoint.url].transport(connection)

    pipelines = Pipelines(
        [Connection(endpoint=Endpoint(url=url, model="")) for url in servers],
        Ways(connect=connect, count_stages=_Counter),
    )
    by_key = None
    if keys is not None:
        table = keys.with_suffix(".limits")
        write_limit_table(table)
        by_key = ByKey(ring=KeyRing(keys), limits=KeyLimits(table))
    settings = LogSettings(form="json", requests="all" if log else "none")
    views = {**pipeline_views(pipelines), **page_views()}
    found = bounds or RequestBounds()
    return Gateway(
        Parts(
            pipelines=pipelines,
            guard=Guard(found.in_flight, by_key),
            endpoints=ENDPOINTS,
            views={**views, "/openapi.json": openapi_view(ENDPOINTS, views)},
            watching=Watching(settings, EventLog(settings, file=log), GatewayMetrics()),
            bounds=found,
            connection_bounds=connections or ConnectionBounds(),
            check_s=60.0,
            spans=spans,
        )
    )


class Caller:
    """Asks a gateway without a network; the gateway's start comes before the first request."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def post(self, path: str, body: object, **headers: str) -> Answered:
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return self.ask("POST", path, raw, headers)

    def get(self, path: str, **headers: str) -> Answered:
        return self.ask("GET", path, b"", headers)

    def ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        return asyncio.run(self._asked(method, path, body, headers))

    async def _asked(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> Answered:
        await self.gateway.parts.pipelines.look(0.0)
        return await asked(self.gateway, method, path, body, headers)


async def asked(
    gateway: Gateway, method: str, path: str, body: bytes, headers: Mapping[str, str]
) -> Answered:
    """One request in a running event loop; its caller stays until the answer."""
    sent: list[Any] = []
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if parts:
            return parts.pop()
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    if body:
        lines.append((b"content-length", str(len(body)).encode()))
    scope = {"type": "http", "method": method, "path": path, "headers": lines}
    await gateway(scope, receive, send)
    start, end = sent
    found = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answered(status=start["status"], headers=found, body=end["body"])


@contextmanager
def on_port(gateway: Gateway, connections: ConnectionBounds) -> Iterator[int]:
    """The gateway on a real port, in a thread."""
    settings = GatewaySettings(servers=(), port=0, connection_bounds=connections, drain_s=1)
    config = uvicorn_config(gateway, settings)
    config.port, config.backlog = 0, BACKLOG
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server._serve()), daemon=True)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive()
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
