"""What a build made, as data, kept beside the ensemble as JSON; `summary` tells it to people."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.build.check.quality import Quality
from ernie_triton.server.plans import PlanFacts

MANIFEST_FILE = "manifest.json"
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """Where the weights came from; `files` are SHA-256 by file name."""

    kind: str
    path: str
    files: dict[str, str]
    unrecognised: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """The size of the model; zeros where its graph was served as it came.

    `kind` is that of a student without layers, `bow` or `cnn`, of word vectors as wide as `hidden`;
    it is empty for an encoder.
    """

    layers: int
    hidden: int
    heads: tuple[int, ...]
    feed_forward: tuple[int, ...]
    parameters: int
    vocabulary_size: int
    labels: tuple[str, ...]
    max_positions: int
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """The engine that was made.

    Attributes:
        engine: the runtime.
        engine_version: of its package at the build; empty for TensorRT, whose plan has its own.
        precision: what it computes in.
        layout: of its inputs.
        graph_nodes: nodes of the ONNX graph that it was made of.
        opset: of that graph.
        size_bytes: of its files together.
        fp32_size_bytes: of the same model as an FP32 graph.
        files: SHA-256 by file name.
    """

    engine: str
    engine_version: str
    precision: str
    layout: str
    graph_nodes: int
    opset: int
    size_bytes: int
    fp32_size_bytes: int
    files: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exactness:
    """How the engine's outputs compare with the source's on sample texts.

    `largest_difference` is the maximum of the absolute differences of logits, `same_decisions` the
    number of texts whose likeliest label is the same. `tolerance` is None for no limit: INT8 is
    judged by `Quality`.
    """

    reference: str
    texts: int
    largest_difference: float
    tolerance: float | None
    same_decisions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Texts per second of the engine alone on the sample texts, on the machine of the build.

    `ratio_to_fp32` is the median over runs in turn with the FP32 engine; None where there was none.
    """

    texts_per_s: float
    batch: int
    mean_tokens: float
    threads: int
    processor: str
    ratio_to_fp32: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationFacts:
    """How an INT8 engine was made.

    Attributes:
        calibrator: how ranges of activations were chosen.
        calibration: the file of calibration texts; empty for the sample texts.
        calibration_texts: how many.
        layers: linear layers and tables in INT8.
        kept: the others, with the noise that each alone would bring to the outputs, as a share of
            their deviation.
        rest: what is computed in where not in INT8.
    """

    calibrator: str
    calibration: str
    calibration_texts: int
    layers: int
    kept: Mapping[str, float]
    rest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One build.

    Attributes:
        quality: what the conversion costs; None where nothing was converted or measured.
        quantization: None unless INT8.
        speed: None where the engine is for a GPU.
        plan: of TensorRT; None where there is none yet.
    """

    name: str
    version: int
    task: str
    pair: bool
    max_length: int
    max_batch_size: int
    ernie_triton: str
    built_at: str
    source: SourceFacts
    model: ModelFacts
    engine: EngineFacts
    exactness: Exactness
    speed: Speed | None
    quality: Quality | None = None
    quantization: QuantizationFacts | None = None
    plan: PlanFacts | None = None

    def to_json(self) -> str:
        """The manifest as indented JSON."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=2) + "\n"


def file_hashes(files: list[Path]) -> dict[str, str]:
    """SHA-256 of each file, by name."""
    hashes = {}
    for path in files:
        with path.open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(_MIB):
                digest.update(block)
        hashes[path.name] = digest.hexdigest()
    return hashes
