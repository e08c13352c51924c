"""Settings of the log, as they pass from the command that starts a server to its stages.

The stages of a server are processes of their own. They get these settings as environment variables.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ernie_triton.errors import UsageError

LOG_FORMATS = ("text", "json")
LOGGED_REQUESTS = ("none", "failed", "all")

_FORMAT = "ERNIE_TRITON_LOG_FORMAT"
_REQUESTS = "ERNIE_TRITON_LOG_REQUESTS"
_TEXTS = "ERNIE_TRITON_LOG_TEXTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Form and content of the log.

    Attributes:
        form: `json`, one object a line, or `text`, lines of `name=value`.
        requests: requests that get a line: `none`, `failed` (refused ones too) or `all`.
        texts: whether the lines of requests hold the requests' texts.
    """

    form: str = "text"
    requests: str = "none"
    texts: bool = False

    def __post_init__(self) -> None:
        _check(_FORMAT, self.form, LOG_FORMATS)
        _check(_REQUESTS, self.requests, LOGGED_REQUESTS)

    def to_environment(self) -> dict[str, str]:
        """The settings as environment variables."""
        return {_FORMAT: self.form, _REQUESTS: self.requests, _TEXTS: "1" if self.texts else "0"}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "LogSettings":
        """Read the variables; one that is missing or empty has its default.

        The default of `requests` is `all` in JSON, and `none` in text.

        Raises:
            UsageError: a variable has another value than those allowed.
        """
        form = environment.get(_FORMAT) or "text"
        texts = environment.get(_TEXTS) or "0"
        _check(_TEXTS, texts, ("0", "1"))
        return cls(
            form=form,
            requests=environment.get(_REQUESTS) or default_requests(form),
            texts=texts == "1",
        )


def default_requests(form: str) -> str:
    """The requests that a log of this form tells of, unless somebody says."""
    return "all" if form == "json" else "none"


def _check(variable: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{variable} is {value!r}; expected one of {', '.join(allowed)}")
