"""How each task's model is made and trained: the whole run from data to a measured checkpoint."""

import dataclasses
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from samples.checkpoints import CheckpointFormat, save_model, write_json, write_tokenizer
from samples.encoding import load_tokenizer
from samples.errors import DataError
from samples.examples import read_examples
from samples.measure import measure_checkpoint
from samples.tasks import SampleTask
from samples.train import Schedule, train_classifier

if TYPE_CHECKING:
    from transformers import ErnieForSequenceClassification


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The sizes of a tiny ERNIE and the schedule it is trained by.

    `twin_layers` of the lowest layers start with equal query and key weights, so that a token
    attends to its like from the first step on ("mimetic initialisation", arXiv:2305.09828).
    Without it a small cross-encoder does not leave chance on pairs for tens of epochs.
    """

    schedule: Schedule
    layers: int = 2
    hidden_size: int = 128
    heads: int = 4
    feed_forward: int = 256
    attention_dropout: float = 0.1
    twin_layers: int = 0


RECIPES = {
    "tnews": Recipe(
        schedule=Schedule(epochs=12, weight_decay=0.3, label_smoothing=0.15),
    ),
    "afqmc": Recipe(
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
    train_examples = read_examples(run.data / "train.json", run.task)[: run.train_lines]
    dev_examples = read_examples(run.data / "dev.json", run.task)
    write_tokenizer(run.output, run.vocab, run.format)
    tokenizer = load_tokenizer(run.output)
    torch.manual_seed(run.seed)
    model = make_model(run.recipe, run.task, len(tokenizer))
    started_s = time.monotonic()
    train_classifier(model, tokenizer, train_examples, run.recipe.schedule, Random(run.seed))
    training_s = round(time.monotonic() - started_s, 1)
    save_model(model, run.output, run.format)
    print(f"trained in {training_s} s; measuring {run.output}", file=sys.stderr)
    measured = measure_checkpoint(run.output, dev_examples)
    record: dict[str, object] = {
        "task": run.task.name,
        **{f"dev_{name}": value for name, value in dataclasses.asdict(measured).items()},
        "train_lines": len(train_examples),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "recipe": dataclasses.asdict(run.recipe),
        "seed": run.seed,
        "training_s": training_s,
        "torch": version("torch"),
        "transformers": version("transformers"),
    }
    write_json(run.output / "training.json", record)
    return record


def make_model(
    recipe: Recipe, task: SampleTask, vocab_size: int
) -> "ErnieForSequenceClassification":
    """Make a classifier with random weights from PyTorch's global generator."""
    from transformers import ErnieConfig, ErnieForSequenceClassification

    names = [label.name for label in task.labels]
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
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
        problem_type="single_label_classification",
    )
    model = ErnieForSequenceClassification(config)
    if recipe.twin_layers:
        prefer_twins(model, recipe.twin_layers)
    return model


def prefer_twins(model: "ErnieForSequenceClassification", layers: int) -> None:
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
