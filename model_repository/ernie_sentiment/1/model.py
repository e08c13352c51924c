"""The three stages in one: texts to answers."""

from ernie_triton.backends.joined import TritonPythonModel

__all__ = ["TritonPythonModel"]
