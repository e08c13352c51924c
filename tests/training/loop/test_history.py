"""The log of a trainer tells what was best, and when nothing gets better."""

from ernie_triton.training.loop.history import History, history_of


def history(*points: float) -> History:
    log = [
        {"step": step, "epoch": step / 2, "points": value, "elapsed_s": 1.0}
        for step, value in enumerate(points, 1)
    ]
    return history_of([{"step": 1, "loss": 2.5, "epoch": 0.5}, *log, {"step": 9, "train_loss": 1}])


def test_the_first_of_equal_evaluations_is_best() -> None:
    best = history(10.0, 30.0, 30.0, 20.0).best
    assert best is not None
    assert (best.step, best.points) == (2, 30.0)
    assert history().best is None


def test_losses_are_those_noted_on_the_way() -> None:
    assert history(1.0).losses == ((1, 2.5),)


def test_a_training_stalls_after_so_many_evaluations_without_progress() -> None:
    assert not history(10.0, 30.0, 20.0).has_stalled(2)
    assert history(10.0, 30.0, 20.0, 30.0).has_stalled(2)
    assert not history(10.0, 30.0, 20.0, 30.0).has_stalled(0)
    assert not history().has_stalled(1)
