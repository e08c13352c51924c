"""Hyper-parameters of each data set, from `recipes.toml`; the user's options replace them."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ernie_triton.errors import TrainingError
from ernie_triton.strict_toml import read_described
from ernie_triton.training.loop.schedule import Schedule

RECIPES_FILE = Path(__file__).with_name("recipes.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeValues:
    """One table of the file, with the names of `Schedule`; None for those that it leaves out.

    `max_length` is most tokens of a row.
    """

    learning_rate: float | None = None
    epochs: int | None = None
    batch_size: int | None = None
    max_length: int | None = None
    warmup_share: float | None = None
    weight_decay: float | None = None
    max_gradient_norm: float | None = None
    label_smoothing: float | None = None
    early_stopping: int | None = None
    evaluations_per_epoch: int | None = None

    def given(self) -> dict[str, float | int]:
        """Return the values that the table has."""
        return {
            name: value for name, value in dataclasses.asdict(self).items() if value is not None
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipes:
    """The content of the file.

    Attributes:
        defaults: for every data set.
        random_weights: for models without pre-trained weights; replaces a data set's values.
        data: by the name of the data set.
    """

    defaults: RecipeValues
    random_weights: RecipeValues = field(default_factory=RecipeValues)
    data: Mapping[str, RecipeValues] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Hyper-parameters of one training: the schedule, and most tokens of a row."""

    schedule: Schedule
    max_length: int

    @property
    def kept(self) -> str:
        """`best` or `last`: the evaluation whose weights are kept."""
        return "best" if self.schedule.keep_best else "last"


def recipe_for(
    dataset: str,
    *,
    has_weights: bool,
    given: Mapping[str, object] | None = None,
    path: Path = RECIPES_FILE,
) -> Recipe:
    """Choose the recipe of a data set.

    Args:
        dataset: its name; the defaults apply to a name that the file does not have.
        has_weights: the checkpoint has trained weights, not random ones.
        given: values that replace the file's, by their names in `Schedule`, or `max_length`.
        path: the file of recipes.

    Raises:
        TrainingError: the file or a value is wrong.
    """
    recipes = read_described(Recipes, path, TrainingError)
    values: dict[str, Any] = dict(recipes.defaults.given())
    values |= recipes.data.get(dataset, RecipeValues()).given()
    if not has_weights:
        values |= recipes.random_weights.given()
    values |= dict(given or {})
    max_length = values.pop("max_length", None)
    if not isinstance(max_length, int) or max_length < 3:
        raise TrainingError(f"max_length is {max_length!r}; expected a number of tokens, 3 or more")
    return Recipe(schedule=Schedule(**values), max_length=max_length)
