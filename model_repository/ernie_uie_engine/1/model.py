"""The engine stage: rows of token ids to the model's outputs."""

from ernie_triton.backends.engine import TritonPythonModel

__all__ = ["TritonPythonModel"]
