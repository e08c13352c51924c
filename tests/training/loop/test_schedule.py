"""Steps and evaluations follow from rows, batches and processes."""

from typing import Any

import pytest

from ernie_triton.errors import TrainingError
from ernie_triton.training.loop.schedule import Schedule


def test_steps_count_the_last_and_smaller_batch() -> None:
    schedule = Schedule(epochs=3, batch_size=16)
    assert (schedule.steps_per_epoch(33), schedule.steps(33)) == (3, 9)
    assert Schedule(epochs=3, batch_size=16, max_steps=4).steps(33) == 4


def test_processes_and_accumulated_batches_share_the_rows() -> None:
    schedule = Schedule(batch_size=4, accumulation_steps=2)
    # 10 rows are 3 batches, 2 for each of 2 processes, so 1 step of 2.
    assert (schedule.steps_per_epoch(10, 2), schedule.steps_per_epoch(10)) == (1, 2)


def test_evaluations_are_spread_over_the_epoch_and_end_it() -> None:
    schedule = Schedule(epochs=2, batch_size=1, evaluations_per_epoch=3)
    found = [step for step in range(1, 15) if schedule.evaluates_after(step, 7)]
    assert found == [3, 5, 7, 10, 12, 14]
    often = Schedule(epochs=1, batch_size=1, evaluations_per_epoch=99)
    assert [step for step in range(1, 4) if often.evaluates_after(step, 3)] == [1, 2, 3]
    assert Schedule(batch_size=1, max_steps=5).evaluates_after(5, 7)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("warmup_share", 1.0),
        ("weight_decay", -1.0),
        ("label_smoothing", -0.1),
        ("early_stopping", -1),
        ("precision", "int8"),
    ],
)
def test_a_value_of_no_use_is_named(name: str, value: Any) -> None:
    with pytest.raises(TrainingError, match=f"{name} is .*; expected"):
        Schedule(**{name: value})
