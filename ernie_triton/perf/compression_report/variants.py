"""List and build the variants of the report: a checkpoint in one precision, as a pipeline."""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.build.flow import build_pipeline
from ernie_triton.build.progress import StepReporter
from ernie_triton.build.publish.manifest import Manifest
from ernie_triton.errors import ExactnessError
from ernie_triton.pipeline import PipelineSpec, load_pipeline
from ernie_triton.training.compression.int8.pipelines import CPU_PIPELINE
from ernie_triton.training.compression.steps import ORIGINAL

if TYPE_CHECKING:
    from ernie_triton.training.compression.compress import Compression
    from ernie_triton.training.compression.steps import CompressionStep
    from ernie_triton.training.datasets import DataSet

_ENGINES = {"fp16": "onnxruntime"}
_TOLERANCES = {"bf16": 1.0, "fp16": 1.0}
"""Largest difference of a logit; the table states the difference and its cost in points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One line of the report.

    Attributes:
        model: name of its checkpoint (`original`, `pruned`, …).
        checkpoint: folder of the checkpoint; for INT8 the one that `quantize` wrote.
        precision: of the engine.
        engine: the runtime; empty for the precision's default.
    """

    model: str
    checkpoint: Path
    precision: str
    engine: str = ""

    @property
    def name(self) -> str:
        """Name in tables and plots: `pruned INT8`."""
        return f"{self.model} {self.precision.upper()}"

    @property
    def pipeline(self) -> str:
        """Name of its ensemble."""
        return re.sub(r"[^a-z0-9]+", "_", self.name.lower())

    def spec(self, data: "DataSet", repository: Path, max_length: int) -> PipelineSpec:
        """Describe the pipeline to build; an INT8 checkpoint holds its own description.

        Raises:
            PipelineError: the INT8 checkpoint has no `pipeline.toml`, or a broken one.
        """
        if self.precision == "int8":
            made = load_pipeline(self.checkpoint / CPU_PIPELINE)
            return dataclasses.replace(made, repository=repository, name=self.pipeline)
        return PipelineSpec(
            checkpoint=self.checkpoint,
            task=data.task,
            repository=repository,
            name=self.pipeline,
            pair=data.pair,
            max_length=max_length,
            precision=self.precision,
            engine=self.engine or _ENGINES.get(self.precision, "openvino"),
            tolerance=_TOLERANCES.get(self.precision, 0.0),
        )


def variants_of(
    work: "Compression", steps: Sequence["CompressionStep"], precisions: Sequence[str]
) -> list[Variant]:
    """List the original in its precisions, and the result of each step."""
    variants = [
        Variant(model=ORIGINAL, checkpoint=work.checkpoint, precision=precision)
        for precision in dict.fromkeys(("fp32", *precisions))
    ]
    for step in steps:
        variant = Variant(
            model=step.model,
            checkpoint=work.folder(step.name),
            precision="int8" if step.kind == "quantize" else "fp32",
        )
        if step.kind == "slim":
            variant = dataclasses.replace(variant, engine="onnxruntime")
        variants.append(variant)
    return variants


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A variant in the repository, with the manifest of its build."""

    variant: Variant
    manifest: Manifest


def build_variant(
    variant: Variant, data: "DataSet", repository: Path, max_length: int, step: StepReporter
) -> Built:
    """Build a variant; the build checks exactness and loss.

    Raises:
        ExactnessError: a check fails; the message names the variant.
        ErnieTritonError: the variant cannot be built.
    """
    try:
        made = build_pipeline(variant.spec(data, repository, max_length), step)
    except ExactnessError as error:
        raise ExactnessError(f"{variant.name} ({variant.checkpoint}): {error}") from error
    return Built(variant=variant, manifest=made)
