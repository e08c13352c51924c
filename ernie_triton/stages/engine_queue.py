"""An engine for many threads of one process: while one batch runs, the next gathers."""

import queue
import threading
from concurrent.futures import Future
from functools import partial
from time import perf_counter

from ernie_triton.arrays import Tensors
from ernie_triton.stages.engine import EngineStage
from ernie_triton.stages.part_counts import PartCounts
from ernie_triton.tasks import INPUT_IDS

_Asked = tuple[Tensors, "Future[Tensors]"]


class EngineQueue:
    """Runs what many threads ask in batches, as the server does for an engine of its own.

    Attributes:
        part_counts: counts of these batches, as the engine's.
    """

    def __init__(self, engine: EngineStage, max_rows: int) -> None:
        """Start nothing yet.

        Args:
            engine: the stage that runs batches.
            max_rows: rows from which on a batch takes no further request.
        """
        self.part_counts = PartCounts()
        self._engine = engine
        self._max_rows = max_rows
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def ask(self, tensors: Tensors) -> Tensors:
        """The engine's outputs for one request's rows; waits for them.

        Raises:
            EngineError: the engine refuses the rows.
        """
        with self._start:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
                self._thread.start()
        future: Future[Tensors] = Future()
        self._asked.put((tensors, future))
        return future.result()

    def close(self) -> None:
        """Run what was asked, and end."""
        if self._thread is not None:
            self._asked.put(None)
            self._thread.join()
        self._engine.close()

    def _work(self) -> None:
        while (first := self._asked.get()) is not None:
            batch, rows = [first], len(first[0][INPUT_IDS.name])
            while rows < self._max_rows and not self._asked.empty():
                following = self._asked.get()
                if following is None:
                    self._asked.put(None)
                    break
                batch.append(following)
                rows += len(following[0][INPUT_IDS.name])
            self._run(batch)

    def _run(self, batch: list[_Asked]) -> None:
        started = perf_counter()
        try:
            outputs = self._engine.run([self._engine.read(tensors) for tensors, _ in batch])
        except Exception as error:
            if len(batch) > 1:  # find the request at fault; the others keep their answers
                for asked in batch:
                    self._run([asked])
            else:
                batch[0][1].set_exception(error)
            return
        self.part_counts.add(
            "engine",
            perf_counter() - started,
            requests=len(batch),
            rows=sum(len(tensors[INPUT_IDS.name]) for tensors, _ in batch),
            tokens=sum(self._engine.token_counts()),
        )
        for (_, future), output in zip(batch, outputs, strict=True):
            if isinstance(output, Future):
                output.add_done_callback(partial(_pass_on, future))
            else:
                future.set_result(output)


def _pass_on(future: "Future[Tensors]", done: "Future[Tensors]") -> None:
    if error := done.exception():
        future.set_exception(error)
    else:
        future.set_result(done.result())
