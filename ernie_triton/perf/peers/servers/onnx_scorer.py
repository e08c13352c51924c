"""Answer rows of texts with the fused graph in ONNX Runtime; every peer has one.

A row is one text or two. The answer is the probabilities of its labels, or, for a model that labels
tokens, the number of each token's label. A longer text is read in overlapping windows; the first
half of an overlap comes from the earlier window, the second from the later one.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import BertWordPieceTokenizer

_TOKENS = "token_cls"


class OnnxScorer:
    """A tokenizer of Hugging Face and a session with every core."""

    def __init__(self, folder: str) -> None:
        path = Path(folder)
        work = json.loads((path / "work.json").read_text(encoding="utf-8"))
        self._overlap = int(work["overlap"])
        self._of_tokens = work["task"] == _TOKENS
        self._tokenizer = BertWordPieceTokenizer(str(path / "vocab.txt"), lowercase=True)
        stride = self._overlap if self._of_tokens else 0
        self._tokenizer.enable_truncation(int(work["longest"]), stride=stride)
        self._tokenizer.enable_padding()
        self._session = onnxruntime.InferenceSession(
            path / "fused.onnx", providers=["CPUExecutionProvider"]
        )

    def answers(self, rows: Sequence[Sequence[str]]) -> list[list[float]]:
        """The answer to each row; all are one batch, padded to its longest."""
        encodings = self._tokenizer.encode_batch(
            [tuple(row) if len(row) > 1 else row[0] for row in rows]
        )
        if not self._of_tokens:
            return self._probabilities(self._logits(encodings))
        windows = [[one, *one.overflowing] for one in encodings]
        logits = self._logits([window for row in windows for window in row])
        labels, answers = logits.argmax(axis=-1), []
        for row in windows:
            answers.append(self._merged([one.attention_mask for one in row], labels[: len(row)]))
            labels = labels[len(row) :]
        return answers

    def _logits(self, encodings: Sequence[Any]) -> Any:  # noqa: ANN401
        longest = max(sum(one.attention_mask) for one in encodings)
        feed = {
            name: np.array([getattr(one, field)[:longest] for one in encodings], np.int64)
            for name, field in (
                ("input_ids", "ids"),
                ("attention_mask", "attention_mask"),
                ("token_type_ids", "type_ids"),
            )
        }
        (logits,) = self._session.run(None, feed)
        return logits

    def _probabilities(self, logits: Any) -> list[list[float]]:  # noqa: ANN401
        exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
        found: list[list[float]] = (exponents / exponents.sum(axis=-1, keepdims=True)).tolist()
        return found

    def _merged(self, masks: Sequence[Sequence[int]], labels: Any) -> list[float]:  # noqa: ANN401
        """One label of each token, without special tokens."""
        answer: list[float] = []
        for place, mask in enumerate(masks):
            begin = (self._overlap + 1) // 2 if place else 0
            later = place + 1 < len(masks)
            end = sum(mask) - 2 - (self._overlap // 2 if later else 0)
            answer += labels[place][1 + begin : 1 + end].tolist()
        return answer
