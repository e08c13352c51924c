"""The engines against each other and against the graph as exported, in one run.

Every candidate answers the same batches of the same weights, in turn, round after round, so that a
machine whose speed drifts is the same for all; ratios are taken within a round.
"""

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.speed import named_processor
from ernie_triton.build.convert.engine_file import adopt_graph, write_engine
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.model.models import trim_model
from ernie_triton.build.random_models.torch_export import (
    export_with_torch,
    model_from_classifier,
    random_classifier,
)
from ernie_triton.engines import Engine, load_engine, thread_count
from ernie_triton.model_shapes import FAMILY, TOKEN_TYPES, VOCABULARY_SIZE
from ernie_triton.settings import EngineSettings

LABELS = 15
MEAN_TOKENS, DEVIATION_TOKENS = 24, 7
SHORTEST, LONGEST = 8, 60
_BATCHES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to run the model: the graph as exported, or a layout of the canonical one."""

    graph: str
    engine: str
    precision: str

    @property
    def name(self) -> str:
        """As the table calls it."""
        return f"{self.graph} graph, {self.engine} {self.precision}"


BASELINE = Candidate(graph="exported", engine="onnxruntime", precision="fp32")
CANDIDATES = (
    BASELINE,
    *(
        Candidate(graph=layout, engine=engine, precision=precision)
        for engine, precision in (
            ("onnxruntime", "fp32"),
            ("openvino", "fp32"),
            ("openvino", "bf16"),
        )
        for layout in ("padded", "packed")
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One candidate's speed: medians, and the range of its ratio to the baseline by round."""

    candidate: Candidate
    texts_per_s: float
    ratio: float
    lowest_ratio: float
    highest_ratio: float
    largest_difference: float


def title_lengths(count: int, seed: int) -> npt.NDArray[np.int32]:
    """Lengths in tokens like those of news titles: normal, mean 24, deviation 7, from 8 to 60."""
    drawn = np.random.default_rng(seed).normal(MEAN_TOKENS, DEVIATION_TOKENS, count)
    return np.asarray(np.clip(np.rint(drawn), SHORTEST, LONGEST), dtype=np.int32)


def title_batch(rows: int, seed: int) -> TokenBatch:
    """Random tokens of title-like lengths."""
    lengths = title_lengths(rows, seed)
    random = np.random.default_rng(seed)
    ids = random.integers(1, VOCABULARY_SIZE, lengths.sum(), dtype=np.int32)
    return TokenBatch(input_ids=ids, token_type_ids=np.zeros_like(ids), lengths=lengths)


def benchmark_shape(name: str, *, rows: int, rounds: int, threads: int) -> list[Result]:
    """Time every candidate on a shape of the family.

    Args:
        name: a key of `FAMILY`.
        rows: texts in a batch.
        rounds: how often every candidate takes its turn.
        threads: of each engine, 0 for every core.
    """
    print(f"{name}: exporting with torch …", file=sys.stderr)
    classifier = random_classifier(FAMILY[name], labels=LABELS)
    with tempfile.TemporaryDirectory() as scratch:
        exported = Path(scratch) / "exported.onnx"
        export_with_torch(classifier, exported)
        graphs = {"exported": adopt_graph(onnx.load(exported), ("logits",))}
        model = trim_model(model_from_classifier(classifier), max_length=LONGEST, pair=False)
        graphs |= {layout: export_onnx(model, layout) for layout in ("padded", "packed")}
        engines = {}
        for number, candidate in enumerate(CANDIDATES):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            write_engine(graphs[candidate.graph], candidate.engine, folder)
            engines[candidate] = load_engine(folder, _settings(candidate, threads))
        return _race(name, engines, rows=rows, rounds=rounds)


def _settings(candidate: Candidate, threads: int) -> EngineSettings:
    return EngineSettings(
        task="seq_cls",
        pair=False,
        engine=candidate.engine,
        precision=candidate.precision,
        layout="packed" if candidate.graph == "packed" else "padded",
        threads=threads,
        max_length=LONGEST,
        pad_token_id=0,
        vocabulary_size=VOCABULARY_SIZE,
        token_types=TOKEN_TYPES,
    )


def _race(name: str, engines: dict[Candidate, Engine], *, rows: int, rounds: int) -> list[Result]:
    batches = [title_batch(rows, seed) for seed in range(_BATCHES)]
    expected = [engines[BASELINE].run(batch)["logits"] for batch in batches]
    differences = {
        candidate: max(
            float(np.abs(engine.run(batch)["logits"] - logits).max())
            for batch, logits in zip(batches, expected, strict=True)
        )
        for candidate, engine in engines.items()
    }
    speeds: dict[Candidate, list[float]] = {candidate: [] for candidate in engines}
    for number in range(rounds):
        print(f"{name}: round {number + 1} of {rounds}", file=sys.stderr)
        for candidate, engine in engines.items():
            start = time.perf_counter()
            for batch in batches:
                engine.run(batch)
            speeds[candidate].append(rows * len(batches) / (time.perf_counter() - start))
    results = []
    for candidate, measured in speeds.items():
        ratios = [ours / base for ours, base in zip(measured, speeds[BASELINE], strict=True)]
        results.append(
            Result(
                candidate=candidate,
                texts_per_s=statistics.median(measured),
                ratio=statistics.median(ratios),
                lowest_ratio=min(ratios),
                highest_ratio=max(ratios),
                largest_difference=differences[candidate],
            )
        )
    return results


def table(name: str, results: list[Result], *, rows: int, threads: int) -> str:
    """The results as a Markdown table."""
    shape = FAMILY[name]
    used = thread_count(_settings(BASELINE, threads))
    lines = [
        f"ERNIE 3.0 {name} ({shape.layers} x {shape.hidden}), batch {rows}, title-like lengths "
        f"(mean {MEAN_TOKENS} tokens), {used} threads of {named_processor()}",
        "",
        "| engine | texts/s | against the exported graph | largest difference |",
        "|---|---:|---:|---:|",
    ]
    lines.extend(
        f"| {result.candidate.name} | {result.texts_per_s:,.0f} | {result.ratio:.2f}x "
        f"({result.lowest_ratio:.2f} to {result.highest_ratio:.2f}) | "
        f"{result.largest_difference:.1e} |"
        for result in results
    )
    return "\n".join(lines)
