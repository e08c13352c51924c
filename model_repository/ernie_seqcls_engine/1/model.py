"""The engine stage: rows of token ids to the model's outputs. See `ernie_triton.backends.engine`."""

from ernie_triton.backends.engine import TritonPythonModel

__all__ = ["TritonPythonModel"]
