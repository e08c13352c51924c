"""How each task's model is made and trained: the whole run from data to a measured checkpoint."""

import dataclasses
import json
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from samples.afqmc import AFQMC
from samples.checkpoints import CheckpointFormat, save_model, write_tokenizer
from samples.encoding import load_tokenizer
from samples.errors import DataError
from samples.files import write_json
from samples.headlines import HEADLINES
from samples.learners.base import Figures, Learner
from samples.learners.classifier import Classifier
from samples.learners.embedder import Embedder
from samples.learners.multi_label import MultiLabelClassifier
from samples.learners.reader import Reader
from samples.learners.regressor import Regressor
from samples.learners.tagger import Tagger
from samples.measure import calibrate_checkpoint, measure_checkpoint
from samples.msra_ner import MSRA_NER
from samples.multi_label import MULTI_LABEL
from samples.tasks import SampleTask
from samples.tnews import TNEWS
from samples.train import Schedule, train_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What learns a task, the sizes of its tiny ERNIE and the schedule it is trained by.

    `twin_layers` of the lowest layers start with equal query and key weights, so that a token
    attends to its like from the first step on ("mimetic initialisation", arXiv:2305.09828).
    Without it a small cross-encoder does not leave chance on pairs for tens of epochs.
    """

    learner: Learner[Any]
    schedule: Schedule
    layers: int = 2
    hidden_size: int = 128
    heads: int = 4
    feed_forward: int = 256
    attention_dropout: float = 0.1
    twin_layers: int = 0

    def to_json(self) -> dict[str, object]:
        """The sizes and the schedule."""
        names = [field.name for field in dataclasses.fields(self) if field.name != "learner"]
        record = {name: getattr(self, name) for name in names}
        return {**record, "schedule": dataclasses.asdict(self.schedule)}


RECIPES = {
    "tnews": Recipe(
        learner=Classifier(labels=TNEWS.labels, text_fields=("sentence",)),
        schedule=Schedule(epochs=12, weight_decay=0.3, label_smoothing=0.15),
    ),
    "afqmc": Recipe(
        learner=Classifier(labels=AFQMC.labels, text_fields=("sentence1", "sentence2")),
        schedule=Schedule(
            epochs=18,
            learning_rate=7e-4,
            easy_share=0.1,
            ramp_share=0.05,
            hidden_share=0.03,
            weight_decay=0.05,
            label_smoothing=0.1,
        ),
        attention_dropout=0.0,
        twin_layers=1,
    ),
    "msra_ner": Recipe(
        learner=Tagger(labels=MSRA_NER.labels),
        schedule=Schedule(epochs=30, learning_rate=1.5e-3, weight_decay=0.05),
        hidden_size=96,
    ),
    "cmrc2018": Recipe(
        learner=Reader(),
        schedule=Schedule(epochs=18, learning_rate=2e-3, ramp_share=0.05, hidden_share=0.03),
        hidden_size=96,
        feed_forward=192,
        attention_dropout=0.0,
        twin_layers=1,
    ),
    "sentence_pairs": Recipe(
        learner=Embedder(), schedule=Schedule(epochs=10, hidden_share=0.05), hidden_size=96
    ),
    "multi_label": Recipe(
        learner=MultiLabelClassifier(labels=MULTI_LABEL.labels, text_fields=("sentence",)),
        schedule=Schedule(epochs=26, learning_rate=2e-3, label_smoothing=0.02),
        hidden_size=96,
    ),
    "similarity": Recipe(
        learner=Regressor(),
        schedule=Schedule(epochs=14, easy_share=0.1, ramp_share=0.05, hidden_share=0.03),
        attention_dropout=0.0,
        twin_layers=1,
    ),
    "headlines": Recipe(
        learner=Classifier(labels=HEADLINES.labels, text_fields=("sentence",)),
        schedule=Schedule(epochs=6, weight_decay=0.3, label_smoothing=0.15),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """One training: what, on which data, into which folder; `train_lines` None means all."""

    task: SampleTask
    recipe: Recipe
    data: Path
    vocab: Path
    output: Path
    format: CheckpointFormat
    seed: int
    train_lines: int | None = None


def run_training(run: TrainingRun) -> dict[str, object]:
    """Train, save, load what was saved, measure it on dev.json, write training.json.

    Returns:
        What training.json says.

    Raises:
        DataError: data or vocabulary are missing or malformed, or the output folder holds files.
    """
    import torch

    if run.output.is_dir() and any(run.output.iterdir()):
        raise DataError(f"{run.output} holds files already; remove them or name another folder")
    learner = run.recipe.learner
    train_examples = learner.read(run.data / "train.json")[: run.train_lines]
    dev_examples = learner.read(run.data / "dev.json")
    write_tokenizer(run.output, run.vocab, run.format)
    tokenizer = load_tokenizer(run.output)
    torch.manual_seed(run.seed)
    model = make_model(run.recipe, len(tokenizer))
    started_s = time.monotonic()
    train_model(model, tokenizer, learner, train_examples, run.recipe.schedule, Random(run.seed))
    training_s = round(time.monotonic() - started_s, 1)
    save_model(model, run.output, run.format)
    print(f"trained in {training_s} s; measuring {run.output}", file=sys.stderr)
    calibration = calibrate_checkpoint(run.output, learner, train_examples)
    measured = measure_checkpoint(run.output, learner, dev_examples, calibration)
    record: dict[str, object] = {
        "task": run.task.name,
        **{f"dev_{name}": value for name, value in measured.items()},
        "dev_lines": len(dev_examples),
        "train_lines": len(train_examples),
        "calibration": calibration,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "recipe": run.recipe.to_json(),
        "seed": run.seed,
        "training_s": training_s,
        "torch": version("torch"),
        "transformers": version("transformers"),
    }
    write_json(run.output / "training.json", record)
    return record


def read_calibration(folder: Path) -> Figures:
    """What `run_training` chose for a checkpoint; nothing where it has no training.json."""
    path = folder / "training.json"
    if not path.is_file():
        return {}
    record: dict[str, Figures] = json.loads(path.read_text(encoding="utf-8"))
    return record.get("calibration", {})


def make_model(recipe: Recipe, vocab_size: int) -> "PreTrainedModel":
    """Make a model with random weights from PyTorch's global generator."""
    from transformers import ErnieConfig

    config = ErnieConfig(
        vocab_size=vocab_size,
        hidden_size=recipe.hidden_size,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        intermediate_size=recipe.feed_forward,
        max_position_embeddings=160,
        type_vocab_size=4,
        use_task_id=True,
        task_type_vocab_size=3,
        attention_probs_dropout_prob=recipe.attention_dropout,
        initializer_range=0.05 if recipe.twin_layers else 0.02,
        **recipe.learner.config,
    )
    model = recipe.learner.model_class(config)
    if recipe.twin_layers:
        prefer_twins(model, recipe.twin_layers)
    return model


def prefer_twins(model: "PreTrainedModel", layers: int) -> None:
    """Make the lowest layers attend to equal tokens: words outweigh positions, keys are queries."""
    import torch

    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for table, factor in (("position", 0.2), ("task_type", 0.2), ("token_type", 0.6)):
            parameters[f"ernie.embeddings.{table}_embeddings.weight"].mul_(factor)
        for layer in range(layers):
            attention = f"ernie.encoder.layer.{layer}.attention.self"
            query = parameters[f"{attention}.query.weight"].normal_(std=0.09)
            parameters[f"{attention}.key.weight"].copy_(query)
