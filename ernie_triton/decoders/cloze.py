"""Cloze: the likeliest tokens in the place of each mask of a text, as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Array, Float32, Tensors
from ernie_triton.decoders.labels import softmax
from ernie_triton.settings import StageSettings
from ernie_triton.tasks import ASKED, CLOZE, QUERY_ROW

_LOGITS = CLOZE.engine_outputs[0].name


@dataclass(frozen=True, slots=True, kw_only=True)
class ClozeSettings(StageSettings):
    """The postprocess stage's parameters; `rules` are those of the tokenizer."""

    task: str
    rules: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedTexts:
    """The masks of one request.

    Attributes:
        logits: float32 [masks, vocabulary], the masks of a text one after another.
        text: for each mask, its text's place in the request.
        asked: for each mask, how many of the best tokens, and of which ids alone; None for all.
    """

    logits: Float32
    text: list[int]
    asked: list[tuple[int, list[int] | None]]


class ClozeDecoder:
    """Names the tokens for each mask of a batch of requests."""

    inputs = (_LOGITS, QUERY_ROW.name, ASKED.name)

    def __init__(self, parameters: Mapping[str, str], labels: Sequence[str]) -> None:
        """Keep the tokens, by id.

        Raises:
            PipelineError: a parameter is missing or unknown.
        """
        ClozeSettings.from_parameters(parameters)
        self._tokens = labels

    def read(self, tensors: Tensors) -> MaskedTexts:
        """Take the logits, and what is asked of each mask."""
        asked = [json.loads(bytes(cell)) for cell in tensors[ASKED.name].ravel()]
        return MaskedTexts(
            logits=tensors[_LOGITS],
            text=tensors[QUERY_ROW.name].ravel().tolist(),
            asked=[(one["top_k"], one["candidates"]) for one in asked],
        )

    def run(self, items: Sequence[MaskedTexts]) -> list[dict[str, Array]]:
        """Give each text its masks in order, and each mask its tokens, the likeliest first.

        Probabilities are those among the whole vocabulary, with candidates too.
        """
        answers: list[dict[str, Array]] = []
        for item in items:
            texts: list[list[object]] = [[] for _ in range(item.text[-1] + 1)]
            for text, (count, ids), row in zip(
                item.text, item.asked, softmax(item.logits), strict=True
            ):
                texts[text].append(self._best(row, count, ids))
            cells = [json.dumps(masks, ensure_ascii=False).encode("utf-8") for masks in texts]
            answers.append({CLOZE.results[0].name: np.array(cells, np.object_)[:, None]})
        return answers

    def _best(self, row: Float32, count: int, ids: list[int] | None) -> list[dict[str, object]]:
        """The best tokens of a row of probabilities; of equals the lowest id."""
        known = np.arange(len(row)) if ids is None else np.unique(np.array(ids, np.int64))
        values = row[known]
        if count < len(known):
            least = np.partition(values, -count)[-count]
            known, values = known[values >= least], values[values >= least]
        best = known[np.argsort(-values, kind="stable")[:count]]
        return [
            {"token": self._name(index), "token_id": index, "probability": float(row[index])}
            for index in best.tolist()
        ]

    def _name(self, index: int) -> str:
        """The token of an id; empty for a row of the model's table without one."""
        return self._tokens[index] if index < len(self._tokens) else ""
