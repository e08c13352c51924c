"""Measure graphs on this machine's GPU, and write what was found as Markdown.

Every step stands alone: one that fails leaves its reason in the report, and the next one follows.
"""

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx

from ernie_triton.arrays import Tensors
from ernie_triton.batch import TokenBatch
from ernie_triton.build.progress import timed_step
from ernie_triton.build.random_models.torch_export import random_classifier
from ernie_triton.build.tensorrt.plan import PlanRequest, make_plan, this_machine
from ernie_triton.build.tensorrt.profiles import USUAL_ROWS, USUAL_TOKENS, EngineShapes
from ernie_triton.build.tensorrt.random_graph import random_graph
from ernie_triton.engines import load_engine
from ernie_triton.engines.onnx_runtime import CPU_PROVIDER
from ernie_triton.engines.tensorrt_module import RTX_NAMES, TENSORRT_NAMES, imported_package
from ernie_triton.errors import ErnieTritonError, GpuError
from ernie_triton.gpu.driver import CudaDriver, driver_version
from ernie_triton.gpu.plans import GRAPH_FILE
from ernie_triton.model_shapes import POSITIONS, VOCABULARY_SIZE, Shape
from ernie_triton.perf.engines.token_batches import title_lengths, token_batch
from ernie_triton.perf.gpu.sessions import DeviceSession, TorchModel, runs_per_s
from ernie_triton.perf.machine import machine_facts
from ernie_triton.settings import EngineSettings
from ernie_triton.tasks import LAYOUTS, SEQ_CLS

_ROWS = (1, 8, 32, 64)
_PRECISIONS = ("fp32", "fp16", "int8")
_TITLES = "titles"
_LABELS = 15
_BATCHES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuRun:
    """The choices of one report.

    Attributes:
        shapes: models by name.
        provider: of ONNX Runtime.
        seconds: duration of a figure.
        rows: rows of the batches.
        tokens: lengths of their rows beside titles.
        largest: most tokens of a batch; larger ones are left out.
    """

    shapes: dict[str, Shape]
    provider: str
    seconds: float = 0.4
    rows: Sequence[int] = _ROWS
    tokens: Sequence[int] = (128, 512)
    largest: int = 64 * 512

    @property
    def loads(self) -> list[tuple[str, int]]:
        """Kinds of rows, each with every number of them."""
        return [
            (f"{tokens or _TITLES}", rows)
            for tokens in (0, *self.tokens)
            for rows in self.rows
            if tokens * rows <= self.largest
        ]


def gpu_report(wanted: GpuRun, progress: Callable[[str], None]) -> Iterator[str]:
    """Measure, and give the report in parts, each as soon as it is there.

    Args:
        wanted: what to measure.
        progress: receives a line before each step.
    """
    yield _facts(wanted)
    for name, shape in wanted.shapes.items():
        yield f"## {name}\n\n" + _head(wanted)
        with tempfile.TemporaryDirectory(prefix="ernie-triton-gpu-") as folder:
            for precision in _PRECISIONS:
                for layout in reversed(LAYOUTS):
                    progress(f"{name} {precision} {layout}")
                    measure = partial(_graph_row, wanted, shape, precision, layout, Path(folder))
                    yield _guarded(f"ONNX Runtime {precision} {layout}", wanted, measure)
                for runtime, is_rtx in _stage_runtimes().items():
                    progress(f"{name} {precision} in our engine stage on {runtime}")
                    path = Path(folder) / f"{precision} {runtime}"
                    measure = partial(_stage_row, wanted, shape, precision, is_rtx, path)
                    yield _guarded(f"our stage on {runtime} {precision}", wanted, measure)
        progress(f"{name} in PyTorch")
        yield _guarded("PyTorch padded", wanted, partial(_torch_row, wanted, shape))


def _facts(wanted: GpuRun) -> str:
    machine = machine_facts()
    try:
        gpus = ", ".join(f"{g.name} ({g.compute_capability})" for g in CudaDriver().gpus())
    except GpuError as error:
        gpus = f"none: {error}"
    lines = ["# GPU report", ""]
    if wanted.provider == CPU_PROVIDER:
        lines += ["**ONNX Runtime has no CUDA here: the CPU stands in. No figure is a GPU's.**", ""]
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return "\n".join(
        [
            *lines,
            f"- processor: {machine.processor}, {machine.cores} cores; {machine.system}",
            f"- GPU: {gpus}; driver {driver_version()}",
            f"- {versions}; provider {wanted.provider}",
            "",
            "Differences are from the padded graph on the CPU, of the same precision and weights. "
            "Columns are texts a second of batches of so many rows, their tokens on the device; "
            "those of our engine stage come from the host's memory, and its outputs go there.",
            "",
        ]
    )


def _head(wanted: GpuRun) -> str:
    columns = [f"{kind} x {rows}" for kind, rows in wanted.loads]
    names = ["", "difference", "operators on the CPU", *columns]
    return "\n".join([f"| {' | '.join(names)} |", f"|---|---|---|{'---:|' * len(columns)}"])


def _guarded(name: str, wanted: GpuRun, measure: Callable[[], list[str]]) -> str:
    try:
        cells = measure()
    except (ErnieTritonError, RuntimeError) as error:  # PyTorch and CUDA fail with the latter
        cells = [f"failed: {' '.join(str(error).split())}", *[""] * (1 + len(wanted.loads))]
    return f"| {name} | {' | '.join(cells)} |"


def _graph_row(
    wanted: GpuRun, shape: Shape, precision: str, layout: str, folder: Path
) -> list[str]:
    paths = {}
    for one in LAYOUTS:
        paths[one] = folder / f"{precision}_{one}.onnx"
        if not paths[one].is_file():
            onnx.save(random_graph(shape, precision, one, max_length=POSITIONS), paths[one])
    session = DeviceSession(paths[layout], wanted.provider)
    sample = _batch(_TITLES, 8, seed=0)
    [found] = session.outputs(_feed(sample, layout))
    [expected] = DeviceSession(paths["padded"], CPU_PROVIDER).outputs(_feed(sample, "padded"))
    on_cpu = session.operators_on_cpu(_feed(sample, layout))
    said = (
        "all"
        if wanted.provider == CPU_PROVIDER
        else ", ".join(f"{n} {k}" for k, n in on_cpu.items())
    )
    rates = []
    for kind, rows in wanted.loads:
        feeds = [_feed(_batch(kind, rows, seed), layout) for seed in range(_BATCHES)]
        bound = [session.bound(feed) for feed in feeds]
        rates.append(f"{rows * runs_per_s(session.run, bound, wanted.seconds):,.0f}")
    return [f"{np.abs(found - expected).max():.1e}", said or "none", *rates]


def _stage_runtimes() -> dict[str, bool | None]:
    """Names of what our engine stage runs on here; for TensorRT, whether it is that for RTX."""
    found: dict[str, bool | None] = {"ONNX Runtime": None}
    try:
        gpus = CudaDriver().gpus()
    except GpuError:
        return found
    if gpus and imported_package(TENSORRT_NAMES) is not None:
        found["TensorRT"] = False
    if gpus and imported_package(RTX_NAMES) is not None:
        found["TensorRT for RTX"] = True
    return found


def _stage_row(
    wanted: GpuRun, shape: Shape, precision: str, is_rtx: bool | None, folder: Path
) -> list[str]:
    folder.mkdir()
    graph = folder / GRAPH_FILE
    onnx.save(random_graph(shape, precision, "packed", max_length=POSITIONS), graph)
    if is_rtx is not None:
        shapes = EngineShapes(
            layout="packed",
            max_rows=max(wanted.rows),
            max_length=POSITIONS,
            usual_rows=USUAL_ROWS,
            usual_tokens=USUAL_TOKENS,
        )
        request = PlanRequest(graph=graph, folder=folder, precision=precision, shapes=shapes)
        make_plan(request, this_machine(is_rtx=is_rtx), timed_step)
    engine = load_engine(folder, _stage_settings(precision, is_rtx))
    sample = _batch(_TITLES, 8, seed=0)
    [found] = engine.run(sample).values()
    padded = folder.parent / f"{precision}_padded.onnx"
    [expected] = DeviceSession(padded, CPU_PROVIDER).outputs(_feed(sample, "padded"))
    rates = []
    for kind, rows in wanted.loads:
        batches = [_batch(kind, rows, seed) for seed in range(_BATCHES)]
        rates.append(f"{rows * runs_per_s(engine.run, batches, wanted.seconds):,.0f}")
    on_cpu = is_rtx is None and wanted.provider == CPU_PROVIDER
    return [f"{np.abs(found - expected).max():.1e}", "all" if on_cpu else "not asked", *rates]


def _stage_settings(precision: str, is_rtx: bool | None) -> EngineSettings:
    return EngineSettings(
        task=SEQ_CLS.name,
        pair=False,
        engine="onnxruntime" if is_rtx is None else "tensorrt",
        precision=precision,
        layout="packed",
        threads=0,
        max_length=POSITIONS,
        pad_token_id=0,
        vocabulary_size=VOCABULARY_SIZE,
        token_types=1,
        device="gpu",
    )


def _torch_row(wanted: GpuRun, shape: Shape) -> list[str]:
    sample = _feed(_batch(_TITLES, 8, seed=0), "padded")
    classifier = random_classifier(shape, labels=_LABELS)
    import torch

    with torch.inference_mode():
        batch = {name: torch.from_numpy(v.astype(np.int64)) for name, v in sample.items()}
        expected = classifier(**batch).logits.numpy().copy()
    model = TorchModel(classifier)
    difference = np.abs(model.outputs(sample) - expected).max()
    rates = []
    for kind, rows in wanted.loads:
        feeds = [_feed(_batch(kind, rows, seed), "padded") for seed in range(_BATCHES)]
        bound = [model.bound(feed) for feed in feeds]
        rates.append(f"{rows * runs_per_s(model.run, bound, wanted.seconds):,.0f}")
    return [f"{difference:.1e}", "all" if model.device == "cpu" else "none", *rates]


def _batch(kind: str, rows: int, seed: int) -> TokenBatch:
    lengths = title_lengths(rows, seed) if kind == _TITLES else [int(kind)] * rows
    return token_batch(lengths, vocabulary_size=VOCABULARY_SIZE, seed=seed)


def _feed(batch: TokenBatch, layout: str) -> Tensors:
    return batch.packed() if layout == "packed" else batch.padded(0, POSITIONS)


def smaller(wanted: GpuRun) -> GpuRun:
    """The same steps with few and short batches, to try the command."""
    return dataclasses.replace(wanted, seconds=0.01, rows=(1, 4), tokens=(16,))
