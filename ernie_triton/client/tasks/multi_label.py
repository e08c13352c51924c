"""Multi-label classification from Python: texts or pairs of texts in, all their labels out.

A task client over `client` and `core`; the command line is `cli.multi_label`.

    with MultiLabelClient("localhost:8001") as client:
        [result] = client.classify(["国足夺冠后旅游业大涨"])
        print([label.name for label in result.labels])
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
from ernie_triton.client.tasks.seq_cls import Label, label_count, label_from_entry, text_columns
from ernie_triton.client.wire import Reply, RequestedOutput
from ernie_triton.tasks import MULTI_LABEL, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSet:
    """The labels of one text.

    Attributes:
        labels: labels that reach their threshold, likeliest first; a text may have none.
        likeliest: the `top_k` likeliest labels, with or without reaching their threshold.
        truncated: the model saw only the text's start.
    """

    labels: tuple[Label, ...]
    likeliest: tuple[Label, ...]
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiLabelCodec:
    """The outputs of multi-label classification, and the reading of its reply.

    The scores come as Triton's classification: sorted, named and rounded to six decimals. The
    server selects the labels before it rounds.

    Attributes:
        label_count: labels of the model.
        top_k: how many likeliest labels to return beside the selected ones.
    """

    label_count: int
    top_k: int = 0

    def __post_init__(self) -> None:
        if self.top_k < 0:
            raise ValueError(f"top_k is {self.top_k}; it must not be negative")

    @property
    def task(self) -> Task:
        """Multi-label classification."""
        return MULTI_LABEL

    def requested_outputs(self) -> tuple[RequestedOutput, ...]:
        """The outputs to ask for."""
        scores = RequestedOutput(name="scores", class_count=self.label_count)
        return (scores, RequestedOutput(name="selected"), RequestedOutput(name="truncated"))

    def results_from_reply(self, reply: Reply) -> list[LabelSet]:
        """The labels of each row of the request."""
        cut = reply["truncated"].ravel().tolist()
        rows = zip(reply["scores"].tolist(), reply["selected"].tolist(), cut, strict=True)
        return [self._label_set(*row) for row in rows]

    def _label_set(self, entries: list[bytes], selected: list[bool], cut: bool) -> LabelSet:
        labels = [label_from_entry(entry) for entry in entries]
        return LabelSet(
            labels=tuple(label for label in labels if selected[label.id]),
            likeliest=tuple(labels[: self.top_k]),
            truncated=cut,
        )


class MultiLabelClient(BlockingClient):
    """Finds all labels of texts, or pairs of texts, on a Triton server."""

    task = MULTI_LABEL

    def classify(
        self, texts: Sequence[str], text_pairs: Sequence[str] | None = None, *, top_k: int = 0
    ) -> list[LabelSet]:
        """The labels of each text, and its `top_k` likeliest, selected or not.

        Raises:
            TextError: a text cannot be sent as UTF-8.
            ClientError: there is no answer; the subclasses say why.
        """
        return run_blocking(_classify(self._caller, texts, text_pairs, top_k))


class AsyncMultiLabelClient(AsyncioClient):
    """`MultiLabelClient` for asyncio; calls may run at once."""

    task = MULTI_LABEL

    async def classify(
        self, texts: Sequence[str], text_pairs: Sequence[str] | None = None, *, top_k: int = 0
    ) -> list[LabelSet]:
        """The labels of each text; arguments and errors as in `MultiLabelClient`."""
        return await _classify(self.caller, texts, text_pairs, top_k)


async def _classify(
    caller: Caller, texts: Sequence[str], text_pairs: Sequence[str] | None, top_k: int
) -> list[LabelSet]:
    rows = rows_from_columns(text_columns(texts, text_pairs))
    codec = MultiLabelCodec(label_count=await label_count(caller), top_k=top_k)
    return await caller.results(rows, codec)
