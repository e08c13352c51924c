"""The work of a comparison: labels of texts or of pairs of texts, or entities in texts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.client.tasks.seq_cls import SeqClsClient
from ernie_triton.client.tasks.token_cls import TokenClsClient
from ernie_triton.decoders.entities import Word, entities_of_words, label_parts
from ernie_triton.errors import CheckpointError, UsageError
from ernie_triton.perf.analyzer.text_spec import TextKind
from ernie_triton.perf.analyzer.texts import TITLES, TextRow, rows_of_kind
from ernie_triton.tasks import SEQ_CLS, TOKEN_CLS

WORK_FILE = "work.json"
"""Beside a peer's graph: the task, the most tokens of a row, and what windows share."""
_FEWEST_TOKENS, _MOST_TOKENS = 8, 512


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerWork:
    """One kind of requests, each with one row.

    Attributes:
        task: `seq_cls` or `token_cls`.
        pair: whether a row is two texts (`seq_cls`).
        tokens: of every row, special tokens included; None for lengths like titles.
        window: most tokens of a window (`token_cls`): a longer text becomes several rows.
    """

    task: str = SEQ_CLS.name
    pair: bool = False
    tokens: int | None = None
    window: int | None = None

    def __post_init__(self) -> None:
        entities = self.task == TOKEN_CLS.name
        for option, value in (("--tokens", self.tokens), ("--window", self.window)):
            most = 8 * _MOST_TOKENS if option == "--tokens" and entities else _MOST_TOKENS
            if value is not None and not _FEWEST_TOKENS <= value <= most:
                raise UsageError(f"{option} is {value}; expected {_FEWEST_TOKENS} to {most}")
        if self.window is not None and not entities:
            raise UsageError("--window is for a checkpoint that labels tokens")
        if self.pair and entities:
            raise UsageError("--pair is for a checkpoint that labels texts")

    @property
    def inputs(self) -> tuple[str, ...]:
        """Our model's inputs."""
        return ("text", "text_pair") if self.pair else ("text",)

    @property
    def longest(self) -> int:
        """Most tokens of a row of the engine."""
        return self.window or min(self.tokens or 128, _MOST_TOKENS)

    @property
    def overlap(self) -> int:
        """Tokens that neighbouring windows share."""
        return self.longest // 4

    def rows(self) -> list[TextRow]:
        """The texts that are asked, the same in every call."""
        kind = TITLES if self.tokens is None else TextKind(name="long", tokens=self.tokens)
        return rows_of_kind(kind, self.inputs)

    def build_options(self) -> tuple[str, ...]:
        """The options of our build."""
        if self.task == TOKEN_CLS.name:
            return ("--max-length", str(self.longest), "--overlap", str(self.overlap))
        pair = ("--pair",) if self.pair else ()
        return (*pair, "--max-length", str(self.longest))

    def write(self, folder: Path) -> None:
        """Write `WORK_FILE` for a peer."""
        rules = {"task": self.task, "longest": self.longest, "overlap": self.overlap}
        (folder / WORK_FILE).write_text(json.dumps(rules), encoding="utf-8")

    def label(self) -> str:
        """Name it for a table; empty for single titles."""
        parts = [
            "entities" if self.task == TOKEN_CLS.name else "",
            "pairs" if self.pair else "",
            f"{self.tokens} tokens" if self.tokens else "",
            f"windows of {self.window}" if self.window else "",
        ]
        return ", ".join(filter(None, parts))


def classifier_task(checkpoint: Path) -> str:
    """The task of a checkpoint by its `config.json`: `seq_cls` or `token_cls`.

    Raises:
        CheckpointError: it has another task, or cannot be read.
    """
    try:
        (name,) = json.loads((checkpoint / "config.json").read_text("utf-8"))["architectures"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{checkpoint} is no transformers folder with one architecture: {error!r}"
        ) from error
    for ending, task in (
        ("ForSequenceClassification", SEQ_CLS.name),
        ("ForTokenClassification", TOKEN_CLS.name),
    ):
        if str(name).endswith(ending):
            return task
    raise CheckpointError(f"{checkpoint} is a {name}; expected a classifier of texts or of tokens")


def text_scores(client: SeqClsClient, row: TextRow) -> list[float]:
    """Our probabilities of a row's labels, by their numbers."""
    pairs = [row[1]] if len(row) > 1 else None
    (found,) = client.classify([row[0]], pairs, top_k=len(client.label_names()))
    return [label.score for label in sorted(found.labels, key=lambda label: label.id)]


class EntityPlaces:
    """Entities as a number for each character, so that the answers of two servers compare."""

    def __init__(self, checkpoint: Path) -> None:
        """Read the names of the labels."""
        config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
        self._labels = [config["id2label"][str(place)] for place in range(len(config["id2label"]))]
        self._parts = label_parts(self._labels)
        self._kinds = sorted({part.kind for part in self._parts.values()})

    def of_label_ids(self, label_ids: Sequence[float]) -> list[float]:
        """From a peer's answer: a label for each token, which is one character."""
        words = [
            Word(first=place, end=place + 1, label=self._labels[int(label)], score=1.0)
            for place, label in enumerate(label_ids)
        ]
        found = entities_of_words(words, self._parts)
        return self._places(len(words), [(one.first, one.end, one.label) for one in found])

    def of_served(self, client: TokenClsClient, row: TextRow) -> list[float]:
        """From our answer."""
        (found,) = client.entities(row)
        return self._places(len(row[0]), [(one.start, one.end, one.label) for one in found])

    def _places(self, characters: int, entities: Sequence[tuple[int, int, str]]) -> list[float]:
        """0 outside; an entity's type, and a half more at its first character."""
        places = [0.0] * characters
        for first, end, kind in entities:
            number = float(self._kinds.index(kind) + 1)
            places[first:end] = [number + 0.5] + [number] * (end - first - 1)
        return places
