"""The tokenizer stage: texts to rows of token ids."""

from ernie_triton.backends.tokenizer import TritonPythonModel

__all__ = ["TritonPythonModel"]
