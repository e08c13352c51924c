"""A classifier in memory behind both transports: the seam at which the client's tests stop.

Its answers are a table that a reader can check by eye: the label of a text is its first character's
place in `LABELS`' first characters, with fixed scores.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ernie_triton.client.wire import Endpoint, InferRequest, ModelFacts, Reply, RequestedOutput
from ernie_triton.errors import ClientError, ModelNotReadyError, RequestRefusedError

LABELS = ("a:体育", "b:财经", "c:娱乐")
SCORES = (0.75, 0.1875, 0.0625)
ENDPOINT = Endpoint(url="fake:8001", model="ernie_seqcls")
_OUTPUTS = {
    "label": (1,),
    "confidence": (1,),
    "label_name": (1,),
    "scores": (len(LABELS),),
    "truncated": (1,),
}
FACTS = ModelFacts(max_batch_size=4, inputs=("text",), outputs=_OUTPUTS)
PAIR_FACTS = ModelFacts(max_batch_size=4, inputs=("text_pair", "text"), outputs=_OUTPUTS)

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
Tensors = Callable[[InferRequest, RequestedOutput], Array]

Fault = Callable[[InferRequest], ClientError | None]


def no_fault(_: InferRequest) -> ClientError | None:
    return None


def refuse_texts_with(character: str) -> Fault:
    """A server that refuses every request with such a text in it, as a whole."""

    def fault(request: InferRequest) -> ClientError | None:
        if any(
            character in text.decode() for column in request.columns.values() for text in column
        ):
            return RequestRefusedError(f"the server refused: {character}")
        return None

    return fault


def classifier_tensor(request: InferRequest, output: RequestedOutput) -> Array:
    """One output of the classifier."""
    texts = [text.decode() for text in request.columns["text"]]
    ids = ["abc".find(text[:1] or "a") % 3 for text in texts]
    if output.class_count:
        entries = [_entries(best)[: output.class_count] for best in ids]
        return np.array(entries, dtype=np.object_)
    tensors: dict[str, Array] = {
        "label": np.array(ids, dtype=np.int64),
        "confidence": np.full(len(ids), SCORES[0], dtype=np.float32),
        "label_name": np.array([LABELS[best].encode() for best in ids], dtype=np.object_),
        "truncated": np.array([len(text) > 20 for text in texts]),
    }
    return tensors[output.name].reshape(-1, 1)


@dataclass
class FakeModel:
    """Answers requests, remembers them, and fails as its fault says."""

    facts: ModelFacts = FACTS
    tensor: Tensors = classifier_tensor
    fault: Fault = no_fault
    ready: tuple[str, ...] = ("ernie_ner", "ernie_ner_engine", "ernie_seqcls")
    requests: list[InferRequest] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)
    facts_asked: int = 0
    closed: bool = False

    def answer(self, request: InferRequest, timeout_s: float) -> Reply:
        self.requests.append(request)
        self.timeouts.append(timeout_s)
        if error := self.fault(request):
            raise error
        return {output.name: self.tensor(request, output) for output in request.outputs}


def _entries(best: int) -> list[bytes]:
    """Triton's classification of a row: the best label, then the others in their order."""
    order = [best, *(index for index in range(len(LABELS)) if index != best)]
    return [
        f"{score:.6f}:{index}:{LABELS[index]}".encode()
        for score, index in zip(SCORES, order, strict=True)
    ]


class FakeTransport:
    """The blocking transport over a fake model."""

    def __init__(self, model: FakeModel) -> None:
        self.model = model

    def infer(self, request: InferRequest, timeout_s: float) -> Reply:
        return self.model.answer(request, timeout_s)

    def facts(self, timeout_s: float) -> ModelFacts:
        self.model.facts_asked += 1
        assert timeout_s > 0
        return self.model.facts

    def ready_models(self, timeout_s: float) -> tuple[str, ...]:
        assert timeout_s > 0
        return self.model.ready

    def pause(self, pause_s: float) -> None:
        self.model.pauses.append(pause_s)

    def close(self) -> None:
        self.model.closed = True


class FakeAsyncTransport:
    """The asyncio transport over a fake model, each answer after a random while."""

    def __init__(self, model: FakeModel, longest_s: float = 0.0) -> None:
        self.model = model
        self.in_flight = 0
        self.most_in_flight = 0
        self._longest_s = longest_s
        self._random = random.Random(7)

    async def infer(self, request: InferRequest, timeout_s: float) -> Reply:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self._random.uniform(0, self._longest_s))
            return self.model.answer(request, timeout_s)
        finally:
            self.in_flight -= 1

    async def facts(self, timeout_s: float) -> ModelFacts:
        self.model.facts_asked += 1
        assert timeout_s > 0
        return self.model.facts

    async def ready_models(self, timeout_s: float) -> tuple[str, ...]:
        assert timeout_s > 0
        raise ModelNotReadyError("the index is closed")

    async def pause(self, pause_s: float) -> None:
        self.model.pauses.append(pause_s)

    async def close(self) -> None:
        self.model.closed = True
