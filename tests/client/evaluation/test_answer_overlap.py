"""CMRC2018's two figures, against values worked by hand from the official script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.client.evaluation.answer_overlap import exact_match, overlap_f1


@pytest.mark.parametrize(
    ("gold", "answer", "exact", "f1"),
    [
        ("北京", "北京", 1.0, 1.0),
        ("《北京》。", "北京", 1.0, 1.0),
        ("北京市", "北京", 0.0, 0.8),
        # The run 京市, not the three characters that both have: 2 of 4 and 2 of 3.
        ("北京市区", "区京市", 0.0, 4 / 7),
        ("iPhone X", "IPHONE x", 1.0, 1.0),
        # Words are one segment each: 1 of 2 and 1 of 1.
        ("New York", "york", 0.0, 2 / 3),
        ("1,000.5元", "1,000.5", 0.0, 2 / 3),
        ("1991年8月", "1991年", 0.0, 2 / 3),
        ("北京", "上海", 0.0, 0.0),
        ("北京", "", 0.0, 0.0),
        ("。", "！", 1.0, 0.0),
    ],
)
def test_the_figures_are_those_worked_by_hand(
    gold: str, answer: str, exact: float, f1: float
) -> None:
    assert exact_match(gold, answer) == exact
    assert overlap_f1(gold, answer) == pytest.approx(f1)


@given(st.text(alphabet="甲乙丙", max_size=8), st.text(alphabet="甲乙丙", max_size=8))
def test_f1_rests_on_the_longest_common_substring(gold: str, answer: str) -> None:
    pieces = [gold[a:b] for a in range(len(gold)) for b in range(a + 1, len(gold) + 1)]
    common = max((len(piece) for piece in pieces if piece in answer), default=0)
    wanted = 2 * common / (len(gold) + len(answer)) if common else 0.0
    assert overlap_f1(gold, answer) == pytest.approx(wanted)
    assert overlap_f1(answer, gold) == pytest.approx(wanted)
