"""FastAPI and uvicorn with uvloop, micro-batches of what waits while a batch runs."""

import asyncio
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from onnx_scorer import OnnxScorer
from pydantic import BaseModel

_MOST = 32


class Asked(BaseModel):
    """A request."""

    text: str


class Batcher:
    """Gathers the texts that arrive while the engine runs."""

    def __init__(self, scorer: OnnxScorer) -> None:
        self._scorer = scorer
        self._waiting: asyncio.Queue[tuple[str, asyncio.Future[list[float]]]] = asyncio.Queue()
        self._engine = ThreadPoolExecutor(1)

    async def scores(self, text: str) -> list[float]:
        """Wait for a text's probabilities."""
        answer: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((text, answer))
        return await answer

    async def run(self) -> None:
        """Run batches for ever."""
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < _MOST and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            texts = [text for text, _ in batch]
            found = await loop.run_in_executor(self._engine, self._scorer.scores, texts)
            for (_, answer), scores in zip(batch, found, strict=True):
                if not answer.cancelled():
                    answer.set_result(scores)


def main() -> None:
    """Serve the checkpoint of the first argument at the port of the second."""
    batcher = Batcher(OnnxScorer(sys.argv[1]))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(batcher.run())
        yield
        task.cancel()

    app = FastAPI(lifespan=lifespan)

    @app.post("/score")  # type: ignore[untyped-decorator]
    async def score(asked: Asked) -> dict[str, list[float]]:
        return {"scores": await batcher.scores(asked.text)}

    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", loop="uvloop")


if __name__ == "__main__":
    main()
