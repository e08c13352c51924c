"""Ask one pipeline from many threads, and check that every answer is one build's whole.

By hand: `python -m tests.live.reloading REPOSITORY_A REPOSITORY_B NAME SWAPS` serves A, exchanges
its pipeline with B's and back so many times at concurrency 32, and prints figures.
"""

import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc as triton

from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.stage_names import PARTS
from tests.conftest import options_for
from tests.live.requests import text_tensor

TEXTS = (
    "国足客场2:1逆转取胜",
    "央行降息",
    "",
    "新车上市" * 30,
    "a b c",
    "股市大涨",
    "高考作文",
    "天气",
)
_NAMES = ("label_name", "confidence", "scores", "label")
_TOLERANCE = 2e-5

Answer = Mapping[str, Any]


def ask(client: triton.InferenceServerClient, model: str, text: str) -> Answer:
    result = client.infer(model, [text_tensor("text", [text])], client_timeout=60)
    return {name: result.as_numpy(name) for name in _NAMES}


def is_of(found: Answer, expected: Answer) -> bool:
    """Whether every tensor is this build's, its shape included."""
    return all(
        found[name].shape == expected[name].shape
        and (
            np.array_equal(found[name], expected[name])
            if found[name].dtype == np.object_ or found[name].dtype.kind == "i"
            else np.allclose(found[name], expected[name], rtol=0, atol=_TOLERANCE)
        )
        for name in _NAMES
    )


def answers_of(url: str, model: str) -> list[Answer]:
    """Each text's answer from a model that is not exchanged meanwhile."""
    client = triton.InferenceServerClient(url)
    found = [ask(client, model, text) for text in TEXTS]
    client.close()
    return found


@dataclass(slots=True)
class Load:
    """Threads that ask without a pause, and what they got."""

    url: str
    model: str
    builds: Mapping[str, Sequence[Answer]]
    counts: Counter[str] = field(default_factory=Counter)
    latencies: list[tuple[float, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, concurrency: int) -> None:
        for number in range(concurrency):
            thread = threading.Thread(target=self._work, args=(number,))
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        client = triton.InferenceServerClient(self.url)
        while not self._stopping.is_set():
            number = (number + 1) % len(TEXTS)
            start = time.perf_counter()
            try:
                found = ask(client, self.model, TEXTS[number])
            except Exception as error:
                self.errors.append(str(error))
                continue
            end = time.perf_counter()
            self.latencies.append((end, end - start))
            of = [name for name, known in self.builds.items() if is_of(found, known[number])]
            self.counts[of[0] if len(of) == 1 else "neither" if not of else "both"] += 1
        client.close()


def take_pipeline(source: Path, name: str, repository: Path) -> None:
    """Put another repository's build of a pipeline in the place of this one's."""
    for model in (name, *(f"{name}_{stage}" for stage in PARTS)):
        shutil.rmtree(repository / model, ignore_errors=True)
        if (source / model).is_dir():
            shutil.copytree(source / model, repository / model)


def p99_ms(latencies: Sequence[float]) -> float:
    return float(np.percentile(latencies, 99)) * 1000 if latencies else float("nan")


def main(first: str, second: str, name: str, swaps: str) -> int:
    """Exchange the builds of two repositories under load, and print what happened."""
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder) / "models"
        take_pipeline(Path(first), name, repository)
        with EmbeddedServer(options_for(repository)) as server:
            server.live_builds.forget_after_s = 5
            take_pipeline(Path(second), name, repository)
            identity = server.live_builds.new_identity(name)
            server.live_builds.reload(name, canary=True)
            known = {
                "first": answers_of(server.url, name),
                "second": answers_of(server.url, f"{name}@{identity}"),
            }
            load = Load(server.url, name, known)
            load.start(32)
            time.sleep(10)
            before = time.perf_counter()
            during: list[tuple[float, float]] = []
            for number in range(int(swaps)):
                take_pipeline(Path(second if number % 2 == 0 else first), name, repository)
                start = time.perf_counter()
                print(server.live_builds.reload(name), flush=True)
                during.append((start, time.perf_counter()))
                server.watch(3)
                if number % 4 == 3:  # so that the next one is loaded anew
                    print(server.live_builds.forget(name))
                    server.watch(server.live_builds.forget_after_s)
                    server.live_builds.tidy()
            load.stop()
            latencies = load.latencies
            quiet = [took for end, took in latencies if end < before]
            swapping = [
                took
                for end, took in latencies
                if any(start <= end <= done + 0.5 for start, done in during)
            ]
            print(f"answers {dict(load.counts)}, errors {len(load.errors)} {load.errors[:3]}")
            print(f"exchanges took {[round(done - start, 2) for start, done in during]} s")
            print(f"p99 before {p99_ms(quiet):.0f} ms, while exchanging {p99_ms(swapping):.0f} ms")
            return int(bool(load.errors or load.counts["neither"]))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
