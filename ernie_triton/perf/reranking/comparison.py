"""Ask the embedded server and CrossEncoder's backends for the same documents, in turn.

Another program's load then meets all of them alike. The server is asked by a client over gRPC;
CrossEncoder is called within its own process, without a server.
"""

import json
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.child_process import running_child
from ernie_triton.client.rerank import RerankClient
from ernie_triton.errors import AnalyzerError
from ernie_triton.perf.analyzer.texts import text_of
from ernie_triton.perf.build_process import run_build
from ernie_triton.server.embedded import EmbeddedServer, ServerOptions
from ernie_triton.text_table import Table

BACKENDS = ("onnx", "openvino", "torch")
"""Of CrossEncoder."""

_OURS = "ernie-triton"
_MODEL = "ranker"
_QUERY_CHARACTERS = 16
_TIMEOUT_S = 600.0
_WORKER = Path(__file__).with_name("worker.py")

Ranked = tuple[float, Mapping[int, float]]
"""The seconds of a round, and the score of each document by its place."""
Ranker = Callable[[str, Sequence[str]], Ranked]


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankLoad:
    """The documents of a round.

    Attributes:
        documents: how many.
        characters: of a document, about as many tokens.
        spread: characters that lengths lie around that, either way.
        rounds: rounds that are counted, after one that is not.
    """

    documents: int = 100
    characters: int = 200
    spread: int = 0
    rounds: int = 7

    def texts(self) -> tuple[str, list[str]]:
        """The query and its documents, the same in every call."""
        chance = random.Random(0)
        query = text_of(_QUERY_CHARACTERS, chance)
        least, most = self.characters - self.spread, self.characters + self.spread
        return query, [text_of(chance.randint(least, most), chance) for _ in range(self.documents)]


def compare_reranking(
    checkpoint: Path,
    python: str,
    load: RerankLoad,
    options: Sequence[str],
    progress: Callable[[str], None],
) -> list[str]:
    """Measure, and return the lines of a table.

    Args:
        checkpoint: a cross-encoder with one label.
        python: of an environment with `sentence-transformers[onnx,openvino]`.
        load: the documents.
        options: of our build, such as `--precision int8`.
        progress: takes a line after each round.

    Raises:
        CheckpointError: the build fails.
        AnalyzerError: CrossEncoder ends without an answer.
    """
    query, documents = load.texts()
    rounds: list[dict[str, Ranked]] = []
    with ExitStack() as stack:
        rankers = {_OURS: stack.enter_context(served_ranker(checkpoint, options))}
        for backend in BACKENDS:
            worker = cross_encoder([python, str(_WORKER), str(checkpoint), backend])
            rankers[f"CrossEncoder {backend}"] = stack.enter_context(worker)
        for number in range(load.rounds + 1):
            rounds.append({name: rank(query, documents) for name, rank in rankers.items()})
            seconds = ", ".join(f"{name} {found[0]:.2f} s" for name, found in rounds[-1].items())
            progress(f"round {number} of {load.rounds}: {seconds}")
    return comparison_lines(rounds[1:])


def comparison_lines(rounds: Sequence[Mapping[str, Ranked]]) -> list[str]:
    """A table: seconds, documents a second, each one's time over ours, difference of scores."""
    rows = []
    for name in rounds[0]:
        seconds = statistics.median(found[name][0] for found in rounds)
        ratios = [found[name][0] / found[_OURS][0] for found in rounds]
        ours, other = rounds[-1][_OURS][1], rounds[-1][name][1]
        difference = max(abs(ours[place] - other[place]) for place in ours)
        rows.append(
            (
                name,
                f"{seconds * 1000:.0f} ms",
                f"{len(ours) / seconds:.1f}",
                f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
                f"{difference:.1e}",
            )
        )
    columns = ("ranker", "median", "documents/s", "its time over ours (range)", "score difference")
    return Table(columns).lines(rows)


@contextmanager
def served_ranker(checkpoint: Path, options: Sequence[str]) -> Iterator[Ranker]:
    """Build and serve a checkpoint, stages joined; the ranker asks over gRPC."""
    with tempfile.TemporaryDirectory(prefix="ernie-triton-perf-") as folder:
        named = ("--task", "rerank", "--repository", folder, "--name", _MODEL, "--joined")
        run_build("build", checkpoint, *named, *options)
        served = ServerOptions(repository=Path(folder), grpc_port=0, metrics_port=0)
        with (
            EmbeddedServer(served) as server,
            RerankClient(server.url, _MODEL, timeout_s=_TIMEOUT_S) as client,
        ):

            def rank(query: str, documents: Sequence[str]) -> Ranked:
                begin = time.perf_counter()
                found = client.rank(query, documents)
                seconds = time.perf_counter() - begin
                return seconds, {one.index: one.score for one in found}

            yield rank


@contextmanager
def cross_encoder(command: Sequence[str]) -> Iterator[Ranker]:
    """Start a worker that ranks; it waits while it is not asked."""
    with running_child(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        given, answers = process.stdin, process.stdout
        if given is None or answers is None:
            raise AnalyzerError("the worker has no pipes")

        def answer() -> bytes:
            line = answers.readline()
            if not line:
                raise AnalyzerError(
                    f"`{' '.join(command)}` ended without an answer; run it by hand, and install "
                    f"'sentence-transformers[onnx,openvino]' for that Python"
                )
            return line

        while answer() != b"ready\n":
            pass

        def rank(query: str, documents: Sequence[str]) -> Ranked:
            asked = json.dumps({"query": query, "documents": [*documents]})
            given.write(asked.encode() + b"\n")
            given.flush()
            found = json.loads(answer())
            return found["seconds"], {int(place): at for place, at in found["scores"].items()}

        try:
            yield rank
        finally:
            given.close()
