"""Read tritonserver's log: the reason of a failure, in one line."""

import re
from collections.abc import Iterable

# tritonserver logs `E1121 22:35:10.522523 2784 server.cc:241] "text"`; the stages print plainly.
_LOG_LINE = re.compile(r'^[EWI]\d{4} [\d:.]+ \d+ [\w.]+:\d+\] "?(?P<text>.*?)"?$', re.DOTALL)
_ERROR_LINE = re.compile(r"^E\d{4} |^error: ")
_FAILED_MODEL = re.compile(
    r"(failed to load '(?P<loaded>[^']+)' version \d+"
    r"|failed to (?:poll|load) model '(?P<named>[^']+)'"
    r"|Poll failed for model directory '(?P<found>[^']+)'): (?P<reason>.+)"
)
_FAILED_START = re.compile(
    r"^error: (creating server: )?(?P<reason>.+)|(?P<service>failed to start .+)"
)
_WRAPPING = re.compile(r"^(Internal|Invalid argument|Unavailable): (TritonModelException: )?")


def is_error(line: str) -> bool:
    """Return True when a line of the log reports an error, not that there is no GPU."""
    return bool(_ERROR_LINE.match(line)) and "unable to create stream for" not in line


def failure_reason(log: Iterable[str]) -> str:
    """Name the models that could not be loaded, or else the first error."""
    lines = [match["text"] if (match := _LOG_LINE.match(line)) else line for line in log]
    failed = {}
    for text in lines:
        if match := _FAILED_MODEL.search(text):
            model = match["loaded"] or match["named"] or match["found"]
            failed[model] = _reason(match["reason"])
    if failed:
        return "; ".join(f"model {model}: {reason}" for model, reason in failed.items())
    for line in lines:
        if match := _FAILED_START.search(line):
            return (match["reason"] or match["service"]).strip()
    return lines[-1] if lines else "it printed nothing"


def _reason(text: str) -> str:
    """The message of a stage's exception, without Triton's wrapping and the traceback's places."""
    return _WRAPPING.sub("", text.split("\\n\\nAt:")[0].split("\n\nAt:")[0])
