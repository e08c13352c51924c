"""Token classification: label scores of tokens to entities with their places in the text.

Entities are those of seqeval's default scheme (github.com/chakki-works/seqeval): `B-` and `S-` open
one, and so does `I-` or `E-` after another type, after `O`, or after an end.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Array, Float32, Int32, Tensors
from ernie_triton.decoders.labels import check_label_count, softmax
from ernie_triton.decoders.window_merging import merge_windows, windows_by_text
from ernie_triton.errors import LabelCountError
from ernie_triton.settings import StageSettings
from ernie_triton.tasks import TOKEN_CLS, WINDOW_TENSORS

OUTSIDE = "O"
_OPENING, _CLOSING = "BS", "ES"
_SAME = {"M": "I", "L": "E", "U": "S"}
_SCHEMES = (
    re.compile(r"(?P<prefix>[BIESMLU])-(?P<kind>.+)"),
    re.compile(r"(?P<kind>.+)-(?P<prefix>[BIESMLU])"),
    re.compile(r"(?P<prefix>[BIESMLU])(?P<kind>)"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPart:
    """A label as `O`, or as `B`, `I`, `E` or `S` of a type."""

    prefix: str
    kind: str


_OUTSIDE = LabelPart(prefix=OUTSIDE, kind="")


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySettings(StageSettings):
    """The postprocess stage's parameters; `per_token` adds the result `tokens`."""

    task: str
    labels: int
    per_token: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One decision: characters `first` to `end` (excluded) of the text, its label, its score."""

    first: int
    end: int
    label: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySpan:
    """Characters `first` to `end` (excluded), the type, the mean probability of its words."""

    first: int
    end: int
    label: str
    score: float


class EntityDecoder:
    """Find the entities of each text of a request."""

    def __init__(self, parameters: Mapping[str, str], labels: Sequence[str]) -> None:
        """Keep the label names and recognise their scheme.

        Raises:
            LabelCountError: they are not one for each score of the engine.
        """
        settings = EntitySettings.from_parameters(parameters)
        check_label_count(labels, settings.labels, "the engine")
        self._per_token = settings.per_token
        self._labels = labels
        self._parts = label_parts(self._labels)
        self.inputs = (
            *(tensor.name for tensor in TOKEN_CLS.engine_outputs),
            *(tensor.name for tensor in WINDOW_TENSORS),
        )

    def read(self, tensors: Tensors) -> Tensors:
        """Check one request's scores.

        Raises:
            LabelCountError: they are not one for each label.
        """
        if tensors["logits"].shape[-1] != len(self._labels):
            raise LabelCountError(
                f"the engine returns {tensors['logits'].shape[-1]} scores a token but there are "
                f"{len(self._labels)} label names; rebuild the pipeline"
            )
        return tensors

    def run(self, items: Sequence[Tensors]) -> list[dict[str, Array]]:
        """The entities of each request's texts, as JSON."""
        return [self._answer(tensors) for tensors in items]

    def _answer(self, tensors: Tensors) -> dict[str, Array]:
        found, tokens = [], []
        for text, windows in windows_by_text(tensors, ("logits",)):
            words = decode_words(*merge_windows(windows, "logits"), self._labels)
            entities = entities_of_words(words, self._parts)
            found.append(_json([_record(text, entity, "entity") for entity in entities]))
            tokens.append(_json([_record(text, word, "token") for word in words]))
        # [rows] rather than the [rows, 1] of its dims: PaddleNLP's client decodes each element.
        answer: dict[str, Array] = {"OUTPUT": np.array(found, np.object_)}
        if self._per_token:
            answer["tokens"] = np.array(tokens, np.object_)[:, None]
        return answer


def decode_words(logits: Float32, spans: Int32, labels: Sequence[str]) -> list[Word]:
    """One decision for each word, from its first piece, as models are trained.

    A piece that stands for no character, as SentencePiece puts before a word, is none.

    Args:
        logits: float32 [tokens, labels], without special tokens.
        spans: int32 [tokens, 3].
        labels: names in the order of the last dimension.
    """
    if not len(logits):
        return []
    starts = np.flatnonzero(spans[:, 2])
    if not len(starts) or starts[0]:
        starts = np.concatenate([[0], starts])
    scores = softmax(logits[starts])
    best = scores.argmax(axis=-1)
    ends = [*starts[1:], len(spans)]
    return [
        Word(
            first=int(spans[start, 0]),
            end=int(spans[end - 1, 1]),
            label=labels[label],
            score=float(scores[place, label]),
        )
        for place, (start, end, label) in enumerate(zip(starts, ends, best, strict=True))
        if spans[start, 0] < spans[end - 1, 1]
    ]


def entities_of_words(words: Sequence[Word], parts: Mapping[str, LabelPart]) -> list[EntitySpan]:
    """The entities in the words' labels, in order; `parts` come from `label_parts`."""
    entities: list[EntitySpan] = []
    members: list[Word] = []
    kind = previous = ""

    def close() -> None:
        if members:
            score = sum(word.score for word in members) / len(members)
            entities.append(
                EntitySpan(first=members[0].first, end=members[-1].end, label=kind, score=score)
            )
            members.clear()

    for word in words:
        prefix, label = parts[word.label].prefix, parts[word.label].kind
        opens = prefix in _OPENING or previous in _CLOSING or not members or label != kind
        if prefix == OUTSIDE or opens:
            close()
        if prefix != OUTSIDE:
            members.append(word)
        kind, previous = label, prefix
    close()
    return entities


def label_parts(labels: Sequence[str]) -> dict[str, LabelPart]:
    """Prefix and type of each label, by the scheme that fits all labels.

    `B-LOC` (also `LOC-B`), with the prefixes of BIO, BIOES, BMES and BILOU; bare prefixes, for
    entities without types; otherwise plain types, whose neighbours of one type are one entity.
    """
    named = [label for label in labels if label != OUTSIDE]
    for pattern in _SCHEMES:
        matches = {label: pattern.fullmatch(label) for label in named}
        if named and all(matches.values()):
            return {OUTSIDE: _OUTSIDE} | {
                label: LabelPart(prefix=_SAME.get(m["prefix"], m["prefix"]), kind=m["kind"])
                for label, m in matches.items()
                if m is not None
            }
    return {OUTSIDE: _OUTSIDE} | {label: LabelPart(prefix="I", kind=label) for label in named}


def _record(text: str, found: Word | EntitySpan, name: str) -> dict[str, object]:
    return {
        "pos": [found.first, found.end - 1],
        name: text[found.first : found.end],
        "label": found.label,
        "score": round(found.score, 6),
    }


def _json(records: list[dict[str, object]]) -> bytes:
    return json.dumps(records, ensure_ascii=False).encode("utf-8")
