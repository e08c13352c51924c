"""Time the engines against each other and against the graph as torch exports it.

All engines run the same batches of the same weights in turn, round after round. So a change of the
machine's speed concerns all of them, and ratios are taken within a round.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

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
from ernie_triton.perf.analyzer.texts import TITLES
from ernie_triton.perf.engines.token_batches import title_lengths, token_batch
from ernie_triton.perf.paired import Spread, paired_ratio
from ernie_triton.settings import EngineSettings

_LABELS = 15
_BATCHES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSubject:
    """One way to run the model: the graph as exported, or a layout of the canonical one."""

    graph: str
    engine: str
    precision: str

    @property
    def name(self) -> str:
        """Name in the table."""
        return f"{self.graph} graph, {self.engine} {self.precision}"


BASELINE = BenchmarkSubject(graph="exported", engine="onnxruntime", precision="fp32")
SUBJECTS = (
    BASELINE,
    *(
        BenchmarkSubject(graph=layout, engine=engine, precision=precision)
        for engine, precision in (
            ("onnxruntime", "fp32"),
            ("openvino", "fp32"),
            ("openvino", "bf16"),
        )
        for layout in ("padded", "packed")
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResult:
    """The speed of one subject: medians, and its ratio to the baseline by round."""

    subject: BenchmarkSubject
    texts_per_s: float
    ratio: Spread
    largest_difference: float


def benchmark_shape(
    name: str, *, rows: int, rounds: int, threads: int, precisions: Collection[str]
) -> list[BenchmarkResult]:
    """Time every subject on a shape of the family.

    Args:
        name: a key of `FAMILY`.
        rows: texts in a batch.
        rounds: turns of every subject.
        threads: of each engine, 0 for every core.
        precisions: the precisions to time; subjects of others are left out.
    """
    print(f"{name}: exporting with torch …", file=sys.stderr)
    classifier = random_classifier(FAMILY[name], labels=_LABELS)
    with tempfile.TemporaryDirectory() as scratch:
        exported = Path(scratch) / "exported.onnx"
        export_with_torch(classifier, exported)
        graphs = {"exported": adopt_graph(onnx.load(exported), ("logits",))}
        model = trim_model(model_from_classifier(classifier), max_length=TITLES.longest, pair=False)
        graphs |= {layout: export_onnx(model, layout) for layout in ("padded", "packed")}
        engines: dict[BenchmarkSubject, Engine] = {}
        for subject in SUBJECTS:
            if subject.precision not in precisions:
                continue
            folder = Path(scratch) / str(len(engines))
            folder.mkdir()
            write_engine(graphs[subject.graph], subject.engine, folder)
            engines[subject] = load_engine(folder, _settings(subject, threads))
        return _race(name, engines, rows=rows, rounds=rounds)


def _settings(subject: BenchmarkSubject, threads: int) -> EngineSettings:
    return EngineSettings(
        task="seq_cls",
        pair=False,
        engine=subject.engine,
        precision=subject.precision,
        layout="packed" if subject.graph == "packed" else "padded",
        threads=threads,
        max_length=TITLES.longest,
        pad_token_id=0,
        vocabulary_size=VOCABULARY_SIZE,
        token_types=TOKEN_TYPES,
    )


def _race(
    name: str, engines: dict[BenchmarkSubject, Engine], *, rows: int, rounds: int
) -> list[BenchmarkResult]:
    """Time the engines in turn on the same batches."""
    batches = [
        token_batch(title_lengths(rows, seed), vocabulary_size=VOCABULARY_SIZE, seed=seed)
        for seed in range(_BATCHES)
    ]
    expected = [engines[BASELINE].run(batch)["logits"] for batch in batches]
    differences = {
        subject: max(
            float(np.abs(engine.run(batch)["logits"] - logits).max())
            for batch, logits in zip(batches, expected, strict=True)
        )
        for subject, engine in engines.items()
    }
    speeds: dict[BenchmarkSubject, list[float]] = {subject: [] for subject in engines}
    for number in range(rounds):
        print(f"{name}: round {number + 1} of {rounds}", file=sys.stderr)
        for subject, engine in engines.items():
            start = time.perf_counter()
            for batch in batches:
                engine.run(batch)
            speeds[subject].append(rows * len(batches) / (time.perf_counter() - start))
    return [
        BenchmarkResult(
            subject=subject,
            texts_per_s=statistics.median(measured),
            ratio=paired_ratio(measured, speeds[BASELINE]),
            largest_difference=differences[subject],
        )
        for subject, measured in speeds.items()
    ]


def benchmark_table(name: str, results: list[BenchmarkResult], *, rows: int, threads: int) -> str:
    """Write the results as a Markdown table."""
    shape = FAMILY[name]
    used = thread_count(_settings(BASELINE, threads))
    lines = [
        f"ERNIE 3.0 {name} ({shape.layers} x {shape.hidden}), batch {rows}, title-like lengths "
        f"(mean {TITLES.mean:g} tokens), {used} threads of {named_processor()}",
        "",
        "| engine | texts/s | against the exported graph | largest difference |",
        "|---|---:|---:|---:|",
    ]
    lines.extend(
        f"| {result.subject.name} | {result.texts_per_s:,.0f} | {result.ratio.text('x')} | "
        f"{result.largest_difference:.1e} |"
        for result in results
    )
    return "\n".join(lines)
