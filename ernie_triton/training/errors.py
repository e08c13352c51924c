"""What can go wrong in training that the user can mend."""

from ernie_triton.errors import ErnieTritonError


class TrainingError(ErnieTritonError):
    """A training cannot be started, resumed or finished as asked."""
