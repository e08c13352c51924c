"""Ask the embedded server and CrossEncoder's backends for the same documents, in turn.

Another program's load then meets all of them alike. The server is asked by a client over gRPC;
CrossEncoder is called within its own process, without a server.
"""

import random
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ernie_triton.client.tasks.rerank import RerankClient
from ernie_triton.perf.analyzer.texts import text_of
from ernie_triton.perf.others.table import OURS, RoundAnswers, comparison_lines, in_rounds
from ernie_triton.perf.others.workers import worker
from ernie_triton.perf.served_builds import served_builds

BACKENDS = ("onnx", "openvino", "torch")
"""Of CrossEncoder."""

QUANTIZED = ("onnx-int8", "openvino-int8")
"""The same in INT8, by the functions that sentence-transformers has for it."""

_PACKAGES = "'sentence-transformers[onnx,openvino]'"
_MODEL = "ranker"
_QUERY_CHARACTERS = 16
_TIMEOUT_S = 600.0
_WORKER = Path(__file__).with_name("cross_encoder.py")

Ranker = Callable[[str, Sequence[str]], RoundAnswers]
"""Ranks documents; scores are by their places."""


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
    others: Mapping[str, Sequence[str]],
    load: RerankLoad,
    options: Sequence[str],
    progress: Callable[[str], None],
) -> list[str]:
    """Measure, and return the lines of a table.

    Args:
        checkpoint: a cross-encoder with one label.
        others: commands of workers by their names, as `cross_encoder_command` gives them.
        load: the documents.
        options: of our build, such as `--precision int8`.
        progress: takes a line after each round.

    Raises:
        CheckpointError: the build fails.
        AnalyzerError: CrossEncoder ends without an answer.
    """
    query, documents = load.texts()
    with ExitStack() as stack:
        rankers = {OURS: stack.enter_context(served_ranker(checkpoint, options))}
        for name, command in others.items():
            rankers[name] = stack.enter_context(cross_encoder(command))
        asked = {name: partial(rank, query, documents) for name, rank in rankers.items()}
        rounds = in_rounds(asked, load.rounds, progress)
    return comparison_lines(rounds, "ranker", "documents", load.documents)


@contextmanager
def served_ranker(checkpoint: Path, options: Sequence[str]) -> Iterator[Ranker]:
    """Build and serve a checkpoint, stages joined; the ranker asks over gRPC."""
    with (
        served_builds(checkpoint, "rerank", {_MODEL: ("--joined", *options)}) as url,
        RerankClient(url, _MODEL, timeout_s=_TIMEOUT_S) as client,
    ):

        def rank(query: str, documents: Sequence[str]) -> RoundAnswers:
            begin = time.perf_counter()
            found = client.rank(query, documents)
            seconds = time.perf_counter() - begin
            return RoundAnswers(seconds=seconds, scores={one.index: one.score for one in found})

        yield rank


def cross_encoder_command(python: str, checkpoint: Path, backend: str) -> list[str]:
    """The command of a worker that ranks with CrossEncoder.

    Args:
        python: of an environment with `sentence-transformers[onnx,openvino]`.
        checkpoint: a cross-encoder with one label.
        backend: one of `BACKENDS` or `QUANTIZED`.
    """
    return [python, str(_WORKER), str(checkpoint), backend]


@contextmanager
def cross_encoder(command: Sequence[str]) -> Iterator[Ranker]:
    """Start a worker that ranks."""
    with worker(command, _PACKAGES) as ask:

        def rank(query: str, documents: Sequence[str]) -> RoundAnswers:
            found = ask({"query": query, "documents": [*documents]})
            scores: dict[Hashable, float] = {
                int(place): score for place, score in found["scores"].items()
            }
            return RoundAnswers(seconds=found["seconds"], scores=scores)

        yield rank
