"""Recipes of the sample models: `recipes.toml`, read strictly."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ernie_triton.strict_toml import read_described
from ernie_triton.training.finetune.recipes import RecipeValues
from samples.errors import DataError

_RECIPES_FILE = Path(__file__).with_name("recipes.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyModel:
    """Sizes of a tiny ERNIE.

    Attributes:
        hidden: width of the token vectors.
        layers: how many.
        heads: attention heads of a layer.
        feed_forward: width between the two feed-forward matrices.
        positions: most tokens of a row.
        attention_dropout: share of attention weights that training drops.
        comparing_layers: how many of the lowest layers begin with equal query and key weights.
        comparing_deviation: of these weights. Narrow heads need more of it to tell tokens apart.
        neighbours: for each of the lowest layers, the places before (-) or behind a token that its
            first heads look at in the beginning.
        token_vectors: width of the token vectors, beside a weight of each token, as bge-m3 has
            them; 0 without both.
    """

    hidden: int
    layers: int = 2
    heads: int = 4
    feed_forward: int = 256
    positions: int = 160
    attention_dropout: float = 0.1
    comparing_layers: int = 0
    comparing_deviation: float = 0.09
    neighbours: tuple[tuple[int, ...], ...] = ()
    token_vectors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """Varied copies of the training lines.

    Attributes:
        copies: varied copies of the training lines in one epoch.
        hidden_share: part of the Chinese characters that become unknown, 0 to 1; for cloze, masks.
        joined: every second tagged text is joined with those after it.
        half_width_share: part of the lines whose full-width letters and digits become half-width.
        short_copies: short texts out of each line, for a student.
        exchanged_share: part of their words that become others with similar vectors.
    """

    copies: int = 1
    hidden_share: float = 0.0
    joined: bool = True
    half_width_share: float = 0.0
    short_copies: int = 0
    exchanged_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """Lessons of a student in the samples' own vocabulary, from a base that knows no task.

    Attributes:
        lines: of the task `topics` to draw. A linear model over the base's vectors learns them, and
            scores all texts.
        label_share: part that the label has in the target of a title or a drawn line; the scores
            are the rest.
        title_copies: how often each training title stands among the texts.
        texts: names of data sets of others, whose training lines are scored too.
        hidden_copies: copies of each text in which pieces are hidden.
        traditional_share: part of these copies in which the pieces are hidden that traditional
            writing lacks.
    """

    lines: int
    label_share: float = 0.0
    title_copies: int = 1
    texts: tuple[str, ...] = ()
    hidden_copies: int = 1
    traditional_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRecipe:
    """Settings of one sample task's model and training.

    Attributes:
        task: of `ernie_triton.tasks`.
        model: its sizes.
        variation: the copies of its training lines.
        schedule: hyper-parameters, over the defaults of fine-tuning.
        max_length: most tokens of a row.
        easy_share: lines of easy pairs to begin with, as a part of all lines that are trained on.
        half: store the weights in FP16.
        also: name of a sample task whose training lines are trained on too.
        drawn_lines: by sample task, how many lines of it to draw and to train on too.
        pieces: entries of a student's vocabulary, which are its teacher's; 0 where no teacher is.
        temperature: softens the scores of teacher and student.
        runs_weight: of the scores of a linear model over runs of characters, which are added to the
            teacher's.
        lessons: of a student that a base teaches; None where no base is.
    """

    task: str
    model: TinyModel
    variation: Variation
    schedule: RecipeValues = field(default_factory=RecipeValues)
    max_length: int = 128
    easy_share: float = 0.0
    half: bool = False
    also: str = ""
    drawn_lines: Mapping[str, int] = field(default_factory=dict)
    pieces: int = 0
    temperature: float = 1.0
    runs_weight: float = 0.0
    lessons: Lessons | None = None

    @property
    def has_teacher(self) -> bool:
        """Tell whether the model learns from a larger one."""
        return bool(self.pieces) or self.lessons is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class _RecipesFile:
    samples: Mapping[str, SampleRecipe]


def sample_recipe(name: str) -> SampleRecipe:
    """Return the recipe of a sample task.

    Raises:
        DataError: the file is malformed, or has no such table.
    """
    recipes = _recipes()
    if name not in recipes:
        raise DataError(f"{_RECIPES_FILE} has no table [samples.{name}]; add one")
    return recipes[name]


def recipe_names() -> tuple[str, ...]:
    """Return the names of all recipes.

    Raises:
        DataError: the file is malformed.
    """
    return tuple(_recipes())


def _recipes() -> Mapping[str, SampleRecipe]:
    return read_described(_RecipesFile, _RECIPES_FILE, DataError).samples
