"""Tune a pipeline: screen candidates, measure the best in turn, decide."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from ernie_triton.errors import ScenarioError
from ernie_triton.perf.analyzer.text_spec import TextSpec
from ernie_triton.perf.analyzer.texts import TITLES, text_rows
from ernie_triton.perf.machine import machine_facts
from ernie_triton.perf.tuning.affinity import cores_words
from ernie_triton.perf.tuning.bench import BenchOptions, ServerBench
from ernie_triton.perf.tuning.decision import (
    Decision,
    decide,
    measure_finalists,
    rank_within,
    refuse_hopeless,
)
from ernie_triton.perf.tuning.gpu_memory import most_gpu_instances
from ernie_triton.perf.tuning.report import notes, unsteady_words
from ernie_triton.perf.tuning.search import Trial, finalists, screen
from ernie_triton.perf.tuning.setting import (
    DEFAULTS,
    MOST_INSTANCES,
    Conditions,
    Setting,
    axes,
    is_same,
    one_other,
    setting_of,
)
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.tasks import task_named

_WARM_UP_S = 2.0
_QUICK_S = 0.75
_QUICK_WARM_UP_S = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneOptions:
    """Load, limits and durations of a tuning.

    Attributes:
        concurrency: requests under way.
        rows: rows of a request.
        cores: cores of the server.
        budget_ms: largest 99th percentile of latency; None for any.
        texts: the texts to send; title-like texts when None.
        rounds: turns of each finalist.
        screen_seconds: duration of a figure when candidates are screened.
        seconds: duration of a figure of a finalist.
        quick: try one candidate, with figures too short to trust.
    """

    concurrency: int
    rows: int
    cores: frozenset[int]
    budget_ms: float | None
    texts: TextSpec | None
    rounds: int
    screen_seconds: float
    seconds: float
    quick: bool

    def conditions(self, spec: PipelineSpec) -> Conditions:
        """Conditions that decide a pipeline's candidates; see `most_gpu_instances` for errors."""
        is_on_gpu = spec.device == "gpu"
        one_counts = not is_on_gpu and bool(spec.batching.max_queue_size)
        return Conditions(
            cores=len(self.cores),
            concurrency=self.concurrency,
            rows=self.rows,
            budget_ms=self.budget_ms,
            has_stages=not spec.is_joined and not one_counts,
            is_on_gpu=is_on_gpu,
            most_instances=most_gpu_instances(spec) if is_on_gpu else MOST_INSTANCES,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """The result: screened settings, the decision, and comments for the tuned file."""

    trials: tuple[Trial, ...]
    decision: Decision
    notes: tuple[str, ...]


def tune(spec: PipelineSpec, options: TuneOptions, progress: Callable[[str], None]) -> Tuned:
    """Search and decide.

    Args:
        spec: the pipeline, already built.
        options: load, limits and durations.
        progress: receives lines of progress.

    Raises:
        BudgetError: no setting keeps the latency.
        PipelineError: the pipeline is for a GPU, and this machine has none for it, or too small.
        ScenarioError: the pipeline does not take requests with that number of rows.
        ServerError: the pipeline's own setting cannot be served.
        AnalyzerError: no figure of it could be taken.
        DatasetError: the file of texts cannot be read, or the pipeline cannot take its lines.
        WrongAnswerError: an answer under load differs from its solo answer.
    """
    given = setting_of(spec)
    if given.max_batch_size < options.rows:
        raise ScenarioError(
            f"--rows is {options.rows}, but {spec.name} takes requests of {given.max_batch_size} "
            f"rows; lower --rows, or raise max_batch_size"
        )
    texts = options.texts or TextSpec(kinds=(TITLES,))
    inputs = task_named(spec.task).text_inputs(pair=spec.pair)
    # A file that cannot be read fails here, before a server is started.
    text_rows(texts, texts.kinds, [tensor.name for tensor in inputs])
    rank = rank_within(options.budget_ms)
    grid = axes(given, options.conditions(spec))
    with _bench(spec, texts, options, progress) as bench:
        trials = screen(
            given,
            one_other(grid, given) if options.quick else grid,
            len(options.cores),
            bench,
            rank,
        )
        refuse_hopeless(trials, options.budget_ms)
        in_turn = finalists(trials, _always(given, options), rank)
        bench.seconds = _QUICK_S if options.quick else options.seconds
        found = measure_finalists(in_turn, options.rounds, bench, progress)
    decision = decide(found, options.budget_ms)
    circumstances = _circumstances(options, texts, decision)
    return Tuned(
        trials=tuple(trials), decision=decision, notes=tuple(notes(decision, circumstances))
    )


def _bench(
    spec: PipelineSpec, texts: TextSpec, options: TuneOptions, progress: Callable[[str], None]
) -> ServerBench:
    """Make the bench, set for the screening."""
    bench_options = BenchOptions(
        spec=spec,
        texts=texts,
        concurrency=options.concurrency,
        rows=options.rows,
        cores=options.cores,
        warm_up_s=_QUICK_WARM_UP_S if options.quick else _WARM_UP_S,
    )
    return ServerBench(
        bench_options, _QUICK_S if options.quick else options.screen_seconds, progress
    )


def _always(given: Setting, options: TuneOptions) -> list[Setting]:
    """Return the sure finalists: the pipeline's own setting, and the defaults."""
    if is_same(given, DEFAULTS, len(options.cores)) or DEFAULTS.max_batch_size < options.rows:
        return [given]
    return [given, DEFAULTS]


def _circumstances(options: TuneOptions, texts: TextSpec, decision: Decision) -> list[str]:
    """Describe time, place and load, in lines."""
    now = datetime.datetime.now(datetime.timezone.utc)
    machine = machine_facts()
    budget = f", p99 within {options.budget_ms:g} ms" if options.budget_ms is not None else ""
    what = str(texts.file) if texts.file else str(texts.kinds[0])
    lines = [
        f"measured {now:%Y-%m-%d} (UTC) by `ernie-triton perf tune` on {machine.processor}",
        f"the server on core(s) {cores_words(options.cores)} of {machine.cores}, the load "
        f"generator on the same machine",
        f"concurrency {options.concurrency}, requests of {options.rows} row(s){budget}; "
        f"texts: {what}",
    ]
    if options.quick:
        lines.append("with --quick: the figures mean nothing")
    if words := unsteady_words(decision):
        lines.append(words)
    return lines
