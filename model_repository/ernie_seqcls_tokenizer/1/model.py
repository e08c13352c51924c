"""The tokenizer stage: texts to rows of token ids. See `ernie_triton.backends.tokenizer`."""

from ernie_triton.backends.tokenizer import TritonPythonModel

__all__ = ["TritonPythonModel"]
