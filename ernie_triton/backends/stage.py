"""What the three stages share: settings in, tensors in and out, and errors kept where they belong.

A stage reads each request by itself, so that a bad one is answered with its own error; runs all
the good ones as one batch; and answers each with its own rows. The only module that knows Triton's
Python API.
"""

import gc
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import triton_python_backend_utils as pb_utils

from ernie_triton.errors import ErnieTritonError
from ernie_triton.file_pages import release_file_pages

Tensors = Mapping[str, npt.NDArray[Any]]
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
    def run(self, items: Sequence[_Item]) -> Sequence[Tensors]:
        """Answer a batch of requests, in order."""

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
        """Called by Triton with every batch of requests; answers each, whatever the others hold."""
        responses: list[Any] = [None] * len(requests)
        items: list[_Item] = []
        places: list[int] = []
        for place, request in enumerate(requests):
            try:
                items.append(self.read(self._tensors(request)))
                places.append(place)
            except ErnieTritonError as error:
                responses[place] = _refusal(error)
        for place, response in zip(places, self._responses(items), strict=True):
            responses[place] = response
        return responses

    def _tensors(self, request: Any) -> Tensors:  # noqa: ANN401
        return {
            name: pb_utils.get_input_tensor_by_name(request, name).as_numpy()
            for name in self.inputs
        }

    def _responses(self, items: Sequence[_Item]) -> list[Any]:
        if not items:
            return []
        try:
            return [_answer(tensors) for tensors in self.run(items)]
        except Exception as error:
            if len(items) > 1:  # find the request at fault; the others keep their answers
                return [response for item in items for response in self._responses([item])]
            if not isinstance(error, ErnieTritonError):
                pb_utils.Logger.log_error(f"{type(self).__module__}: {error!r}")
            return [_refusal(error)]


def rows_of(tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The tensor's single column, [rows, 1] as [rows]."""
    return tensor.reshape(-1)


def _answer(tensors: Tensors) -> Any:  # noqa: ANN401
    return pb_utils.InferenceResponse(
        [pb_utils.Tensor(name, np.ascontiguousarray(value)) for name, value in tensors.items()]
    )


def _refusal(error: Exception) -> Any:  # noqa: ANN401
    expected = isinstance(error, ErnieTritonError)
    code = pb_utils.TritonError.INVALID_ARG if expected else pb_utils.TritonError.INTERNAL
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), code))
