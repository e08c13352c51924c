"""The postprocess stage: the model's outputs to answers. See `ernie_triton.backends.postprocess`."""

from ernie_triton.backends.postprocess import TritonPythonModel

__all__ = ["TritonPythonModel"]
