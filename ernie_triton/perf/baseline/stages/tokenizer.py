"""Tokenize each request by itself, padded to its longest text: the first stage of the baseline."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer
from tokenizers.models import WordPiece

_MAX_LENGTH = 128


class TritonPythonModel:
    """A model of Triton's Python backend."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the vocabulary beside this file."""
        folder = Path(args["model_repository"]) / args["model_version"]
        vocabulary = WordPiece.read_file(str(folder / "vocab.txt"))
        self._tokenizer = BertWordPieceTokenizer(vocabulary, lowercase=True)
        self._tokenizer.enable_truncation(_MAX_LENGTH)
        self._tokenizer.enable_padding()

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer the requests one by one."""
        responses = []
        for request in requests:
            rows = pb_utils.get_input_tensor_by_name(request, "text").as_numpy()
            encodings = self._tokenizer.encode_batch([row[0].decode("utf-8") for row in rows])
            tensors = {
                "input_ids": [encoding.ids for encoding in encodings],
                "token_type_ids": [encoding.type_ids for encoding in encodings],
            }
            responses.append(
                pb_utils.InferenceResponse(
                    [
                        pb_utils.Tensor(name, np.array(values, dtype=np.int64))
                        for name, values in tensors.items()
                    ]
                )
            )
        return responses
