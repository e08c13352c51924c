"""Hyper-parameters of each data set: `recipes.toml`, read strictly, with options over it."""

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
    """One table of the file, as in `Schedule`; None is what it does not name.

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
        """What it names."""
        return {
            name: value for name, value in dataclasses.asdict(self).items() if value is not None
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipes:
    """The whole file.

    Attributes:
        defaults: for every data set.
        random_weights: over a data set's own values, where the model has nothing learned yet.
        data: by the name of the data set.
    """

    defaults: RecipeValues
    random_weights: RecipeValues = field(default_factory=RecipeValues)
    data: Mapping[str, RecipeValues] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one model is trained: the schedule, and the most tokens of a row."""

    schedule: Schedule
    max_length: int

    @property
    def kept(self) -> str:
        """Which evaluation's weights are kept, in a word."""
        return "best" if self.schedule.keep_best else "last"


def recipe_for(
    dataset: str,
    *,
    has_weights: bool,
    given: Mapping[str, object] | None = None,
    path: Path = RECIPES_FILE,
) -> Recipe:
    """The recipe of a data set.

    Args:
        dataset: its name; one that the file does not name has the defaults.
        has_weights: the checkpoint has weights, of a pre-training say; else they are random.
        given: values that replace the file's, by the names of `Schedule`, and `max_length`.
        path: of the recipes.

    Raises:
        TrainingError: the file or a value is of no use.
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
