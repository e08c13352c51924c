"""How many rows each run of a model had, by the server's own statistics."""

from __future__ import annotations

from collections import Counter

import tritonclient.grpc as triton

from clients.transport import Connection, mapped_errors
from clients.wire import Endpoint

DEFAULT_TIMEOUT_S = 10.0


def batch_sizes(url: str, model: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Counter[int]:
    """The runs of a model so far, counted by their rows; an earlier count can be subtracted.

    Raises:
        ClientError: the server is away or does not have the model.
    """
    endpoint = Endpoint(url=url, model=model)
    client = triton.InferenceServerClient(**Connection(endpoint=endpoint).channel_options())
    try:
        with mapped_errors(endpoint, timeout_s):
            reply = client.get_inference_statistics(model, client_timeout=timeout_s)
    finally:
        client.close()
    sizes: Counter[int] = Counter()
    for version in reply.model_stats:
        for entry in version.batch_stats:
            sizes[int(entry.batch_size)] += int(entry.compute_infer.count)
    return sizes
