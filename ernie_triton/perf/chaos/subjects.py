"""Find the pipelines of a repository, and their right answers, before anything is broken."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ernie_triton.client.transport import Connection, GrpcAsyncTransport, GrpcTransport
from ernie_triton.client.wire import Endpoint, InferRequest, RequestedOutput
from ernie_triton.errors import DatasetError
from ernie_triton.perf.analyzer.texts import LONG, TITLES, rows_of_kinds
from ernie_triton.perf.running.answers import SCORE_TOLERANCES, Comparison, comparison_of
from ernie_triton.perf.running.checker import SoloAnswer
from ernie_triton.server.builds.manifest_file import MANIFEST_FILE
from ernie_triton.tasks import Task, task_named

_ROWS = 24
_LONG_SHARE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosSubject:
    """A pipeline that is asked.

    Attributes:
        name: of its ensemble or joined model.
        task: the task.
        inputs: the model's inputs, in the task's order.
        tolerance: largest difference of a score between two right answers.
    """

    name: str
    task: Task
    inputs: tuple[str, ...]
    tolerance: float

    @property
    def comparison(self) -> Comparison[Any, Any]:
        """The task's client, and the comparison of two of its answers."""
        return comparison_of(self.task)

    def client(self, url: str, *, timeout_s: float, retries: int) -> Any:  # noqa: ANN401 - of any task
        """Return a blocking client of this pipeline."""
        return self.comparison.client(url, self.name, timeout_s=timeout_s, retries=retries)

    def solo_answers(self, url: str, timeout_s: float) -> list[SoloAnswer]:
        """Ask each row alone, without load.

        Raises:
            ClientError: the server does not answer.
        """
        rows = rows_of_kinds((TITLES, LONG), _LONG_SHARE, self.inputs)[:_ROWS]
        with self.client(url, timeout_s=timeout_s, retries=0) as client:
            return [SoloAnswer(row=row, answer=self.comparison.ask(client, row)) for row in rows]

    def send(self, url: str, columns: Sequence[Sequence[bytes]], timeout_s: float) -> None:
        """Send one request of these bytes, a column for each input, and drop the answer.

        Raises:
            ClientError: there is no answer.
        """
        transport = GrpcTransport(self._connection(url))
        try:
            transport.infer(self._request(columns), timeout_s)
        finally:
            transport.close()

    async def send_at_once(
        self,
        url: str,
        columns: Sequence[Sequence[bytes]],
        calls: int,
        *,
        timeout_s: float,
        cancelled_after_s: float | None = None,
    ) -> list[BaseException | None]:
        """Send one request so many times at once, over one connection.

        Args:
            url: the server's gRPC address.
            columns: the request.
            calls: how many times.
            timeout_s: for each answer.
            cancelled_after_s: cancel those without an answer then; None waits for all.

        Returns:
            The error of each request, None for an answer.
        """
        transport = GrpcAsyncTransport(self._connection(url))
        request = self._request(columns)
        asked = [asyncio.ensure_future(transport.infer(request, timeout_s)) for _ in range(calls)]
        try:
            if cancelled_after_s is not None:
                await asyncio.sleep(cancelled_after_s)
                for one in asked:
                    one.cancel()
            ends = await asyncio.gather(*asked, return_exceptions=True)
        finally:
            await transport.close()
        return [end if isinstance(end, BaseException) else None for end in ends]

    def _connection(self, url: str) -> Connection:
        return Connection(endpoint=Endpoint(url=url, model=self.name))

    def _request(self, columns: Sequence[Sequence[bytes]]) -> InferRequest:
        named = {name: list(column) for name, column in zip(self.inputs, columns, strict=True)}
        output = RequestedOutput(name=self.task.results[0].name)
        return InferRequest(columns=named, outputs=(output,))

    def is_right(self, answer: Any, solo: SoloAnswer) -> bool:  # noqa: ANN401
        """Tell whether an answer is the solo answer."""
        return self.comparison.equal(solo.answer, answer, self.tolerance)


def subjects_of(repository: Path) -> list[ChaosSubject]:
    """Read the pipelines of a repository from their manifests.

    Raises:
        DatasetError: there are none.
    """
    manifests = sorted(repository.glob(f"*/*/{MANIFEST_FILE}"))
    found = {path.parents[1].name: _subject(path) for path in manifests}
    if not found:
        raise DatasetError(
            f"{repository} holds no pipeline with a manifest; build one with: "
            f"ernie-triton build CHECKPOINT --repository {repository}"
        )
    return list(found.values())


def _subject(path: Path) -> ChaosSubject:
    manifest: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    task = task_named(manifest["task"])
    return ChaosSubject(
        name=path.parents[1].name,
        task=task,
        inputs=task.pair_texts if manifest["pair"] else task.texts,
        tolerance=SCORE_TOLERANCES[manifest["engine"]["precision"]],
    )
