"""Score texts with the fused graph in ONNX Runtime; every peer has one."""

from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import BertWordPieceTokenizer

_LONGEST = 512


class OnnxScorer:
    """A tokenizer of Hugging Face and a session with every core."""

    def __init__(self, folder: str) -> None:
        path = Path(folder)
        self._tokenizer = BertWordPieceTokenizer(str(path / "vocab.txt"), lowercase=True)
        self._tokenizer.enable_truncation(_LONGEST)
        self._tokenizer.enable_padding()
        self._session = onnxruntime.InferenceSession(
            path / "fused.onnx", providers=["CPUExecutionProvider"]
        )

    def scores(self, texts: list[str]) -> list[list[float]]:
        """The probabilities of each text's labels, padded to the longest text."""
        encodings = self._tokenizer.encode_batch(texts)
        feed = {
            "input_ids": np.array([one.ids for one in encodings], np.int64),
            "attention_mask": np.array([one.attention_mask for one in encodings], np.int64),
            "token_type_ids": np.array([one.type_ids for one in encodings], np.int64),
        }
        (logits,) = self._session.run(None, feed)
        exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
        found: list[list[float]] = (exponents / exponents.sum(axis=-1, keepdims=True)).tolist()
        return found
