"""All errors that this project raises on purpose, as one tree under `ErnieTritonError`.

A message says what was found, what was expected and what to do. Any other exception that escapes is
a bug and keeps its traceback.
"""


class ErnieTritonError(Exception):
    """Base of every error that the user can mend."""


class MissingExtraError(ErnieTritonError, ModuleNotFoundError):
    """A package of an optional extra is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed; "
            f"run: pip install 'ernie-triton[{extra}]'",
            name=package,
        )


class UsageError(ErnieTritonError):
    """Options of a command line contradict each other."""


class PipelineError(ErnieTritonError):
    """A pipeline's description, or the parameters of one of its stages, contradict the contract."""


class CheckpointError(ErnieTritonError):
    """A checkpoint is missing, damaged, or of another kind than expected."""


class UnsafePickleError(CheckpointError):
    """A pickled checkpoint asks for anything but NumPy arrays; nothing of it was run."""


class UnrecognisedGraphError(CheckpointError):
    """An ONNX graph is not an encoder that the canonical graph can express."""


class VocabularyError(ErnieTritonError):
    """A vocabulary is damaged or does not belong to the model."""


class LabelCountError(ErnieTritonError):
    """The number of label names differs from the number of scores."""


class TextError(ErnieTritonError):
    """One text of a request cannot be read."""


class SchemaError(ErnieTritonError):
    """A request's schema cannot be read, or asks for more than is allowed."""


class TextFileError(ErnieTritonError):
    """A text file cannot be read, or its encoding is not certain."""


class EngineError(ErnieTritonError):
    """An engine cannot be loaded or run as asked."""


class NotFiniteError(ErnieTritonError):
    """The engine's outputs for a text are not numbers: NaN or infinite. No fault of the request."""


class OtherTaskError(CheckpointError):
    """A checkpoint was trained for another task than it is to be built for."""


class ExactnessError(ErnieTritonError):
    """A built engine does not answer as its source does."""


class PrecisionError(ErnieTritonError):
    """The numbers of a model are out of a precision's range."""


class RepositoryError(ErnieTritonError):
    """A model repository cannot take, or does not hold, what was asked for."""


class ServerError(ErnieTritonError):
    """The embedded server did not start, or stopped by itself."""


class ClientError(ErnieTritonError):
    """A request got no answer; the subclasses say why.

    Attributes:
        request_id: the request's id, as the server's log has it; empty if no server has seen it.
    """

    request_id: str = ""

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} (request {self.request_id})" if self.request_id else message


class ServerUnavailableError(ClientError):
    """Nothing answers at the URL, or the connection broke. Safe to retry."""


class StageFailedError(ServerUnavailableError):
    """The process of a stage ended with the request in it. Safe to retry, but not often."""


class ModelNotReadyError(ClientError):
    """The server has no model of this name and version, or it is not ready."""


class ModelAwayError(ModelNotReadyError):
    """The server starts, stops or reloads this model. Safe to retry."""


class QueueFullError(ClientError):
    """The server refused the request because its queue is full. Safe to retry later."""


class RequestRefusedError(ClientError):
    """The server refused this request because of a text, a shape or its batch size."""


class DeadlineExceededError(ClientError):
    """No answer came within the timeout."""


class ContractError(ClientError):
    """The model's tensors are not those of the task, or the URL is not a Triton server's."""


class DatasetError(ErnieTritonError):
    """A file of texts or of labelled examples is missing or not in its format."""


class TrainingError(ErnieTritonError):
    """A training cannot be started, resumed or finished as asked."""


class SubwordsError(ErnieTritonError):
    """A vocabulary cannot be shortened, or the texts do not make it worth while."""


class ScenarioError(ErnieTritonError):
    """A scenario of a measurement says something that cannot be run."""


class AnalyzerError(ErnieTritonError):
    """perf_analyzer is missing, failed, or wrote what cannot be read."""


class WrongAnswerError(ErnieTritonError):
    """A server under load gave a text another answer than the text gets alone."""


class GpuError(ErnieTritonError):
    """There is no NVIDIA GPU that can be used, or its driver is too old."""


class NoGpuError(GpuError):
    """There is none, or no driver for it."""


class PlanError(ErnieTritonError):
    """A TensorRT plan cannot be built, is damaged, or does not fit the server or its GPU."""
