"""A conversion fits by the metric where there are labels, and by decisions where there are none."""

import dataclasses

import pytest

from ernie_triton.build.check.precision_check import Quality

LABELLED = Quality(
    data="dev.json",
    examples=200,
    metric="accuracy",
    before=90.0,
    after=89.5,
    allowed_loss=0.5,
    texts=10,
    decisions=100,
    same_decisions=50,
    allowed_changes=None,
)
UNLABELLED = dataclasses.replace(
    LABELLED,
    metric="",
    before=None,
    after=None,
    allowed_loss=None,
    same_decisions=99,
    allowed_changes=0.01,
)


@pytest.mark.parametrize(
    ("after", "allowed", "fits"),
    [(89.5, 0.5, True), (89.49, 0.5, False), (95.0, 0.0, True), (0.0, None, True)],
)
def test_the_metric_decides_whatever_the_decisions_do(
    after: float, allowed: float | None, fits: bool
) -> None:
    quality = dataclasses.replace(LABELLED, after=after, allowed_loss=allowed)
    assert quality.fits is fits


@pytest.mark.parametrize(
    ("same", "allowed", "fits"),
    [(99, 0.01, True), (98, 0.01, False), (98, 0.02, True), (0, 1.0, True), (0, None, True)],
)
def test_without_labels_changed_decisions_do(same: int, allowed: float | None, fits: bool) -> None:
    quality = dataclasses.replace(UNLABELLED, same_decisions=same, allowed_changes=allowed)
    assert quality.fits is fits


def test_both_are_said_with_their_limits() -> None:
    assert LABELLED.sentence() == (
        "accuracy 89.50 instead of 90.00 on 200 examples (at most 0.5 lost)"
    )
    assert UNLABELLED.sentence() == (
        "99 of 100 decisions the same on 10 texts (at most 1 % may change)"
    )
