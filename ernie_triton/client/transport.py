"""Speak Triton's gRPC protocol through tritonclient, blocking and for asyncio.

In this room, only this module and `statistics` import tritonclient. Its one exception,
`InferenceServerException`, becomes one of our `ClientError`s here.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ernie_triton.client.addresses import (
    BALANCING_ARGUMENTS,
    PING_ARGUMENTS,
    channel_target,
    is_balanced,
)
from ernie_triton.client.wire import Endpoint, InferRequest, ModelFacts, Reply
from ernie_triton.errors import (
    ClientError,
    ContractError,
    DeadlineExceededError,
    MissingExtraError,
    ModelAwayError,
    ModelNotReadyError,
    QueueFullError,
    RequestRefusedError,
    ServerUnavailableError,
    StageFailedError,
)
from ernie_triton.settings import CLIENT_KEY_HEADER, PROMPTS

try:
    import tritonclient.grpc as triton
    import tritonclient.grpc.aio as triton_aio
    from tritonclient.utils import InferenceServerException
except (ModuleNotFoundError, RuntimeError) as error:
    # tritonclient raises RuntimeError where it is installed without gRPC.
    raise MissingExtraError("tritonclient", "client", "ernie_triton.client") from error

# gRPC by itself waits a second before it connects again, which is longer than our first retries.
# Naming one channel argument drops tritonclient's own, hence the message sizes (INT32_MAX there).
_CHANNEL_ARGUMENTS = (
    ("grpc.max_send_message_length", 2**31 - 1),
    ("grpc.max_receive_message_length", 2**31 - 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The address and encryption of a model's server; a file (PEM) implies TLS.

    Attributes:
        endpoint: the server and the model.
        tls: encrypt, and check the server's certificate.
        ca_file: authority of the server's certificate; the system's when absent.
        certificate: the client's own certificate, for a server that asks for one, with `key`.
        key: the private key of that certificate.
        api_key: the key that a server wants from its clients; empty for one that wants none.
        tls_name: the name in the server's certificate, where it is not the address's own.
        has_peers: other servers can answer in this one's place, so it is given up if it hangs.
    """

    endpoint: Endpoint
    tls: bool = False
    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    api_key: str = ""
    tls_name: str = ""
    has_peers: bool = False

    def channel_options(self) -> dict[str, Any]:
        """The arguments of a tritonclient client.

        Raises:
            ClientError: a file cannot be read, a certificate comes without its key, or several
                addresses with TLS.
        """
        if (self.certificate is None) != (self.key is None):
            raise ClientError(
                f"the client's certificate is {self.certificate} and its key {self.key}; name both"
            )
        files = {
            "root_certificates": _readable(
                self.ca_file, "CA file", "name the PEM file that signed the server's certificate"
            ),
            "private_key": _readable(self.key, "key", _CLIENT_FILES),
            "certificate_chain": _readable(self.certificate, "certificate", _CLIENT_FILES),
        }
        encrypted = self.tls or any(files.values())
        if encrypted and "," in self.endpoint.url:
            raise ClientError(
                f"{self.endpoint.url} are several addresses, and a certificate is checked for one "
                "name; name them all by one dns:///host:port, or ask through a gateway"
            )
        return {
            "url": channel_target(self.endpoint.url),
            "ssl": encrypted,
            "channel_args": self._channel_arguments(),
            **files,
        }

    def _channel_arguments(self) -> list[tuple[str, str | int]]:
        arguments: list[tuple[str, str | int]] = [*_CHANNEL_ARGUMENTS]
        if is_balanced(self.endpoint.url):
            arguments += BALANCING_ARGUMENTS
        elif self.has_peers:
            arguments += PING_ARGUMENTS
        if self.tls_name:
            arguments.append(("grpc.ssl_target_name_override", self.tls_name))
        return arguments

    def headers(self) -> dict[str, str]:
        """The headers of each call."""
        return {CLIENT_KEY_HEADER: self.api_key} if self.api_key else {}


_CLIENT_FILES = "name the PEM files of the client's own certificate and key"


def _readable(path: Path | None, kind: str, advice: str) -> str | None:
    if path is None:
        return None
    try:
        path.read_bytes()
    except OSError as error:
        raise ClientError(
            f"the {kind} {path} cannot be read ({error.strerror}); {advice}"
        ) from error
    return str(path)


class GrpcTransport:
    """A blocking gRPC connection; threads may share it."""

    def __init__(self, connection: Connection) -> None:
        self._endpoint = connection.endpoint
        self._headers = connection.headers()
        self._client = triton.InferenceServerClient(**connection.channel_options())

    def infer(self, request: InferRequest, timeout_s: float) -> Reply:
        """The answer to one request."""
        with mapped_errors(self._endpoint, timeout_s):
            result = self._client.infer(
                self._endpoint.model,
                _inputs(request),
                outputs=_outputs(request),
                request_id=request.request_id,
                headers={**self._headers, **request.headers},
                client_timeout=timeout_s,
            )
            return _reply(request, result)

    def facts(self, timeout_s: float) -> ModelFacts:
        """The facts of the model's config."""
        with mapped_errors(self._endpoint, timeout_s):
            reply = self._client.get_model_config(
                self._endpoint.model, headers=self._headers, client_timeout=timeout_s
            )
        return facts_from_config(reply.config)

    def ready_models(self, timeout_s: float) -> tuple[str, ...]:
        """Names of the models that the server has ready, sorted."""
        with mapped_errors(self._endpoint, timeout_s):
            reply = self._client.get_inference_statistics(
                headers=self._headers, client_timeout=timeout_s
            )
        return _ready_names(reply.model_stats)

    def server_ready(self, timeout_s: float) -> bool:
        """Return True when the server says that all its models are ready."""
        with mapped_errors(self._endpoint, timeout_s):
            return bool(self._client.is_server_ready(client_timeout=timeout_s))

    def pause(self, pause_s: float) -> None:
        """Wait before a retry."""
        time.sleep(pause_s)

    def close(self) -> None:
        """Close the channel."""
        self._client.close()


class GrpcAsyncTransport:
    """A gRPC connection for asyncio; it belongs to the event loop of its first call."""

    def __init__(self, connection: Connection) -> None:
        self._endpoint = connection.endpoint
        self._headers = connection.headers()
        self._options = connection.channel_options()
        self._client: triton_aio.InferenceServerClient | None = None

    def _connected(self) -> triton_aio.InferenceServerClient:
        # A channel of grpc.aio may only be made while its event loop runs.
        if self._client is None:
            self._client = triton_aio.InferenceServerClient(**self._options)
        return self._client

    async def infer(self, request: InferRequest, timeout_s: float) -> Reply:
        """The answer to one request."""
        with mapped_errors(self._endpoint, timeout_s):
            result = await self._connected().infer(
                self._endpoint.model,
                _inputs(request),
                outputs=_outputs(request),
                request_id=request.request_id,
                headers={**self._headers, **request.headers},
                client_timeout=timeout_s,
            )
            return _reply(request, result)

    async def facts(self, timeout_s: float) -> ModelFacts:
        """The facts of the model's config."""
        with mapped_errors(self._endpoint, timeout_s):
            reply = await self._connected().get_model_config(
                self._endpoint.model, headers=self._headers, client_timeout=timeout_s
            )
        return facts_from_config(reply.config)

    async def ready_models(self, timeout_s: float) -> tuple[str, ...]:
        """Names of the models that the server has ready, sorted."""
        with mapped_errors(self._endpoint, timeout_s):
            reply = await self._connected().get_inference_statistics(
                headers=self._headers, client_timeout=timeout_s
            )
        return _ready_names(reply.model_stats)

    async def pause(self, pause_s: float) -> None:
        """Wait before a retry."""
        await asyncio.sleep(pause_s)

    async def close(self) -> None:
        """Close the channel."""
        if self._client is not None:
            await self._client.close()


def _inputs(request: InferRequest) -> list[triton.InferInput]:
    inputs = []
    for name, column in request.columns.items():
        shape = request.shape_of(name)
        tensor = triton.InferInput(name, list(shape), "BYTES")
        tensor.set_data_from_numpy(np.array(column, dtype=np.object_).reshape(shape))
        inputs.append(tensor)
    return inputs


def _outputs(request: InferRequest) -> list[triton.InferRequestedOutput]:
    return [
        triton.InferRequestedOutput(output.name, class_count=output.class_count)
        for output in request.outputs
    ]


def _reply(request: InferRequest, result: triton.InferResult) -> Reply:
    tensors = {output.name: result.as_numpy(output.name) for output in request.outputs}
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def facts_from_config(config: Any) -> ModelFacts:  # noqa: ANN401
    """The facts that a configuration, Triton's `ModelConfig`, states of its model."""
    return ModelFacts(
        max_batch_size=config.max_batch_size,
        inputs=tuple(tensor.name for tensor in config.input),
        outputs={tensor.name: tuple(tensor.dims) for tensor in config.output},
        is_ensemble=config.platform == "ensemble",
        stages=tuple(step.model_name for step in config.ensemble_scheduling.step),
        prompts=_prompts(config),
    )


def _prompts(config: Any) -> dict[str, str]:  # noqa: ANN401 - a protobuf message, without types
    """The prompts that the build states in the model's config; none where it states no such."""
    stated = config.parameters[PROMPTS].string_value if PROMPTS in config.parameters else "{}"
    try:
        found = json.loads(stated)
    except ValueError:
        return {}
    return {str(name): str(text) for name, text in found.items()} if found else {}


def _ready_names(statistics: Sequence[Any]) -> tuple[str, ...]:
    # The server's own list of models is for administrators; its counts are of the ready ones.
    return tuple(sorted({model.name for model in statistics}))


@contextmanager
def mapped_errors(endpoint: Endpoint, timeout_s: float) -> Iterator[None]:
    """Raise the fitting `ClientError` in place of tritonclient's one exception."""
    try:
        yield
    except InferenceServerException as error:
        raise _client_error(error, endpoint, timeout_s) from error


def _client_error(
    error: InferenceServerException, endpoint: Endpoint, timeout_s: float
) -> ClientError:
    """The `ClientError` for a status and message of Triton 2.51."""
    status = str(error.status() or "StatusCode.UNKNOWN").removeprefix("StatusCode.")
    message = str(error.message() or "no reason given").strip()
    if "Stub process" in message:
        return StageFailedError(f"a stage of {endpoint} ended: {message}")
    # Triton's words while a model is loaded or unloaded, and while the server stops.
    if "no available versions" in message or "is not ready" in message:
        return ModelAwayError(f"{endpoint.url} has no {endpoint.model!r} ready now: {message}")
    if "erver is stopping" in message or "erver exiting" in message:
        return ServerUnavailableError(f"the server at {endpoint.url} stops: {message}")
    if status == "CANCELLED":  # by the server: the caller's own end of a call is no error of gRPC's
        return ServerUnavailableError(f"the server at {endpoint.url} broke the call off: {message}")
    if "unknown model" in message:
        return ModelNotReadyError(f"{endpoint.url} has no {endpoint.model!r} ready: {message}")
    if "maximum queue size" in message:
        return QueueFullError(
            f"the queue of {endpoint} is full: {message}; send less at once, or try again later"
        )
    if "protocol is restricted" in message:
        return RequestRefusedError(
            f"{endpoint.url} wants another key than this client's: {message}; name the server's "
            "with api_key or --api-key-file"
        )
    if status == "UNAVAILABLE":
        return ServerUnavailableError(
            f"no Triton server answers at {endpoint.url}: {message}; start it, or name its gRPC "
            "address (host:port, by default port 8001)"
        )
    if status == "DEADLINE_EXCEEDED":
        return DeadlineExceededError(
            f"no answer from {endpoint} within {timeout_s:.3g} s; allow a longer timeout, or send "
            "less at once"
        )
    if status == "UNIMPLEMENTED":
        return ContractError(
            f"what answers at {endpoint.url} is no Triton server: {message}; name Triton's gRPC "
            "address (by default port 8001)"
        )
    return RequestRefusedError(f"{endpoint} refused the request: {message} ({status})")
