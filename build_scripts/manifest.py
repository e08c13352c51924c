"""What a build made, as data: printed as the summary and kept beside the ensemble as JSON."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

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
    """The size of the model; zeros where its graph was served as it came."""

    layers: int
    hidden: int
    heads: tuple[int, ...]
    feed_forward: tuple[int, ...]
    parameters: int
    vocabulary_size: int
    labels: tuple[str, ...]
    max_positions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """The engine that was made; `files` are SHA-256 by file name, `size_bytes` their sum."""

    engine: str
    engine_version: str
    precision: str
    layout: str
    graph_nodes: int
    opset: int
    size_bytes: int
    files: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exactness:
    """How the engine's outputs compare with the source's on sample texts.

    `largest_difference` is the maximum of the absolute differences of logits, `same_decisions` the
    number of texts whose likeliest label is the same.
    """

    reference: str
    texts: int
    largest_difference: float
    tolerance: float
    same_decisions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Texts per second of the engine alone on the sample texts, on the machine of the build."""

    texts_per_s: float
    batch: int
    mean_tokens: float
    threads: int
    processor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One build."""

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
    speed: Speed

    def to_json(self) -> str:
        """The manifest as indented JSON."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=2) + "\n"

    def summary(self) -> str:
        """The manifest for people, one fact a line."""
        source, model, engine, exact = self.source, self.model, self.engine, self.exactness
        heads = _one_or_range(model.heads)
        feed_forward = _one_or_range(model.feed_forward)
        shape = (
            f"{model.layers} layers x {model.hidden}, {heads} heads, feed-forward {feed_forward}, "
            f"{model.parameters:,} parameters"
            if model.layers
            else f"served as it came, padded: {source.unrecognised}"
        )
        lines = {
            "pipeline": f"{self.name} version {self.version} ({self.task}"
            f"{', pairs' if self.pair else ''}"
            f"{f', {len(model.labels)} labels' if model.labels else ''}, "
            f"up to {self.max_length} tokens, batches up to {self.max_batch_size})",
            "source": f"{source.kind}, {source.path}",
            "model": shape,
            "graph": f"{engine.graph_nodes} nodes, opset {engine.opset}, {engine.layout}",
            "engine": f"{engine.engine} {engine.engine_version}, {engine.precision}, "
            f"{engine.size_bytes / _MIB:.1f} MiB",
            "exactness": f"largest difference {exact.largest_difference:.1e} (allowed "
            f"{exact.tolerance:.0e}), {exact.same_decisions} of {exact.texts} decisions the same, "
            f"against {exact.reference}",
            "speed": f"{self.speed.texts_per_s:,.0f} texts/s of the engine alone, batch "
            f"{self.speed.batch}, mean {self.speed.mean_tokens:.0f} tokens, "
            f"{self.speed.threads} threads of {self.speed.processor}",
        }
        return "\n".join(f"{key:<10}{value}" for key, value in lines.items())


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


def _one_or_range(values: tuple[int, ...]) -> str:
    if not values:
        return "no"
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"
