"""The metric of an engine on labelled data, as the clients' `--evaluate` computes it.

Every step but the server is the clients' own: their reading of CLUE's formats, their requests, what
they read from replies, and their scorers.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from ernie_triton.build.check.local_answers import LocalAnswers, PipelineParts
from ernie_triton.client.cli import embedding as embedding_grpc_client
from ernie_triton.client.cli import qa as qa_grpc_client
from ernie_triton.client.cli import seq_cls as seq_cls_grpc_client
from ernie_triton.client.cli import token_cls as token_cls_grpc_client
from ernie_triton.client.cli.job import Job, TaskCommand
from ernie_triton.client.cli.options import add_common_options
from ernie_triton.client.client import Blocking, run_blocking
from ernie_triton.client.core import Caller, Policy
from ernie_triton.client.items import Item, items_from_jsonl, opened_lines
from ernie_triton.client.wire import Endpoint, Transport, utf8_from_text
from ernie_triton.engines import Engine
from ernie_triton.errors import ClientError, DatasetError, TextError
from ernie_triton.tasks import EMBEDDING, MULTI_LABEL, QA, REGRESSION, SEQ_CLS, TOKEN_CLS

_T = TypeVar("_T")

_COMMANDS: Mapping[str, Callable[[], TaskCommand]] = {
    SEQ_CLS.name: seq_cls_grpc_client.task_command,
    MULTI_LABEL.name: seq_cls_grpc_client.task_command,
    REGRESSION.name: seq_cls_grpc_client.task_command,
    TOKEN_CLS.name: token_cls_grpc_client.task_command,
    QA.name: qa_grpc_client.task_command,
    EMBEDDING.name: embedding_grpc_client.task_command,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """How a task is judged by one number: the mean of these figures of its scorer, times 100."""

    name: str
    figures: tuple[str, ...]


METRICS: Mapping[str, Metric] = {
    SEQ_CLS.name: Metric(name="accuracy", figures=("accuracy",)),
    MULTI_LABEL.name: Metric(name="micro-F1", figures=("micro_f1",)),
    REGRESSION.name: Metric(name="Spearman", figures=("spearman",)),
    TOKEN_CLS.name: Metric(name="entity F1", figures=("f1",)),
    # The average by which CMRC2018's authors rank (github.com/ymcui/cmrc2018).
    QA.name: Metric(name="mean of exact match and F1", figures=("exact_match", "f1")),
    EMBEDDING.name: Metric(name="Spearman of cosines", figures=("spearman",)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """An engine's quality on labelled data.

    Attributes:
        metric: its name.
        points: the metric in hundredths, 0 to 100 (a correlation may be negative).
        examples: how many were answered.
        figures: everything the task's scorer says.
    """

    metric: str
    points: float
    examples: int
    figures: Mapping[str, object]


def evaluate(parts: PipelineParts, engine: Engine, data: Path) -> Evaluation:
    """Answer every example of a file and score the answers.

    Args:
        parts: the stages around the engine.
        engine: what to judge.
        data: labelled examples in the format that the task's client takes for `--evaluate`.

    Raises:
        DatasetError: the file cannot be read, is empty, or an example is of no use.
    """
    endpoint = Endpoint(url="this process", model=parts.spec.name)
    most = parts.spec.batching.max_batch_size
    return evaluate_answers(LocalAnswers(parts, engine), endpoint, parts.task.name, data, most)


def evaluate_answers(
    transport: Transport, endpoint: Endpoint, task: str, data: Path, max_rows: int
) -> Evaluation:
    """Have every example of a file answered, by a server or by what stands for one, and score it.

    Args:
        transport: the way to the answers.
        endpoint: the model, for the transport and for messages.
        task: its name.
        data: as for `evaluate`.
        max_rows: most rows of a request.

    Raises:
        DatasetError: the file cannot be read, is empty, or an example is not answered.
    """
    command = _COMMANDS[task]()
    caller = Caller(Blocking(transport), endpoint, Policy(retries=0))
    parser = argparse.ArgumentParser()
    add_common_options(parser, command.usage)
    command.add_options(parser)
    options = parser.parse_args(["--evaluate", str(data), "--model", endpoint.model])
    job: Job[Any] = _awaited(command.new_job(options, caller))
    size = max(1, max_rows // job.model_rows)
    count = 0
    with opened_lines(str(data)) as lines, _progress(task) as progress:
        for batch in _batches(_items(job, command, lines), size):
            for item, result in zip(batch, _results(job, batch, data), strict=True):
                _scorer(job).add(item, result)
            count += len(batch)
            progress.update(len(batch))
    if not count:
        raise DatasetError(f"{data} has no examples; name a labelled file (train or dev)")
    return evaluation_of(task, dict(_scorer(job).as_json()), count)


def evaluation_of(task: str, figures: Mapping[str, Any], count: int) -> Evaluation:
    """What a task's scorer says of so many examples, judged by the task's metric."""
    metric = METRICS[task]
    values = [float(figures[name]) for name in metric.figures]
    points = 100.0 * sum(values) / len(values)
    return Evaluation(metric=metric.name, points=points, examples=count, figures=figures)


def _scorer(job: Job[Any]) -> Any:  # noqa: ANN401 - of whatever the task's results are
    if job.scorer is None:
        raise ValueError("the client's job has no scorer")
    return job.scorer


def _items(job: Job[Any], command: TaskCommand, lines: Iterable[bytes]) -> Iterable[Item]:
    if job.examples is not None:
        return job.examples(lines)
    return items_from_jsonl(lines, job.texts, command.usage.fields)


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def _results(job: Job[Any], batch: Sequence[Item], data: Path) -> list[Any]:
    rows = []
    for item in batch:
        try:
            if item.error:
                raise TextError(item.error)
            rows.append(tuple(utf8_from_text(text) for text in item.texts))
        except TextError as error:
            raise DatasetError(f"{data}, {item.place}: {error}") from error
    results = _awaited(job.send(rows))
    for item, result in zip(batch, results, strict=True):
        if isinstance(result, ClientError):
            raise DatasetError(f"{data}, {item.place}: {result}") from result
    return list(results)


def _awaited(found: Awaitable[_T]) -> _T:
    """What a coroutine of the caller returns, which never suspends here."""

    async def wait() -> _T:
        return await found

    return run_blocking(wait())


def _progress(task: str) -> tqdm[Any]:
    """A bar that appears when the evaluation takes more than two seconds, on a terminal only."""
    shown = sys.stderr.isatty()
    name = f"evaluating {task}"
    return tqdm(unit="example", desc=name, delay=2, disable=not shown, leave=False, file=sys.stderr)
