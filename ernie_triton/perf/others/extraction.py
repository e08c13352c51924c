"""Ask the embedded server and PaddleNLP's Taskflow what a schema names in the same texts, in turn.

The server is asked by a client over gRPC; Taskflow is called within its own process.
"""

import dataclasses
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ernie_triton.client.tasks.extraction import ExtractionClient
from ernie_triton.perf.analyzer.texts import text_of
from ernie_triton.perf.others.table import OURS, RoundAnswers, comparison_lines, in_rounds
from ernie_triton.perf.others.workers import AskWorker, worker
from ernie_triton.perf.served_builds import served_builds

_PACKAGES = "paddlenlp and paddlepaddle"
_MODEL = "extractor"
_NAME_CHARACTERS = 4
_TIMEOUT_S = 900.0
_WORKER = Path(__file__).with_name("taskflow.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionLoad:
    """The texts of a round, and what is asked of them.

    Attributes:
        names: of the schema, next to each other.
        texts: how many.
        characters: of a text.
        rounds: rounds that are counted, after one that is not.
        lengths: tokens to which Taskflow pads its rows; each is measured.
        batch_size: rows of Taskflow's batches.
        threads: of Taskflow; 0 takes every core.
    """

    names: int = 31
    texts: int = 80
    characters: int = 100
    rounds: int = 3
    lengths: tuple[int, ...] = (512, 128)
    batch_size: int = 64
    threads: int = 0

    def asked(self) -> tuple[list[str], list[str]]:
        """The schema and the texts, the same in every call."""
        chance = random.Random(0)
        names = [text_of(_NAME_CHARACTERS, chance) for _ in range(self.names)]
        return names, [text_of(self.characters, chance) for _ in range(self.texts)]


def compare_extraction(
    checkpoint: Path,
    python: str,
    load: ExtractionLoad,
    options: Sequence[str],
    progress: Callable[[str], None],
) -> list[str]:
    """Measure, and return the lines of a table.

    Args:
        checkpoint: a UIE checkpoint of PaddleNLP.
        python: of an environment with PaddleNLP.
        load: the texts and the names.
        options: of our build, such as `--precision int8`.
        progress: takes a line after each round.

    Raises:
        CheckpointError: the build fails.
        AnalyzerError: Taskflow ends without an answer.
    """
    schema, texts = load.asked()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ernie-triton-perf-")))
        asked = {OURS: stack.enter_context(_served(checkpoint, schema, texts, options))}
        for length in load.lengths:
            # Taskflow writes its export beside the checkpoint.
            copied = folder / f"taskflow_{length}"
            shutil.copytree(checkpoint, copied)
            told = (json.dumps(schema), *map(str, (length, load.batch_size, load.threads)))
            command = [python, str(_WORKER), str(copied), *told]
            ask = stack.enter_context(worker(command, _PACKAGES))
            asked[f"Taskflow, padded to {length}"] = partial(_asked, ask, texts)
        rounds = in_rounds(asked, load.rounds, progress)
    return comparison_lines(rounds, "extractor", "texts", load.texts)


def _asked(ask: AskWorker, texts: Sequence[str]) -> RoundAnswers:
    return answers_of(ask(texts))


@contextmanager
def _served(
    checkpoint: Path, schema: list[str], texts: list[str], options: Sequence[str]
) -> Iterator[Callable[[], RoundAnswers]]:
    """Build and serve a checkpoint, stages joined."""
    with (
        served_builds(checkpoint, "extraction", {_MODEL: ("--joined", *options)}) as url,
        ExtractionClient(url, _MODEL, timeout_s=_TIMEOUT_S) as client,
    ):

        def extract() -> RoundAnswers:
            begin = time.perf_counter()
            found = client.extract(texts, schema)
            seconds = time.perf_counter() - begin
            results = [
                {name: [dataclasses.asdict(span) for span in spans] for name, spans in one.items()}
                for one in found
            ]
            return answers_of({"seconds": seconds, "results": results})

        yield extract


def answers_of(found: Mapping[str, Any]) -> RoundAnswers:
    """The probability of each span, by its text's place, its name, and its characters or option."""
    scores: dict[Hashable, float] = {}
    for place, result in enumerate(found["results"]):
        for name, spans in result.items():
            for span in spans:
                start = span.get("start", -1)
                end = span["text"] if start < 0 else span["end"]
                scores[place, name, start, end] = float(span["probability"])
    return RoundAnswers(seconds=found["seconds"], scores=scores)
