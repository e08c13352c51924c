"""LitServe: FastAPI in front of a worker process with dynamic batches."""

import sys
from typing import Any

import litserve
from onnx_scorer import OnnxScorer

_MOST = 32
_WAIT_S = 0.001


class LitClassifier(litserve.LitAPI):  # type: ignore[misc]
    """Answers batches."""

    def __init__(self, folder: str) -> None:
        super().__init__(max_batch_size=_MOST, batch_timeout=_WAIT_S)
        self._folder = folder

    def setup(self, device: str) -> None:
        """Open the graph in the worker."""
        del device
        self._scorer = OnnxScorer(self._folder)

    def decode_request(self, request: dict[str, list[str]]) -> list[str]:
        """The texts of a request."""
        return request["texts"]

    def predict(self, x: list[list[str]]) -> list[list[float]]:
        """The answers of one batch."""
        found: list[list[float]] = self._scorer.answers(list(x))
        return found

    def encode_response(self, output: list[float]) -> dict[str, Any]:
        """The answer to a request."""
        return {"answer": output}


def main() -> None:
    """Serve the checkpoint of the first argument at the port of the second."""
    server = litserve.LitServer(LitClassifier(sys.argv[1]), accelerator="cpu")
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), log_level="error", generate_client_file=False
    )


if __name__ == "__main__":
    main()
