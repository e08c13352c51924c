"""Evaluate a model: have labelled examples answered over a transport, and score the answers.

The blocking counterpart of the command lines' `--evaluate`, for a server or for a model in this
process.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from ernie_triton.client.client import Blocking, run_blocking
from ernie_triton.client.core import Caller, Policy, Send
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.client.items import Item, opened_lines
from ernie_triton.client.wire import Endpoint, Transport, utf8_from_text
from ernie_triton.errors import ClientError, DatasetError, TextError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The quality of a model on labelled examples.

    Attributes:
        metric: its name.
        points: the metric times 100; 0 to 100, a correlation -100 to 100.
        examples: how many were answered.
        figures: the whole report of the task's scorer.
    """

    metric: str
    points: float
    examples: int
    figures: Mapping[str, object]


class Evaluator:
    """Evaluates one model on examples of its task."""

    def __init__(self, transport: Transport, endpoint: Endpoint, task: str, max_rows: int) -> None:
        """Keep the way to the model; nothing is sent yet.

        Args:
            transport: the way to the answers.
            endpoint: the model, for messages.
            task: the task's name.
            max_rows: the largest number of rows in a request.
        """
        self._caller = Caller(Blocking(transport), endpoint, Policy(retries=0))
        self._method = EVALUATION_METHODS[task]
        self._examples_per_request = max(1, max_rows // self._method.rows_per_example)

    def evaluate_file(self, path: Path) -> Evaluation:
        """Evaluate on a file in the format that the task's client takes for `--evaluate`.

        A bar on standard error shows the progress after two seconds, on a terminal only.

        Raises:
            DatasetError: the file cannot be read or is empty, or an example has no answer.
        """
        texts = _awaited(self._method.texts(self._caller))
        with (
            opened_lines(str(path)) as lines,
            tqdm(
                self._method.read(lines, texts),
                unit="example",
                desc=f"evaluating {self._method.task.name}",
                delay=2,
                disable=not sys.stderr.isatty(),
                leave=False,
                file=sys.stderr,
            ) as items,
        ):
            return self.evaluate_items(items, str(path))

    def evaluate_items(self, items: Iterable[Item], source: str) -> Evaluation:
        """Evaluate on given examples; `source` names them in messages.

        Raises:
            DatasetError: there are no examples, or one has no answer.
        """
        labels = _awaited(self._method.labels(self._caller))
        scorer, send = self._method.scorer(labels), self._method.send(self._caller, labels)
        count = 0
        for batch in _batches(items, self._examples_per_request):
            for item, result in zip(batch, _results(send, batch, source), strict=True):
                scorer.add(item, result)
            count += len(batch)
        if not count:
            raise DatasetError(f"{source} has no examples; name a labelled file (train or dev)")
        figures, metric = dict(scorer.as_json()), self._method.metric
        points = metric.points(figures)
        return Evaluation(metric=metric.name, points=points, examples=count, figures=figures)


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def _results(send: Send[_T], batch: Sequence[Item], source: str) -> list[_T]:
    rows = []
    for item in batch:
        try:
            if item.error:
                raise TextError(item.error)
            rows.append(tuple(utf8_from_text(text) for text in item.texts))
        except TextError as error:
            raise DatasetError(f"{source}, {item.place}: {error}") from error
    results: list[_T] = []
    for item, outcome in zip(batch, _awaited(send(rows)), strict=True):
        if isinstance(outcome, ClientError):
            raise DatasetError(f"{source}, {item.place}: {outcome}") from outcome
        results.append(outcome)
    return results


def _awaited(found: Awaitable[_T]) -> _T:
    """The result of a coroutine of the caller, which never suspends here."""

    async def wait() -> _T:
        return await found

    return run_blocking(wait())
