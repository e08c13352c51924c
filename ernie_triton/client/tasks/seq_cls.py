"""Sequence classification from Python: texts or pairs of texts in, labels with scores out.

A task client over `client` and `core`; the command line is `cli.seq_cls`.

    with SeqClsClient("localhost:8001") as client:
        [result] = client.classify(["今天的股市大涨"])
        print(result.best.name, result.best.score)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ernie_triton.client.client import (
    AsyncioClient,
    BlockingClient,
    rows_from_columns,
    run_blocking,
)
from ernie_triton.client.core import Caller
from ernie_triton.client.wire import Reply, RequestedOutput
from ernie_triton.errors import ContractError
from ernie_triton.tasks import SEQ_CLS, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One label of a text: its name, its place among the model's labels, its probability."""

    name: str
    id: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """The likeliest labels of one text, best first, and whether the model saw only its start."""

    labels: tuple[Label, ...]
    truncated: bool

    @property
    def best(self) -> Label:
        """The likeliest label."""
        return self.labels[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeqClsCodec:
    """The outputs of classification, and the reading of its reply.

    One label comes in tensors of full precision. Several come as Triton's classification of the
    scores: the server sorts and names them, and rounds them to six decimals.
    """

    top_k: int = 1

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise ValueError(f"top_k is {self.top_k}; it must be at least 1")

    @property
    def task(self) -> Task:
        """Sequence classification."""
        return SEQ_CLS

    def requested_outputs(self) -> tuple[RequestedOutput, ...]:
        """The outputs to ask for."""
        if self.top_k > 1:
            scores = RequestedOutput(name="scores", class_count=self.top_k)
            return (scores, RequestedOutput(name="truncated"))
        names = ("label", "confidence", "label_name", "truncated")
        return tuple(RequestedOutput(name=name) for name in names)

    def results_from_reply(self, reply: Reply) -> list[Classification]:
        """One classification for each row of the request."""
        if self.top_k > 1:
            rows = [tuple(map(label_from_entry, row)) for row in reply["scores"].tolist()]
        else:
            best = (reply[name].ravel().tolist() for name in ("label_name", "label", "confidence"))
            rows = [
                (Label(name=name.decode("utf-8"), id=index, score=score),)
                for name, index, score in zip(*best, strict=True)
            ]
        cut = reply["truncated"].ravel().tolist()
        return [
            Classification(labels=labels, truncated=truncated)
            for labels, truncated in zip(rows, cut, strict=True)
        ]


class SeqClsClient(BlockingClient):
    """Classifies texts, or pairs of texts, on a Triton server."""

    task = SEQ_CLS

    def classify(
        self, texts: Sequence[str], text_pairs: Sequence[str] | None = None, *, top_k: int = 1
    ) -> list[Classification]:
        """The `top_k` likeliest labels of each text, or of each text with its pair.

        Raises:
            TextError: a text cannot be sent as UTF-8.
            ClientError: there is no answer; the subclasses say why.
        """
        return run_blocking(_classify(self._caller, texts, text_pairs, top_k))

    def label_names(self) -> tuple[str, ...]:
        """The model's labels in the order of their ids."""
        return run_blocking(label_names(self._caller))


class AsyncSeqClsClient(AsyncioClient):
    """`SeqClsClient` for asyncio; calls may run at once."""

    task = SEQ_CLS

    async def classify(
        self, texts: Sequence[str], text_pairs: Sequence[str] | None = None, *, top_k: int = 1
    ) -> list[Classification]:
        """The `top_k` likeliest labels of each text, or of each text with its pair.

        Raises:
            TextError: a text cannot be sent as UTF-8.
            ClientError: there is no answer; the subclasses say why.
        """
        return await _classify(self.caller, texts, text_pairs, top_k)

    async def label_names(self) -> tuple[str, ...]:
        """The model's labels in the order of their ids."""
        return await label_names(self.caller)


async def _classify(
    caller: Caller, texts: Sequence[str], text_pairs: Sequence[str] | None, top_k: int
) -> list[Classification]:
    rows = rows_from_columns(text_columns(texts, text_pairs))
    return await caller.results(rows, SeqClsCodec(top_k=top_k))


def text_columns(
    texts: Sequence[str], text_pairs: Sequence[str] | None
) -> dict[str, Sequence[str]]:
    """The texts, and the pairs if given, by the names of their arguments."""
    return {"texts": texts} if text_pairs is None else {"texts": texts, "text_pairs": text_pairs}


async def label_names(caller: Caller) -> tuple[str, ...]:
    """The model's labels in the order of their ids, read off the scores of an empty text.

    Raises:
        ContractError: the model's config names no number of scores.
    """
    count = await label_count(caller)
    empty = tuple(b"" for _ in await caller.input_names(SEQ_CLS))
    # A count of one would be read from the other outputs: harmless, the name is the same.
    [classification] = await caller.results([empty], SeqClsCodec(top_k=count))
    return tuple(label.name for label in sorted(classification.labels, key=lambda label: label.id))


async def label_count(caller: Caller) -> int:
    """The number of the model's labels.

    Raises:
        ContractError: the model's config names no number of scores.
    """
    dims = (await caller.facts()).outputs.get("scores", ())
    if len(dims) != 1 or dims[0] < 1:
        raise ContractError(
            f"the model's config gives its scores the shape {list(dims)}, expected one fixed "
            "number of labels; name a model with labels"
        )
    return dims[0]


def label_from_entry(entry: bytes) -> Label:
    """The label of one entry of Triton's classification: `score:index:name` or `score:index`."""
    score, index, *name = entry.decode("utf-8").split(":", 2)
    return Label(name=name[0] if name else index, id=int(index), score=float(score))
