"""The parts of Triton's `triton_python_backend_utils` that the stages use, as plain Python.

Behaviour as in release 24.10: texts arrive as an object array of bytes; output arrays must be
contiguous; a response has tensors or an error, and is returned or sent once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from queue import Queue
from types import ModuleType
from typing import ClassVar

import numpy as np

from ernie_triton.arrays import Array
from tests.stages.calls import TYPE_NAMES


class TritonModelException(Exception):  # noqa: N818 - the name is Triton's
    """Raised by `initialize` with the reason why a model cannot be loaded."""


class Tensor:
    """A named array."""

    def __init__(self, name: str, array: Array) -> None:
        if not array.flags["C_CONTIGUOUS"] or array.dtype.name not in TYPE_NAMES:
            raise TritonModelException(f"tensor {name} cannot be sent")
        if array.dtype == np.object_ and not all(isinstance(v, bytes) for v in array.flat):
            raise TritonModelException(f"tensor {name} holds something else than bytes")
        self._name = name
        self._array = array

    def name(self) -> str:
        return self._name

    def as_numpy(self) -> Array:
        return self._array


TRITONSERVER_RESPONSE_COMPLETE_FINAL = 1


class InferenceResponseSender:
    """Sends the only response of a request, at any time and from any thread."""

    def __init__(self) -> None:
        self.sent: Queue[InferenceResponse] = Queue()

    def send(self, response: InferenceResponse, flags: int = 0) -> None:
        if flags != TRITONSERVER_RESPONSE_COMPLETE_FINAL or not self.sent.empty():
            raise TritonModelException("a request has one response, the final one")
        self.sent.put(response)


class InferenceRequest:
    """One request: its input tensors, which are gone once its batch has been executed."""

    def __init__(self, tensors: Mapping[str, Array], outputs: Sequence[str] = ("all",)) -> None:
        self._tensors = {name: Tensor(name, array.copy()) for name, array in tensors.items()}
        self._outputs = tuple(outputs)
        self._sender: InferenceResponseSender | None = None

    def request_id(self) -> str:
        """A name that tells the first number of the request's tensors."""
        first = next(iter(self._tensors.values())).as_numpy().flat[0]
        return f"request-{first}"

    def requested_output_names(self) -> Sequence[str]:
        """Names of the outputs that the caller asked for."""
        return self._outputs

    def get_response_sender(self) -> InferenceResponseSender:
        self._sender = self._sender or InferenceResponseSender()
        return self._sender

    def forget(self) -> None:
        """Overwrite the tensors, whose memory the server uses for others."""
        for tensor in self._tensors.values():
            tensor.as_numpy().fill(0)

    def tensor(self, name: str) -> Tensor | None:
        return self._tensors.get(name)


class TritonError:
    """Why a request was refused, with a code."""

    UNKNOWN, INTERNAL, NOT_FOUND, INVALID_ARG, UNAVAILABLE, UNSUPPORTED = range(6)

    def __init__(self, message: str, code: int = UNKNOWN) -> None:
        self._message = message
        self._code = code

    def message(self) -> str:
        return self._message

    def code(self) -> int:
        return self._code


class InferenceResponse:
    """The answer to one request."""

    def __init__(
        self, output_tensors: Sequence[Tensor] = (), error: TritonError | None = None
    ) -> None:
        self._tensors = {tensor.name(): tensor.as_numpy() for tensor in output_tensors}
        self._error = error

    def tensors(self) -> dict[str, Array]:
        if self._error is not None:
            raise TritonModelException(self._error.message())
        return self._tensors

    def error(self) -> TritonError | None:
        return self._error


class Logger:
    """Triton's log; keeps the errors."""

    errors: ClassVar[list[str]] = []

    @classmethod
    def log_error(cls, message: str) -> None:
        cls.errors.append(message)


class Metric:
    """A counter with labels."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.labels = labels
        self.value = 0.0

    def increment(self, added: float) -> None:
        if added <= 0:
            raise TritonModelException(f"a counter goes up; found {added}")
        self.value += added


class MetricFamily:
    """Metrics of one name; `all` has them by their text in the server's answer."""

    COUNTER, GAUGE = range(2)
    all: ClassVar[dict[str, Metric]] = {}

    def __init__(self, name: str, description: str, kind: int) -> None:
        if kind != self.COUNTER or not description:
            raise TritonModelException(f"the metric {name} cannot be made")
        self._name = name

    def Metric(self, labels: Mapping[str, str]) -> Metric:  # noqa: N802 - the name is Triton's
        metric = Metric(labels)
        listed = ",".join(f'{name}="{labels[name]}"' for name in sorted(labels))
        self.all[f"{self._name}{{{listed}}}"] = metric
        return metric

    @classmethod
    def text(cls) -> str:
        """All metrics as the server answers them."""
        return "".join(f"{name} {metric.value:.17g}\n" for name, metric in cls.all.items())


def get_input_tensor_by_name(request: InferenceRequest, name: str) -> Tensor | None:
    """The request's tensor, or None as in Triton."""
    return request.tensor(name)


def as_module() -> ModuleType:
    """A module to import in Triton's place."""
    module = ModuleType("triton_python_backend_utils")
    module.__dict__["TRITONSERVER_RESPONSE_COMPLETE_FINAL"] = TRITONSERVER_RESPONSE_COMPLETE_FINAL
    for part in (
        TritonModelException,
        Tensor,
        TritonError,
        InferenceResponse,
        Logger,
        MetricFamily,
        get_input_tensor_by_name,
    ):
        setattr(module, part.__name__, part)
    return module
