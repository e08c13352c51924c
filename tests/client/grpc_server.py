"""A real gRPC server in this process that speaks Triton's protocol, for the transport's tests.

What it answers to a request is a status and message as Triton 2.51 was seen to give them, chosen by
the first text.
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

LABELS = ("negative", "positive")
FAULTS = {
    b"refuse": (grpc.StatusCode.INTERNAL, "in ensemble 'ernie_seqcls', the text is not UTF-8"),
    b"shape": (grpc.StatusCode.INVALID_ARGUMENT, "unexpected shape for input 'text'"),
    b"full": (
        grpc.StatusCode.UNAVAILABLE,
        "in ensemble 'ernie_seqcls', [request id: <id_unknown>] Exceeds maximum queue size",
    ),
    b"stopping": (grpc.StatusCode.UNAVAILABLE, "Server is stopping"),
    b"broken": (grpc.StatusCode.CANCELLED, "CANCELLED"),
    b"foreign": (grpc.StatusCode.UNIMPLEMENTED, "Method not found!"),
}


@dataclass(frozen=True)
class Output:
    """One output: its type on the wire, its dims, and a row's content for the row's first text.

    Without dims it is [rows], as a reshaped output is.
    """

    datatype: str
    dims: tuple[int, ...]
    cell: Callable[[bytes], bytes]


def strings(*values: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def _json(value: object) -> bytes:
    return strings(json.dumps(value, ensure_ascii=False).encode())


def _first_character(key: str, label: str) -> Callable[[bytes], bytes]:
    """A list with the text's first character; of an empty text an empty list."""

    def cell(text: bytes) -> bytes:
        first = text.decode()[:1]
        record = {"pos": [0, 0], key: first, "label": label, "score": 0.5}
        return _json([record] if first else [])

    return cell


_CUT = Output("BOOL", (1,), lambda text: struct.pack("?", len(text) > 5))
_LABEL_OUTPUTS = {
    "scores": Output("FP32", (2,), lambda _: struct.pack("<2f", 0.25, 0.75)),
    "label": Output("INT64", (1,), lambda _: struct.pack("<q", 1)),
    "confidence": Output("FP32", (1,), lambda _: struct.pack("<f", 0.75)),
    "label_name": Output("BYTES", (1,), lambda _: strings(b"positive")),
    "truncated": _CUT,
}
_N_BEST = [
    {"answer": "京", "score": 0.5, "span": [1, 2]},
    {"answer": "", "score": 0.25, "span": [-1, -1]},
]
MODELS: Mapping[str, tuple[tuple[str, ...], Mapping[str, Output]]] = {
    "ernie_seqcls": (("text",), _LABEL_OUTPUTS),
    "ernie_multilabel": (
        ("text",),
        {**_LABEL_OUTPUTS, "selected": Output("BOOL", (2,), lambda _: struct.pack("2?", 0, 1))},
    ),
    "ernie_regression": (
        ("text", "text_pair"),
        {"score": Output("FP32", (1,), lambda _: struct.pack("<f", 0.5)), "truncated": _CUT},
    ),
    "ernie_tokencls": (
        ("text",),
        {
            "OUTPUT": Output("BYTES", (), _first_character("entity", "LOC")),
            "tokens": Output("BYTES", (1,), _first_character("token", "B-LOC")),
        },
    ),
    "ernie_qa": (
        ("question", "context"),
        {
            "answer": Output("BYTES", (1,), lambda _: strings("京".encode())),
            "score": Output("FP32", (1,), lambda _: struct.pack("<f", 0.5)),
            "span": Output("INT64", (2,), lambda _: struct.pack("<2q", 1, 2)),
            "n_best": Output("BYTES", (1,), lambda _: _json(_N_BEST)),
        },
    ),
    "ernie_embedding": (
        ("text",),
        {
            "embedding": Output("FP32", (3,), lambda text: struct.pack("<3f", 0.0, len(text), 0.0)),
            "truncated": _CUT,
        },
    ),
}


class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Says `positive` to every text, with 0.75; cuts texts of more than 5 bytes."""

    def ModelInfer(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        _, outputs = self._model(request.model_name, context)
        texts = _values(request.raw_input_contents[0])
        if texts[0] in FAULTS:
            context.abort(*FAULTS[texts[0]])
        if texts[0] == b"names":
            sent = dict(context.invocation_metadata())
            names = f"request {request.id!r} of the span {sent.get('traceparent')!r}"
            context.abort(grpc.StatusCode.INTERNAL, names)
        if texts[0] == b"slow":
            time.sleep(1.0)
        reply = service_pb2.ModelInferResponse(model_name=request.model_name)
        for asked in request.outputs:
            output = outputs[asked.name]
            if count := asked.parameters["classification"].int64_param:
                output = _classified(count)
            shape = [len(texts), *output.dims]
            reply.outputs.add(name=asked.name, datatype=output.datatype, shape=shape)
            reply.raw_output_contents.append(b"".join(map(output.cell, texts)))
        return reply

    def ModelConfig(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        inputs, outputs = self._model(request.name, context)
        config = model_config_pb2.ModelConfig(name=request.name, max_batch_size=2)
        for name in inputs:
            config.input.add(name=name, dims=[1])
        for name, output in outputs.items():
            config.output.add(name=name, dims=output.dims or [1])
        return service_pb2.ModelConfigResponse(config=config)

    def ModelStatistics(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        reply = service_pb2.ModelStatisticsResponse()
        reply.model_stats.add(name="ernie_seqcls", version="1")
        reply.model_stats.add(name="ernie_seqcls", version="2")
        return reply

    def ServerReady(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        return service_pb2.ServerReadyResponse(ready=True)

    def _model(
        self, name: str, context: grpc.ServicerContext
    ) -> tuple[tuple[str, ...], Mapping[str, Output]]:
        if name not in MODELS:
            message = f"Request for unknown model: '{name}' is not found"
            context.abort(grpc.StatusCode.NOT_FOUND, message)
        return MODELS[name]


# gRPC's health protocol as Triton has it: `Check` alone; the message is `status: SERVING`.
_HEALTH = grpc.method_handlers_generic_handler(
    "grpc.health.v1.Health",
    {"Check": grpc.unary_unary_rpc_method_handler(lambda *_: b"\x08\x01")},
)


@contextmanager
def running_server(
    credentials: grpc.ServerCredentials | None = None, servicer: Servicer | None = None
) -> Iterator[int]:
    """The port of a server on the loopback address."""
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer or Servicer(), server)
    server.add_generic_rpc_handlers((_HEALTH,))
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def _classified(count: int) -> Output:
    """The scores as Triton's classification: the best first, each with its index and name."""
    entries = [b"0.750000:1:positive", b"0.250000:0:negative"][:count]
    return Output("BYTES", (len(entries),), lambda _: strings(*entries))


def _values(raw: bytes) -> list[bytes]:
    values, at = [], 0
    while at < len(raw):
        (length,) = struct.unpack_from("<I", raw, at)
        values.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    return values
