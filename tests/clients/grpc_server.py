"""A real gRPC server in this process that speaks Triton's protocol, for the transport's tests.

What it answers to a request is a status and message as Triton 2.51 was seen to give them, chosen by
the first text.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
    b"foreign": (grpc.StatusCode.UNIMPLEMENTED, "Method not found!"),
}


class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Says `positive` to every text, with 0.75; cuts texts of more than 5 bytes."""

    def ModelInfer(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self._refuse_unknown(request.model_name, context)
        texts = _values(request.raw_input_contents[0])
        if texts[0] in FAULTS:
            context.abort(*FAULTS[texts[0]])
        if texts[0] == b"slow":
            time.sleep(1.0)
        reply = service_pb2.ModelInferResponse(model_name=request.model_name)
        for output in request.outputs:
            count = output.parameters["classification"].int64_param
            datatype, width, cell = _cell(output.name, count)
            cells = [cell or struct.pack("?", len(text) > 5) for text in texts]
            reply.outputs.add(name=output.name, datatype=datatype, shape=[len(texts), width])
            reply.raw_output_contents.append(b"".join(cells))
        return reply

    def ModelConfig(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self._refuse_unknown(request.name, context)
        config = model_config_pb2.ModelConfig(name=request.name, max_batch_size=2)
        config.input.add(name="text", dims=[1])
        config.output.add(name="scores", dims=[2])
        return service_pb2.ModelConfigResponse(config=config)

    def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        reply = service_pb2.RepositoryIndexResponse()
        reply.models.add(name="ernie_seqcls", version="1", state="READY")
        reply.models.add(name="broken", version="1", state="UNAVAILABLE")
        return reply

    def _refuse_unknown(self, name: str, context: grpc.ServicerContext) -> None:
        if name != "ernie_seqcls":
            message = f"Request for unknown model: '{name}' is not found"
            context.abort(grpc.StatusCode.NOT_FOUND, message)


@contextmanager
def running_server(credentials: grpc.ServerCredentials | None = None) -> Iterator[int]:
    """The port of a server on the loopback address."""
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Servicer(), server)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def _values(raw: bytes) -> list[bytes]:
    values, at = [], 0
    while at < len(raw):
        (length,) = struct.unpack_from("<I", raw, at)
        values.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    return values


def _bytes_cell(*values: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def _cell(name: str, count: int) -> tuple[str, int, bytes]:
    """Datatype, width and content of one row of an output; no content for `truncated`."""
    if name == "scores" and count:
        entries = [b"0.750000:1:positive", b"0.250000:0:negative"][:count]
        return "BYTES", len(entries), _bytes_cell(*entries)
    return {
        "scores": ("FP32", 2, struct.pack("<2f", 0.25, 0.75)),
        "label": ("INT64", 1, struct.pack("<q", 1)),
        "confidence": ("FP32", 1, struct.pack("<f", 0.75)),
        "label_name": ("BYTES", 1, _bytes_cell(b"positive")),
        "truncated": ("BOOL", 1, b""),
    }[name]
