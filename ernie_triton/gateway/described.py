"""A connection to a model whose facts are known."""

from __future__ import annotations

from ernie_triton.client.wire import AsyncTransport, InferRequest, ModelFacts, Reply


class DescribedTransport:
    """A transport whose model's facts are known: requests need not ask for them."""

    def __init__(self, transport: AsyncTransport, facts: ModelFacts) -> None:
        self._transport = transport
        self._facts = facts

    async def infer(self, request: InferRequest, timeout_s: float) -> Reply:
        """The answer to one request."""
        return await self._transport.infer(request, timeout_s)

    async def facts(self, timeout_s: float) -> ModelFacts:  # noqa: ARG002 - of the protocol
        """The facts as they were read."""
        return self._facts

    async def ready_models(self, timeout_s: float) -> tuple[str, ...]:
        """Names of the models that the server has ready, sorted."""
        return await self._transport.ready_models(timeout_s)

    async def pause(self, pause_s: float) -> None:
        """Wait before a retry."""
        await self._transport.pause(pause_s)

    async def close(self) -> None:
        """Give the connection back."""
        await self._transport.close()
