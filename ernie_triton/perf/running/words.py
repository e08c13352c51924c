"""A run's loads and figures in words, for progress and tables."""

from ernie_triton.perf.results import Load, Measurement
from ernie_triton.perf.scenario import CONCURRENCY
from ernie_triton.perf.text_spec import TextSpec


def load_words(load: Load) -> str:
    """A load in short: `concurrency 8, batch 4, titles`."""
    if load.mode == CONCURRENCY:
        words = [f"concurrency {load.level:.0f}"]
    elif load.level:
        words = [f"{load.level:.4g} requests/s"]
    else:
        words = ["requests"]
    if load.of_maximum:
        words[0] += f" at {load.of_maximum:.0%} of the maximum"
    if load.batch_size > 1:
        words.append(f"batch {load.batch_size}")
    if load.texts:
        words.append(load.texts)
    if load.beside:
        words.append(f"beside {load.beside}")
    return ", ".join(words)


def figures_words(measurement: Measurement) -> str:
    """The figures in short: rate, latency, the batches that the engine reached."""
    latency = measurement.latency
    words = (
        f"{measurement.qps:,.1f} QPS, p50 {latency.p50_us / 1e3:.2f} ms, "
        f"p99 {latency.p99_us / 1e3:.2f} ms"
    )
    if "engine" in measurement.stages:
        words += f", engine batches of {measurement.stages['engine'].batch:.1f}"
    return f"{words}, {measurement.checked_answers} answers checked"


def texts_words(spec: TextSpec) -> str:
    """What is sent, in words."""
    if spec.file is not None:
        return f"lines of {spec.file.name}"
    return "; ".join(
        f"{kind.name}: {kind}" + (f", {kind.share:.0%} of the texts" if kind.share < 1 else "")
        for kind in spec.kinds
    )
