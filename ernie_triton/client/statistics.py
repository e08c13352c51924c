"""Read the server's own counts for a model and its stages, for measurements.

Everything else goes through `transport`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio

from ernie_triton.client.transport import Connection, mapped_errors
from ernie_triton.client.wire import Endpoint

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCounts:
    """Counts of a stage since it was loaded; times are sums over its requests, in nanoseconds.

    The compute time of an execution counts once for each request in it.
    """

    requests: int
    failures: int
    rows: int
    executions: int
    queue_ns: int
    input_ns: int
    compute_ns: int
    output_ns: int

    def since(self, before: StageCounts) -> StageCounts:
        """The difference to an earlier count."""
        return StageCounts(
            requests=self.requests - before.requests,
            failures=self.failures - before.failures,
            rows=self.rows - before.rows,
            executions=self.executions - before.executions,
            queue_ns=self.queue_ns - before.queue_ns,
            input_ns=self.input_ns - before.input_ns,
            compute_ns=self.compute_ns - before.compute_ns,
            output_ns=self.output_ns - before.output_ns,
        )


class StatisticsClient:
    """Asks one server about one model; a context manager over its connection."""

    def __init__(self, url: str, model: str, *, timeout_s: float = _TIMEOUT_S) -> None:
        """Connect with the first call, not here."""
        self._endpoint = Endpoint(url=url, model=model)
        self._timeout_s = timeout_s
        connection = Connection(endpoint=self._endpoint)
        self._client = triton.InferenceServerClient(**connection.channel_options())

    def server_version(self) -> str:
        """Triton's version.

        Raises:
            ClientError: the server is away, or is none.
        """
        with mapped_errors(self._endpoint, self._timeout_s):
            metadata = self._client.get_server_metadata(client_timeout=self._timeout_s)
        return str(metadata.version)

    def stages(self) -> tuple[str, ...]:
        """The models that the ensemble runs, in its order; the model itself if it is none.

        Raises:
            ClientError: the server is away or does not have the model.
        """
        with mapped_errors(self._endpoint, self._timeout_s):
            reply = self._client.get_model_config(
                self._endpoint.model, client_timeout=self._timeout_s
            )
        steps = [str(step.model_name) for step in reply.config.ensemble_scheduling.step]
        return tuple(steps) or (self._endpoint.model,)

    def counts(self, models: Sequence[str]) -> Mapping[str, StageCounts]:
        """The counts of each of these models so far, over all its versions.

        Raises:
            ClientError: the server is away or does not have one of them.
        """
        return {model: _counts(self._statistics(model)) for model in models}

    def batch_sizes(self) -> Counter[int]:
        """Executions of the model itself so far, by their rows.

        Raises:
            ClientError: the server is away or does not have the model.
        """
        sizes: Counter[int] = Counter()
        for version in self._statistics(self._endpoint.model):
            for entry in version.batch_stats:
                sizes[int(entry.batch_size)] += int(entry.compute_infer.count)
        return sizes

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _statistics(self, model: str) -> Sequence[Any]:
        """The server's message for each version of a model."""
        with mapped_errors(self._endpoint, self._timeout_s):
            reply = self._client.get_inference_statistics(model, client_timeout=self._timeout_s)
        versions: Sequence[Any] = reply.model_stats
        return versions

    def __enter__(self) -> StatisticsClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncStatistics:
    """Reads the counts of stages for asyncio; it belongs to the event loop of its first call."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client: triton_aio.InferenceServerClient | None = None

    async def counts(self, models: Sequence[str], timeout_s: float) -> Mapping[str, StageCounts]:
        """The counts of each of these models so far, over all its versions.

        Raises:
            ClientError: the server is away or does not have one of them.
        """
        if self._client is None:
            options = self._connection.channel_options()
            self._client = triton_aio.InferenceServerClient(**options)
        found = {}
        with mapped_errors(self._connection.endpoint, timeout_s):
            for model in models:
                reply = await self._client.get_inference_statistics(
                    model, headers=self._connection.headers(), client_timeout=timeout_s
                )
                found[model] = _counts(reply.model_stats)
        return found

    async def close(self) -> None:
        """Close the channel."""
        if self._client is not None:
            await self._client.close()


def _counts(versions: Sequence[Any]) -> StageCounts:
    stats = [version.inference_stats for version in versions]
    return StageCounts(
        requests=sum(one.success.count for one in stats),
        failures=sum(one.fail.count for one in stats),
        rows=sum(version.inference_count for version in versions),
        executions=sum(version.execution_count for version in versions),
        queue_ns=sum(one.queue.ns for one in stats),
        input_ns=sum(one.compute_input.ns for one in stats),
        compute_ns=sum(one.compute_infer.ns for one in stats),
        output_ns=sum(one.compute_output.ns for one in stats),
    )
