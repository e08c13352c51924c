"""Write the trials and the decision as a table and as notes for the tuned file."""

import dataclasses
from collections.abc import Sequence

from ernie_triton.perf.tuning.decision import Decision, Finalist
from ernie_triton.perf.tuning.search import Trial
from ernie_triton.perf.tuning.setting import Setting

_VALUES = tuple(field.name for field in dataclasses.fields(Setting))
_HEAD = (
    f"| {' | '.join(_VALUES)} | texts/s | p50 ms | p99 ms | |",
    f"|{'---:|' * len(_VALUES)}---:|---:|---:|---|",
)


def trials_table(trials: Sequence[Trial], decision: Decision) -> str:
    """Write a Markdown table: screened settings, then those measured in turn with their range."""
    lines = [*_HEAD]
    for trial in trials:
        figure = trial.figure
        values = (
            (f"{figure.texts_per_s:.1f}", f"{figure.p50_ms:.2f}", f"{figure.p99_ms:.2f}")
            if figure
            else ("", "", "")
        )
        remark = trial.failure.replace("|", "/") or "screened once"
        lines.append(_line(trial.setting, *values, remark))
    for one in decision.finalists:
        values = (one.texts_per_s.text(), one.p50_ms.text(), one.p99_ms.text())
        lines.append(_line(one.setting, *values, _remark(one, decision)))
    return "\n".join(lines)


def verdict(decision: Decision, budget_ms: float | None) -> str:
    """Describe the decision and its reason in a sentence."""
    chosen = decision.chosen
    budget = f" within a p99 of {budget_ms:g} ms" if budget_ms is not None else ""
    if not decision.is_change:
        return (
            f"kept as given{budget}: no other setting is better by more than the spread: "
            f"{chosen.setting}"
        )
    gain = chosen.speed_over(decision.given).text("x")
    return f"tuned{budget}: {gain} the texts/s of the pipeline as given: {chosen.setting}"


def smaller_batch_warning(decision: Decision) -> str:
    """Warn that a smaller batch refuses larger requests; empty where the batch is no smaller."""
    given, chosen = decision.given.setting, decision.chosen.setting
    if chosen.max_batch_size >= given.max_batch_size:
        return ""
    return (
        f"requests of more than {chosen.max_batch_size} rows will be refused; it was "
        f"{given.max_batch_size}; tune with --rows where clients send more"
    )


def notes(decision: Decision, circumstances: Sequence[str]) -> list[str]:
    """Write comments for the tuned file: time and place, then the figures of both settings."""
    lines = [*circumstances, f"as given: {_figures(decision.given)}"]
    if decision.is_change:
        gain = decision.chosen.speed_over(decision.given).text("x")
        lines += [f"tuned: {_figures(decision.chosen)}", f"texts/s tuned to as given: {gain}"]
    else:
        lines.append("kept: no other setting is better by more than the spread")
    if warning := smaller_batch_warning(decision):
        lines.append(warning)
    return lines


def unsteady_words(decision: Decision) -> str:
    """Count the unstable figures of the decision; empty for none."""
    figures = [figure for one in decision.finalists for figure in one.figures]
    unsteady = sum(figure.is_unstable for figure in figures)
    if not unsteady:
        return ""
    return f"{unsteady} of {len(figures)} figures were unstable; a quieter machine finds more"


def _remark(one: Finalist, decision: Decision) -> str:
    rounds = f"{len(one.figures)} rounds in turn"
    if one is decision.given:
        rounds += ", as given"
    return f"{rounds}, chosen" if one is decision.chosen else rounds


def _figures(one: Finalist) -> str:
    return (
        f"{one.setting}: {one.texts_per_s.text()} texts/s, p50 {one.p50_ms.text(' ms')}, "
        f"p99 {one.p99_ms.text(' ms')}; median (range) of {len(one.figures)} rounds in turn"
    )


def _line(setting: Setting, *cells: str) -> str:
    return f"| {' | '.join((*map(str, dataclasses.astuple(setting)), *cells))} |"
