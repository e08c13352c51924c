"""What is told of a tuning: every setting that was tried, and the verdict."""

from ernie_triton.perf.tuning.decision import decide
from ernie_triton.perf.tuning.report import (
    notes,
    smaller_batch_warning,
    trials_table,
    unsteady_words,
    verdict,
)
from ernie_triton.perf.tuning.search import Figure, Trial
from ernie_triton.perf.tuning.setting import DEFAULTS, Setting
from tests.perf.tuning.test_decision import finalist

FASTER = Setting(max_batch_size=16)
KEPT = decide([finalist(DEFAULTS, 100, 110)], None)
CHANGED = decide([finalist(DEFAULTS, 100, 100), finalist(FASTER, 150, 160)], None)


def test_the_table_has_a_line_for_each_trial_and_each_finalist() -> None:
    trials = [
        Trial(setting=DEFAULTS, figure=Figure(texts_per_s=12.34, p50_ms=5.678, p99_ms=9.0)),
        Trial(setting=FASTER, failure="no | memory"),
    ]
    _, _, *lines = trials_table(trials, CHANGED).splitlines()
    assert lines[0] == "| 0 | 1 | 64 | 0 | 0 | 0 | 12.3 | 5.68 | 9.00 | screened once |"
    assert lines[1] == "| 0 | 1 | 16 | 0 | 0 | 0 |  |  |  | no / memory |"
    assert lines[2].startswith("| 0 | 1 | 64 | 0 | 0 | 0 | 100.00 (100.00 to 100.00) |")
    assert lines[2].endswith("2 rounds in turn, as given |")
    assert "| 155.00 (150.00 to 160.00) |" in lines[3]
    assert lines[3].endswith("2 rounds in turn, chosen |")
    assert {line.count("|") for line in lines} == {11}


def test_the_verdict_says_the_gain_or_that_there_is_none() -> None:
    assert verdict(CHANGED, None).startswith("tuned: 1.55x (1.50 to 1.60) the texts/s")
    assert str(FASTER) in verdict(CHANGED, None)
    assert verdict(KEPT, 20.0).startswith("kept as given within a p99 of 20 ms: no other setting")


def test_a_smaller_batch_is_told_with_what_it_refuses() -> None:
    assert "requests of more than 16 rows will be refused" in smaller_batch_warning(CHANGED)
    assert smaller_batch_warning(KEPT) == ""


def test_the_notes_have_the_figures_of_both_settings() -> None:
    lines = notes(CHANGED, ["measured somewhere"])
    assert lines[0] == "measured somewhere"
    assert lines[1].startswith(f"as given: {DEFAULTS}: 100.00 (100.00 to 100.00) texts/s, p50 ")
    assert lines[2].startswith(f"tuned: {FASTER}: 155.00 (150.00 to 160.00) texts/s, p50 ")
    assert lines[3] == "texts/s tuned to as given: 1.55x (1.50 to 1.60)"
    assert notes(KEPT, [])[-1].startswith("kept: no other setting is better")


def test_unsteady_figures_are_counted() -> None:
    steady = Figure(texts_per_s=1, p50_ms=1, p99_ms=1)
    unsteady = Figure(texts_per_s=1, p50_ms=1, p99_ms=1, is_unstable=True)
    one = finalist(DEFAULTS, 1)
    mixed = type(one)(setting=DEFAULTS, figures=(steady, unsteady, steady))
    assert unsteady_words(decide([mixed], None)).startswith("1 of 3 figures were unstable")
    assert unsteady_words(KEPT) == ""
