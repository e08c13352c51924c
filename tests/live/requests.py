"""Raw requests, for what the clients would not send, and the server's own counts."""

import time
from collections.abc import Sequence
from queue import Queue
from typing import Any

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

_COUNTED_S = 5.0


def text_tensor(name: str, texts: Sequence[str | bytes], *, columns: int = 1) -> Any:
    """A BYTES input of shape [rows, columns], as the texts come."""
    values = [text if isinstance(text, bytes) else text.encode() for text in texts]
    array = np.array(values, dtype=np.object_).reshape(-1, columns)
    tensor = triton.InferInput(name, list(array.shape), "BYTES")
    tensor.set_data_from_numpy(array)
    return tensor


def order_of_answers(url: str, model: str, texts: Sequence[str]) -> list[int]:
    """Which of some texts, sent one right after the other, are answered first, by their places."""
    ended: Queue[tuple[int, InferenceServerException | None]] = Queue()
    client = triton.InferenceServerClient(url)

    def ask(place: int, text: str) -> None:
        client.async_infer(
            model,
            [text_tensor("text", [text])],
            callback=lambda result, error: ended.put((place, error)),  # noqa: ARG005 - its names
        )

    try:
        for place, text in enumerate(texts):
            ask(place, text)
        answers = [ended.get(timeout=60) for _ in texts]
    finally:
        client.close()
    assert [error for _, error in answers if error is not None] == []
    return [place for place, _ in answers]


def engine_runs(url: str, model: str, *, requests: int = 0) -> tuple[int, int]:
    """How many requests an engine stage has answered, and in how many runs.

    Waits until there are so many requests: the server counts one after it has answered.
    """
    client = triton.InferenceServerClient(url)
    deadline = time.monotonic() + _COUNTED_S
    try:
        while True:
            stats = client.get_inference_statistics(f"{model}_engine").model_stats[0]
            answered = int(stats.inference_stats.success.count)
            if answered >= requests or time.monotonic() > deadline:
                return answered, int(stats.execution_count)
            time.sleep(0.02)
    finally:
        client.close()
