"""The postprocess stage: the model's outputs to answers."""

from ernie_triton.backends.postprocess import TritonPythonModel

__all__ = ["TritonPythonModel"]
