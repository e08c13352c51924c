"""A build for people: what was converted, how exact it is, how large and how fast."""

from ernie_triton.build.check.exactness import Exactness
from ernie_triton.build.check.speed import Speed
from ernie_triton.build.convert.quantization import QuantizationFacts
from ernie_triton.build.graph.numerics import EXACT_INT8_STEPS
from ernie_triton.build.publish.manifest import Manifest
from ernie_triton.processor import has_bfloat16

_MIB = 1024 * 1024
_JOINED = "joined stages, one model in one process, the default on a CPU; or --no-joined"
_ENSEMBLE = "ensemble of three stages"


def summary(made: Manifest) -> str:
    """The manifest, one fact a line."""
    lines = {
        "pipeline": _pipeline(made),
        "form": _JOINED if made.joined else _ENSEMBLE,
        "build": f"{made.build}, {len(made.files)} files",
        "source": f"{made.source.kind}, {made.source.path}",
        "model": _model(made),
        "graph": f"{made.engine.graph_nodes} nodes, opset {made.engine.opset}, "
        f"{made.engine.layout}",
        "engine": _engine(made),
    }
    if made.choice is not None:
        lines["chosen"] = made.choice.sentence()
    if made.folder:
        lines["answers"] = made.folder
    if made.quantization is not None:
        lines |= _quantization(made.quantization)
    if made.quality is not None:
        lines["quality"] = f"{made.quality.sentence()}, against FP32"
    lines["exactness"] = _exactness(made.exactness)
    if made.engine.instructions and made.engine.precision != "fp32":
        lines["proved"] = _proved(made)
    lines["speed"] = _speed(made.speed)
    width = max(map(len, lines)) + 1
    return "\n".join(f"{key:<{width}}{value}" for key, value in lines.items())


def _pipeline(made: Manifest) -> str:
    labels = len(made.model.labels)
    return (
        f"{made.name} version {made.version} ({made.task}{', pairs' if made.pair else ''}"
        f"{f', {labels} labels' if labels else ''}, up to {made.max_length} tokens, batches up to "
        f"{made.max_batch_size})"
    )


def _model(made: Manifest) -> str:
    model = made.model
    if model.kind:
        name = {"bow": "bag of words", "cnn": "convolution"}[model.kind]
        return f"{name} over word vectors of {model.hidden}, {model.parameters:,} parameters"
    if not model.layers:
        return f"served as it came, padded: {made.source.unrecognised}"
    return (
        f"{model.layers} layers x {model.hidden}, {_one_or_range(model.heads)} heads, feed-forward "
        f"{_one_or_range(model.feed_forward)}, {model.parameters:,} parameters"
    )


def _engine(made: Manifest) -> str:
    engine = made.engine
    runtime = f"{engine.engine} {engine.engine_version}".rstrip()
    size = f"{engine.size_bytes / _MIB:.1f} MiB"
    if engine.precision != "fp32":
        size += f", {100 * engine.size_bytes / engine.fp32_size_bytes:.0f} % of FP32"
    if made.plan is not None:
        runtime = f"TensorRT {made.plan.tensorrt} for {made.plan.gpu}"
    elif engine.engine == "tensorrt":
        size += "; no plan yet: run ernie-triton engine on the machine with the GPU"
    return f"{runtime}, {engine.precision}, {size}"


def _quantization(facts: QuantizationFacts) -> dict[str, str]:
    where = facts.calibration or "our sample texts"
    kept = ", ".join(f"{name} ({100 * damage:.1f} %)" for name, damage in facts.kept.items())
    lines = {
        "int8": f"{facts.layers} of {facts.layers + len(facts.kept)} layers, {facts.calibrator} on "
        f"{facts.calibration_texts} texts ({where})",
        "kept": f"{kept} in {facts.rest}" if kept else f"none; the rest is in {facts.rest}",
    }
    if facts.weight_steps <= EXACT_INT8_STEPS:
        most = facts.weight_steps
        lines["weights"] = f"int8 from -{most} to {most}, whose products are exact on every CPU"
    return lines


def _exactness(exact: Exactness) -> str:
    allowed = "no limit" if exact.tolerance is None else f"allowed {exact.tolerance:.0e}"
    return (
        f"largest difference {exact.largest_difference:.1e} ({allowed}), {exact.same_decisions} of "
        f"{exact.texts} decisions the same, against {exact.reference}"
    )


def _proved(made: Manifest) -> str:
    on = f"on a processor with {', '.join(made.engine.instructions)}"
    if made.engine.precision == "bf16" and not has_bfloat16(made.engine.instructions):
        on += ", which has no BF16 instructions and is faster with --precision fp32"
    return f"{on}; a server on another processor repeats it"


def _speed(speed: Speed | None) -> str:
    if speed is None:
        return "not measured here: the engine is for a GPU"
    ratio = "" if speed.ratio_to_fp32 is None else f" ({speed.ratio_to_fp32:.2f}x FP32)"
    advice = "; --precision fp32 is faster here" if (speed.ratio_to_fp32 or 1.0) < 0.95 else ""
    return (
        f"{speed.texts_per_s:,.0f} texts/s{ratio} of the engine alone, batch {speed.batch}, mean "
        f"{speed.mean_tokens:.0f} tokens, {speed.threads} threads of {speed.processor}{advice}"
    )


def _one_or_range(values: tuple[int, ...]) -> str:
    if not values:
        return "no"
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"
