"""What can go wrong in a way that the user can mend."""

from ernie_triton.errors import ErnieTritonError


class SampleError(ErnieTritonError):
    """A sample cannot be made or read; the message says what was found and how to mend it."""


class GrammarError(SampleError):
    """A grammar file is malformed, or names a slot that no file defines."""


class DataError(SampleError):
    """A data, vocabulary or checkpoint file is missing or not of its format."""
