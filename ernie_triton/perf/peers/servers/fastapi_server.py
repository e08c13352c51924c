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

    texts: list[str]


class Batcher:
    """Gathers the rows that arrive while the engine runs."""

    def __init__(self, scorer: OnnxScorer) -> None:
        self._scorer = scorer
        self._waiting: asyncio.Queue[tuple[list[str], asyncio.Future[list[float]]]] = (
            asyncio.Queue()
        )
        self._engine = ThreadPoolExecutor(1)

    async def answer(self, texts: list[str]) -> list[float]:
        """Wait for a row's answer."""
        answer: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((texts, answer))
        return await answer

    async def run(self) -> None:
        """Run batches for ever."""
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < _MOST and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            rows = [texts for texts, _ in batch]
            found = await loop.run_in_executor(self._engine, self._scorer.answers, rows)
            for (_, answer), result in zip(batch, found, strict=True):
                if not answer.cancelled():
                    answer.set_result(result)


def main() -> None:
    """Serve the checkpoint of the first argument at the port of the second."""
    batcher = Batcher(OnnxScorer(sys.argv[1]))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(batcher.run())
        yield
        task.cancel()

    app = FastAPI(lifespan=lifespan)

    @app.post("/answer")  # type: ignore[untyped-decorator]
    async def answer(asked: Asked) -> dict[str, list[float]]:
        return {"answer": await batcher.answer(asked.texts)}

    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", loop="uvloop")


if __name__ == "__main__":
    main()
