"""Settings of the stages as string `parameters` of their Triton configurations, and those files."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, get_type_hints

from ernie_triton.errors import PipelineError

CONFIG_FILE = "config.pbtxt"
EMBEDDED_CONFIG_NAME = "embedded"
"""Value of Triton's `--model-config-name`; models that have `EMBEDDED_CONFIG_FILE` use it then."""
EMBEDDED_CONFIG_FILE = f"configs/{EMBEDDED_CONFIG_NAME}.pbtxt"

CLIENT_KEY_NAME = "ernie-key"
CLIENT_KEY_HEADER = f"triton-grpc-protocol-{CLIENT_KEY_NAME}"
"""The header of a client's key over gRPC, where the server wants one."""

PROMPTS = "prompts"
"""The parameter of a model of vectors with its prompts: a JSON object of texts by name."""

DEFAULT_TEXT_BYTES = 1 << 20
"""Most bytes of one text where a pipeline names no other limit."""

_Described = TypeVar("_Described")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSettings:
    """Settings of a stage, as the `parameters` of its configuration.

    A subclass declares the fields; each is one string parameter of the same name. A field at its
    default value is left out, so that configurations of older builds can be read too.
    """

    _readers: ClassVar[Mapping[Any, Any]] = {
        str: str,
        int: int,
        float: float,
        bool: lambda text: {"true": True, "false": False}[text],
        tuple[float, ...]: lambda text: tuple(float(part) for part in text.split(",") if part),
    }

    def to_parameters(self) -> dict[str, str]:
        """The settings as Triton's string parameters."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        defaults = _defaults(type(self))
        return {
            name: _parameter(value)
            for name, value in values.items()
            if name not in defaults or value != defaults[name]
        }

    @classmethod
    def from_parameters(cls: type[_Described], parameters: Mapping[str, str]) -> _Described:
        """Read the settings back.

        Raises:
            PipelineError: a parameter is missing, unknown, or not of its type.
        """
        hints = get_type_hints(cls)
        names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
        if not set(names) - set(_defaults(cls)) <= set(parameters) <= set(names):
            raise PipelineError(
                f"the stage has the parameters {sorted(parameters)}; expected {sorted(names)}; "
                f"rebuild the pipeline with this version of ernie-triton"
            )
        values = {}
        for name in parameters:
            try:
                values[name] = StageSettings._readers[hints[name]](parameters[name])
            except (ValueError, KeyError):
                raise PipelineError(
                    f"the stage's parameter {name} is {parameters[name]!r}; "
                    f"expected {getattr(hints[name], '__name__', hints[name])}"
                ) from None
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerSettings(StageSettings):
    """The tokenizer stage's parameters.

    Rows are padded to multiples of `length_bucket` tokens, for engines that the server batches by
    equal shapes; 1 pads to the longest row of a request. With `tokenize_chinese_chars` off, a run
    of ideographs is one word. `prompt` is put before every text; with `lower_texts`, texts are
    converted to lower case first. Texts of more than `max_text_bytes` are refused,
    and requests while `max_waiting` others wait for the engine; 0 is no bound.
    `rules` are a tokenizer's unusual rules, as `TokenRules` writes them. A request may have
    `max_documents` texts in its list, where the task has one, or masks. In the row of one mask the
    others have the id `other_mask`.
    """

    task: str
    pair: bool
    max_length: int
    lower_case: bool
    overlap: int
    max_windows: int
    length_bucket: int = 1
    tokenize_chinese_chars: bool = True
    prompt: str = ""
    lower_texts: bool = False
    max_text_bytes: int = DEFAULT_TEXT_BYTES
    max_waiting: int = 0
    rules: str = ""
    max_documents: int = 0
    other_mask: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings(StageSettings):
    """The engine stage's parameters, with the sizes of the model that its inputs must respect.

    `pair` says whether token types come with the tokens, `tells_taken` whether the tokenizer is
    told which requests the engine has taken. `device` is `gpu` where a runtime is to take one if it
    can: ONNX Runtime from the package `onnxruntime-gpu`, TensorRT from its own.
    """

    task: str
    pair: bool
    engine: str
    precision: str
    layout: str
    threads: int
    max_length: int
    pad_token_id: int
    vocabulary_size: int
    token_types: int
    tells_taken: bool = False
    device: str = "cpu"


def part_parameters(parameters: Mapping[str, str], part: str) -> dict[str, str]:
    """Select one stage's parameters from those of a model that joins the three.

    Args:
        parameters: by names like `engine.threads`.
        part: `tokenizer`, `engine` or `postprocess`.
    """
    prefix = f"{part}."
    return {
        name.removeprefix(prefix): value
        for name, value in parameters.items()
        if name.startswith(prefix)
    }


def _defaults(cls: type[Any]) -> dict[str, object]:
    fields = dataclasses.fields(cls)
    return {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}


def _parameter(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
