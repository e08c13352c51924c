"""The curve is a picture with both lines in it."""

import io

import numpy as np
from matplotlib import image

from ernie_triton.training.finetune.curve import curve_png
from ernie_triton.training.loop.history import Evaluated, History

RED, GREY = (0xB5, 0x43, 0x2A), (0x7A, 0x87, 0x94)


def pixels(history: History) -> np.ndarray:  # type: ignore[type-arg]
    content = curve_png(history, title="tnews", metric="accuracy")
    found = image.imread(io.BytesIO(content), format="png")
    return np.asarray(np.round(found[..., :3] * 255), int)


def count(found: np.ndarray, color: tuple[int, int, int]) -> int:  # type: ignore[type-arg]
    return int((found == color).all(axis=-1).sum())


def test_the_picture_shows_losses_and_evaluations() -> None:
    evaluations = tuple(
        Evaluated(step=10 * i, epoch=i, points=20.0 * i, elapsed_s=i) for i in (1, 2, 3)
    )
    losses = tuple((step, 3.0 - step / 20) for step in range(1, 31))
    both = pixels(History(evaluations=evaluations, losses=losses))
    assert both.shape[:2] == (546, 975)
    flat = pixels(History(evaluations=evaluations[:1], losses=losses[:1]))
    assert count(both, RED) > count(flat, RED) + 200
    assert count(both, GREY) > count(flat, GREY) + 100
