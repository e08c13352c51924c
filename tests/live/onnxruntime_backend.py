"""Triton's ONNX Runtime backend, played as a Python-based backend of the real server.

The C++ backend is in no wheel. Here the server itself reads the configurations meant for it, forms
the batches and warms up; this file does with a batch what onnxruntime_backend 24.10 does: checks
what it checks on loading, concatenates, derives batch inputs, and splits the outputs.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import triton_python_backend_utils as pb_utils

Array = npt.NDArray[Any]


class TritonPythonModel:
    """One session; the server loads this class by name."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the model, as `ModelInstanceState` does."""
        self._config = json.loads(args["model_config"])
        folder = Path(args["model_repository"]) / args["model_version"]
        path = folder / self._config["default_model_filename"]
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        graph = {item.name: len(item.shape) for item in self._session.get_inputs()}
        expected = len(self._config["input"]) + len(self._config["batch_input"])
        _check(len(graph) == expected, f"expects {expected} inputs, model provides {len(graph)}")
        for tensor in self._config["input"]:
            ragged = tensor["allow_ragged_batch"]
            rank = 1 if ragged else 1 + len(tensor["dims"])
            _check(graph[tensor["name"]] == rank, f"{tensor['name']} should have {rank} dims")

    def execute(self, requests: list[Any]) -> list[Any]:
        """Run all requests at once, as `ProcessRequests` does."""
        batch = [
            {t["name"]: _input(request, t["name"]) for t in self._config["input"]}
            for request in requests
        ]
        feed = {
            tensor["name"]: np.concatenate(
                [
                    one[tensor["name"]].reshape(-1)
                    if tensor["allow_ragged_batch"]
                    else one[tensor["name"]]
                    for one in batch
                ]
            )
            for tensor in self._config["input"]
        }
        for item in self._config["batch_input"]:
            shapes = [one[item["source_input"][0]].shape for one in batch]
            feed[item["target_name"][0]] = _BATCH_INPUTS[item["kind"]](shapes)
        names = [output["name"] for output in self._config["output"]]
        outputs = dict(zip(names, self._session.run(names, feed), strict=True))
        return self._split(batch, outputs)

    def _split(self, batch: list[dict[str, Array]], outputs: dict[str, Array]) -> list[Any]:
        """Each request's part of the outputs' memory, of the shape that the backend derives."""
        taken = dict.fromkeys(outputs, 0)
        responses = []
        for one in batch:
            tensors = []
            for output in self._config["output"]:
                name = output["name"]
                shape = self._shape(one, output, outputs[name])
                count = int(np.prod(shape))
                part = outputs[name].reshape(-1)[taken[name] : taken[name] + count]
                taken[name] += count
                tensors.append(pb_utils.Tensor(name, np.ascontiguousarray(part.reshape(shape))))
            responses.append(pb_utils.InferenceResponse(tensors))
        return responses

    def _shape(self, one: dict[str, Array], output: dict[str, Any], values: Array) -> list[int]:
        scattered = {
            i["target_name"][0]: i["source_input"][0] for i in self._config["batch_output"]
        }
        if output["name"] not in scattered:
            return [len(next(iter(one.values()))), *values.shape[1:]]
        dims = [-1, *map(int, output["dims"])]
        source = one[scattered[output["name"]]].shape
        return [source[place] if dim == -1 else dim for place, dim in enumerate(dims)]


def _item_shapes(shapes: list[tuple[int, ...]]) -> Array:
    return np.concatenate([np.tile(np.array(shape[1:], np.int32), shape[0]) for shape in shapes])


def _most_elements_as_shape(shapes: list[tuple[int, ...]]) -> Array:
    """Of the largest request; the backend leaves in it what the memory held."""
    return np.full(max(int(np.prod(shape)) for shape in shapes), -7, np.int32)


_BATCH_INPUTS = {
    "BATCH_ITEM_SHAPE_FLATTEN": _item_shapes,
    "BATCH_MAX_ELEMENT_COUNT_AS_SHAPE": _most_elements_as_shape,
}


def _input(request: Any, name: str) -> Array:
    values: Array = pb_utils.get_input_tensor_by_name(request, name).as_numpy()
    return values


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise pb_utils.TritonModelException(otherwise)
