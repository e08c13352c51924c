"""The training libraries, imported when they are needed and with a clear word when they lack."""

import sys
from collections.abc import Callable

from ernie_triton.errors import MissingExtraError


def require_training_libraries() -> None:
    """Check that PyTorch and transformers can be imported, and silence transformers' own bars.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    try:
        import torch  # noqa: F401
        import transformers
    except ImportError as error:
        raise MissingExtraError(str(error.name), "train", "training") from error
    if not sys.stderr.isatty():
        silence: Callable[[], None] = transformers.utils.logging.disable_progress_bar
        silence()
