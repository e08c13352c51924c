"""What the three stages share: settings in, tensors in and out, and errors kept where they belong.

A stage reads each request by itself, so that a bad one is answered with its own error; runs all
the good ones as one batch; and answers each with its own rows, some of them later. The only module
that knows Triton's Python API.
"""

import gc
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import triton_python_backend_utils as pb_utils

from ernie_triton.arrays import Tensors
from ernie_triton.engines.file_pages import release_file_pages
from ernie_triton.errors import ErnieTritonError

Answer: TypeAlias = Tensors | Future[Tensors]
"""What is sent back for a request; a future is sent when it is there, and its batch before it."""

_Item = TypeVar("_Item")

_GARBAGE_THRESHOLD = 50_000
"""New objects between two looks for cycles; a stage makes hardly any, and a look takes time."""


class Stage(ABC, Generic[_Item]):
    """One stage as Triton's Python backend wants it; subclasses say what it does."""

    inputs: tuple[str, ...]

    @abstractmethod
    def open(self, parameters: Mapping[str, str], folder: Path) -> None:
        """Prepare from the configuration's parameters and the files of the version's folder.

        Sets `inputs`, the names of the tensors that `read` is given.
        """

    @abstractmethod
    def read(self, tensors: Tensors) -> _Item:
        """Check and take one request's tensors.

        Raises:
            ErnieTritonError: the request is refused with this message.
        """

    @abstractmethod
    def run(self, items: Sequence[_Item]) -> Sequence[Answer]:
        """Answer a batch of requests, in order."""

    def close(self) -> None:
        """Answer what is still to be answered; nothing comes after this."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Called once by Triton when the model is loaded."""
        config = json.loads(args["model_config"])
        parameters = {
            key: value["string_value"] for key, value in config.get("parameters", {}).items()
        }
        try:
            self.open(parameters, Path(args["model_repository"]) / args["model_version"])
        except ErnieTritonError as error:
            raise pb_utils.TritonModelException(str(error)) from error
        gc.collect()
        gc.freeze()
        gc.set_threshold(_GARBAGE_THRESHOLD)
        release_file_pages()

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Called by Triton with every batch of requests; answers each, whatever the others hold.

        None stands for an answer that is sent later.
        """
        responses: list[Any] = [None] * len(requests)
        items: list[_Item] = []
        places: list[int] = []
        for place, request in enumerate(requests):
            try:
                items.append(self.read(self._tensors(request)))
                places.append(place)
            except ErnieTritonError as error:
                responses[place] = _refusal(error)
        for place, answer in zip(places, self._answers(items), strict=True):
            responses[place] = self._replied(answer, requests[place])
        return responses

    def finalize(self) -> None:
        """Called once by Triton before the model is unloaded."""
        self.close()

    def _tensors(self, request: Any) -> Tensors:  # noqa: ANN401
        return {
            name: pb_utils.get_input_tensor_by_name(request, name).as_numpy()
            for name in self.inputs
        }

    def _answers(self, items: Sequence[_Item]) -> list[Any]:
        """Triton's responses to a batch, or futures in their place."""
        if not items:
            return []
        try:
            return [
                answer if isinstance(answer, Future) else _response(answer)
                for answer in self.run(items)
            ]
        except Exception as error:
            if len(items) > 1:  # find the request at fault; the others keep their answers
                return [answer for item in items for answer in self._answers([item])]
            return [self._fault(error)]

    def _replied(self, answer: Any, request: Any) -> Any:  # noqa: ANN401
        """The response to return, or None where it is sent later."""
        if not isinstance(answer, Future):
            return answer
        sender = request.get_response_sender()
        final = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
        answer.add_done_callback(lambda done: sender.send(self._found(done), final))
        return None

    def _found(self, done: Future[Tensors]) -> Any:  # noqa: ANN401
        try:
            return _response(done.result())
        except Exception as error:
            return self._fault(error)

    def _fault(self, error: Exception) -> Any:  # noqa: ANN401
        """The refusal; what is no fault of the request is told to the server's log too."""
        if not isinstance(error, ErnieTritonError):
            pb_utils.Logger.log_error(f"{type(self).__module__}: {error!r}")
        return _refusal(error)


def rows_of(tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The tensor's single column, [rows, 1] as [rows]."""
    return tensor.reshape(-1)


def _response(tensors: Tensors) -> Any:  # noqa: ANN401
    return pb_utils.InferenceResponse(
        [pb_utils.Tensor(name, np.ascontiguousarray(value)) for name, value in tensors.items()]
    )


def _refusal(error: Exception) -> Any:  # noqa: ANN401
    expected = isinstance(error, ErnieTritonError)
    code = pb_utils.TritonError.INVALID_ARG if expected else pb_utils.TritonError.INTERNAL
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), code))
