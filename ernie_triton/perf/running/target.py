"""Connect to one subject on one server."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ernie_triton.client.statistics import StageCounts, StatisticsClient
from ernie_triton.client.transport import Connection, GrpcTransport
from ernie_triton.client.wire import Endpoint, InferRequest, RequestedOutput, utf8_from_text
from ernie_triton.errors import ClientError, ContractError
from ernie_triton.perf.analyzer.texts import Columns, TextRow, input_columns
from ernie_triton.perf.results import StageTimes, Subject
from ernie_triton.perf.running.answers import comparison_of
from ernie_triton.perf.running.joined_counts import joined_counts
from ernie_triton.perf.running.server import Serving
from ernie_triton.tasks import INPUT_IDS, TOKEN_COUNT, Task

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedSubject:
    """A subject on a server that answers.

    Attributes:
        url: the server's gRPC address.
        subject: the subject.
        task: of its model.
        inputs: the model's inputs, in the task's order.
        max_batch_size: most rows of a request.
        stages: models of the ensemble, by stage (`engine`); of a joined pipeline, itself.
        metrics_url: the address of the server's metrics.
        server_version: of Triton.
        ask: returns the answer to a row, now.
        statistics: the connection for the server's statistics.
        server_pid: the server's process; None where it is elsewhere or not visible.
    """

    url: str
    subject: Subject
    task: Task
    inputs: tuple[str, ...]
    max_batch_size: int
    stages: Mapping[str, str]
    metrics_url: str
    server_version: str
    ask: Callable[[TextRow], Any]
    statistics: StatisticsClient
    server_pid: int | None

    @property
    def is_joined(self) -> bool:
        """True where one model is the whole pipeline."""
        return tuple(self.stages.values()) == (self.subject.model,)

    def counts(self) -> Mapping[str, StageCounts]:
        """Read each stage's counts since the server started; parts of a joined one are stages too.

        Raises:
            ClientError: the server is away.
        """
        if self.is_joined:
            return joined_counts(self.statistics, self.metrics_url, self.subject.model)
        counts = self.statistics.counts(tuple(self.stages.values()))
        return {name: counts[model] for name, model in self.stages.items()}

    def columns(self, rows: Sequence[TextRow]) -> Columns:
        """Return the rows' texts by input."""
        return input_columns(rows, self.inputs)


@contextmanager
def connected(
    serving: Serving, subject: Subject, task: Task, *, pair: bool
) -> Iterator[ServedSubject]:
    """Connect to the subject's model, checking that it is there and of the task.

    Raises:
        ClientError: the server is away, lacks the model, or the model is of another task.
    """
    url = serving.url
    endpoint = Endpoint(url=url, model=subject.model)
    transport = GrpcTransport(Connection(endpoint=endpoint))
    comparison = comparison_of(task)
    try:
        facts = transport.facts(TIMEOUT_S)
        inputs = task.pair_texts if pair else task.texts
        if set(facts.inputs) != set(inputs):
            raise ContractError(
                f"{endpoint} takes the inputs {', '.join(facts.inputs)}, but the scenario sends "
                f"{', '.join(inputs)} ({task.name}); name a model of this task"
            )
        # No retries: the checks must not hide what a load does to requests.
        with (
            comparison.client(url, subject.model, timeout_s=TIMEOUT_S, retries=0) as client,
            StatisticsClient(url, subject.model) as statistics,
        ):
            yield ServedSubject(
                url=url,
                subject=subject,
                task=task,
                inputs=inputs,
                max_batch_size=facts.max_batch_size,
                stages=_named_stages(subject.model, statistics.stages()),
                metrics_url=serving.metrics_url,
                server_version=statistics.server_version(),
                ask=lambda row: comparison.ask(client, row),
                statistics=statistics,
                server_pid=serving.pid,
            )
    finally:
        transport.close()


def counted_tokens(target: ServedSubject, rows: Sequence[TextRow]) -> list[int] | None:
    """Count each row's tokens with the server's tokenizer stage; None where it cannot be asked.

    A row that is cut counts the tokens that are left; a row of several windows counts their sum.
    """
    stage = target.subject.model if target.is_joined else target.stages.get("tokenizer")
    if stage is None:
        return None
    output = TOKEN_COUNT if target.is_joined else INPUT_IDS
    transport = GrpcTransport(Connection(endpoint=Endpoint(url=target.url, model=stage)))
    tokens = (RequestedOutput(name=output.name),)
    try:
        replies = [transport.infer(_request(target.inputs, row, tokens), TIMEOUT_S) for row in rows]
        if target.is_joined:
            return [int(reply[output.name].sum()) for reply in replies]
        return [_real_tokens(reply[output.name]) for reply in replies]
    except (ClientError, KeyError):
        return None
    finally:
        transport.close()


def _real_tokens(input_ids: npt.NDArray[Any]) -> int:
    """Count the tokens of all rows, without trailing padding; ERNIE's and BERT's `[PAD]` is 0."""
    return sum(len(np.trim_zeros(row, "b")) for row in input_ids)


def stage_times(counts: StageCounts) -> StageTimes:
    """Return the mean times of a stage's requests and runs."""
    requests = max(counts.requests, 1)
    return StageTimes(
        queue_us=counts.queue_ns / requests / 1e3,
        input_us=counts.input_ns / requests / 1e3,
        compute_us=counts.compute_ns / requests / 1e3,
        output_us=counts.output_ns / requests / 1e3,
        executions=counts.executions,
        batch=counts.rows / max(counts.executions, 1),
    )


def _named_stages(model: str, stages: Sequence[str]) -> dict[str, str]:
    """Name each stage by its model's name without the ensemble's."""
    return {stage.removeprefix(f"{model}_"): stage for stage in stages}


def _request(
    inputs: Sequence[str], row: TextRow, outputs: tuple[RequestedOutput, ...]
) -> InferRequest:
    columns = {
        name: [utf8_from_text(text) for texts in column for text in texts]
        for name, column in input_columns([row], inputs).items()
    }
    return InferRequest(columns=columns, outputs=outputs)
