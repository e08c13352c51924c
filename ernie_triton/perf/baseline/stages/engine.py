"""Run the exported graph once for each request: the second stage of the baseline."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils

_PAD_TOKEN_ID = 0


class TritonPythonModel:
    """A model of Triton's Python backend."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Open a session on the graph beside this file, with every core."""
        folder = Path(args["model_repository"]) / args["model_version"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0))
        self._session = onnxruntime.InferenceSession(
            folder / "model.onnx", options, providers=["CPUExecutionProvider"]
        )

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer the requests one by one."""
        responses = []
        for request in requests:
            ids = pb_utils.get_input_tensor_by_name(request, "input_ids").as_numpy()
            types = pb_utils.get_input_tensor_by_name(request, "token_type_ids").as_numpy()
            # The graph of the example computes the mask from the ids itself.
            mask = (ids != _PAD_TOKEN_ID).astype(np.int64)
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
            (logits,) = self._session.run(None, feed)
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("logits", logits)]))
        return responses
