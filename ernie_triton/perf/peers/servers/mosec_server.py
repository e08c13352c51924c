"""mosec: a Rust front end, dynamic batches in one worker."""

import os
import sys

from mosec import Server, Worker
from onnx_scorer import OnnxScorer

_MOST = 32
_WAIT_MS = 1
_FOLDER = "PEER_CHECKPOINT"


class MosecClassifier(Worker):  # type: ignore[misc]
    """Answers batches."""

    def __init__(self) -> None:
        self._scorer = OnnxScorer(os.environ[_FOLDER])

    def forward(self, data: list[dict[str, list[str]]]) -> list[dict[str, list[float]]]:
        """The answers of one batch."""
        found = self._scorer.answers([one["texts"] for one in data])
        return [{"answer": answer} for answer in found]


def main() -> None:
    """Serve the checkpoint of the first argument at the port of the second."""
    os.environ[_FOLDER], port = sys.argv[1:]
    sys.argv[1:] = ["--address", "127.0.0.1", "--port", port, "--log-level", "error"]
    server = Server()
    server.append_worker(MosecClassifier, max_batch_size=_MOST, max_wait_time=_WAIT_MS)
    server.run()


if __name__ == "__main__":
    main()
