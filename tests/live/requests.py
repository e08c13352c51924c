"""Raw requests, for what the clients would not send, and the server's own counts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tritonclient.grpc as triton


def text_tensor(name: str, texts: Sequence[str | bytes], *, columns: int = 1) -> Any:
    """A BYTES input of shape [rows, columns], as the texts come."""
    values = [text if isinstance(text, bytes) else text.encode() for text in texts]
    array = np.array(values, dtype=np.object_).reshape(-1, columns)
    tensor = triton.InferInput(name, list(array.shape), "BYTES")
    tensor.set_data_from_numpy(array)
    return tensor


def engine_runs(url: str, model: str) -> tuple[int, int]:
    """How many requests an engine stage has answered, and in how many runs."""
    client = triton.InferenceServerClient(url)
    try:
        stats = client.get_inference_statistics(f"{model}_engine").model_stats[0]
        return int(stats.inference_stats.success.count), int(stats.execution_count)
    finally:
        client.close()
