"""Figures of one step of compression, as `compression.json` holds them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

REPORT_FILE = "compression.json"
_BYTES_PER_WEIGHT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFigures:
    """Figures of a model.

    Attributes:
        parameters: number of weights.
        size_bytes: bytes of the weights in float32.
        layers: layers of the encoder.
        points: the task's metric on the development set, 0 to 100; None without data.
    """

    parameters: int
    size_bytes: int
    layers: int
    points: float | None


def model_figures(model: "PreTrainedModel", points: float | None) -> ModelFigures:
    """Return the figures of a Transformer."""
    return module_figures(model, int(model.config.num_hidden_layers), points)


def module_figures(module: "nn.Module", layers: int, points: float | None) -> ModelFigures:
    """Return the figures of any module."""
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return ModelFigures(
        parameters=parameters,
        size_bytes=_BYTES_PER_WEIGHT * parameters,
        layers=layers,
        points=points,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """Report of one step.

    Attributes:
        step: name of its command.
        metric: name of the metric; empty without data.
        before: the original model.
        after: the compressed model.
        seconds: duration of each part of the work.
        settings: all settings that decide the result.
    """

    step: str
    metric: str
    before: ModelFigures
    after: ModelFigures
    seconds: Mapping[str, float]
    settings: Mapping[str, Any]

    def as_bytes(self) -> bytes:
        """Return the content of the file beside the weights."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=2)
        return f"{text}\n".encode()

    def lines(self) -> str:
        """Format a table of before and after."""
        rows = [("", "before", "after")]
        if self.before.points is not None and self.after.points is not None:
            rows.append((self.metric, f"{self.before.points:.2f}", f"{self.after.points:.2f}"))
        rows += [
            ("parameters", f"{self.before.parameters:,}", f"{self.after.parameters:,}"),
            ("MB in float32", _megabytes(self.before), _megabytes(self.after)),
            ("layers", str(self.before.layers), str(self.after.layers)),
        ]
        wide = max(len(name) for name, _, _ in rows) + 2
        table = "\n".join(f"{name:<{wide}}{first:>12}{then:>12}" for name, first, then in rows)
        took = ", ".join(f"{name} {value:.1f} s" for name, value in self.seconds.items())
        return f"{table}\n{took}"


def _megabytes(model: ModelFigures) -> str:
    return f"{model.size_bytes / 1e6:.1f}"
