"""Hyper-parameters come from the data set's table, with options over it."""

from pathlib import Path

import pytest

from ernie_triton.errors import TrainingError
from ernie_triton.strict_toml import read_described
from ernie_triton.training.datasets.reading import DATASETS
from ernie_triton.training.finetune.recipes import RECIPES_FILE, Recipes, recipe_for


@pytest.mark.parametrize(
    ("name", "batch", "rate", "epochs", "length"),
    [
        # PaddleNLP, model_zoo/ernie-3.0/config.yml.
        ("afqmc", 64, 3e-5, 6, 128),
        ("tnews", 32, 5e-5, 3, 128),
        ("iflytek", 16, 5e-5, 3, 128),
        ("ocnli", 64, 5e-5, 6, 128),
        ("cmnli", 32, 2e-5, 4, 128),
        ("cluewsc2020", 16, 3e-5, 50, 128),
        ("csl", 64, 5e-5, 8, 256),
        ("msra_ner", 32, 5e-5, 3, 128),
        ("cmrc2018", 24, 3e-5, 8, 512),
    ],
)
def test_clue_is_trained_as_the_toolkit_trains_it(
    name: str, batch: int, rate: float, epochs: int, length: int
) -> None:
    recipe = recipe_for(name, has_weights=True)
    schedule = recipe.schedule
    assert (schedule.batch_size, schedule.learning_rate, schedule.epochs) == (batch, rate, epochs)
    assert recipe.max_length == length


def test_every_format_has_a_recipe_and_every_recipe_a_format() -> None:
    recipes = read_described(Recipes, RECIPES_FILE, TrainingError)
    assert set(recipes.data) == {name for names in DATASETS.values() for name in names}


def test_random_weights_learn_faster_and_longer() -> None:
    learned, random = (recipe_for("csl", has_weights=has).schedule for has in (True, False))
    assert random.learning_rate > 5 * learned.learning_rate
    assert (random.epochs, random.batch_size) == (12, 64)


def test_options_win() -> None:
    given = {"epochs": 1, "max_length": 20, "precision": "fp32", "keep_best": False}
    recipe = recipe_for("csl", has_weights=False, given=given)
    assert (recipe.schedule.epochs, recipe.max_length, recipe.schedule.precision) == (1, 20, "fp32")
    assert recipe.kept == "last"
    assert recipe_for("unheard", has_weights=True).schedule.epochs == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[defaults]\nepoch = 3", "unknown key 'epoch'"),
        ("[defaults]\nepochs = 3.5", "epochs is 3.5; expected int"),
        ("", "the key 'defaults' is missing"),
        ("[defaults]\nepochs = 3", "max_length is None; expected a number of tokens"),
        ("[defaults]\nmax_length = 9\nepochs = 0", "epochs is 0; expected at least 1"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "recipes.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TrainingError, match=message):
        recipe_for("tnews", has_weights=True, path=path)
