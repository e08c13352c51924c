"""Errors of the samples, which the user can correct."""

from ernie_triton.errors import ErnieTritonError


class SampleError(ErnieTritonError):
    """Base: a sample cannot be made or read."""


class GrammarError(SampleError):
    """A grammar file is malformed, or names a slot that no file defines."""


class DataError(SampleError):
    """A data, vocabulary or recipe file is missing or malformed, or a size is not possible."""
