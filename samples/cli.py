"""Command line of the samples: generate, vocabulary, base, train, evaluate.

stdout carries the result (a path a line, or JSON), stderr the progress.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ernie_triton.errors import ErnieTritonError
from ernie_triton.model_shapes import Shape
from samples.afqmc import AFQMC
from samples.bases import write_base
from samples.cmrc2018 import CMRC2018
from samples.headlines import HEADLINES
from samples.msra_ner import MSRA_NER
from samples.multi_label import MULTI_LABEL
from samples.optional import require_training_libraries
from samples.sentence_pairs import SENTENCE_PAIRS
from samples.similarity import SIMILARITY
from samples.splits import SplitSizes, write_task_data
from samples.tnews import TNEWS
from samples.vocabulary import DEFAULT_ENTRIES, build_vocabulary, write_vocabulary

TASKS = {
    task.name: task
    for task in (
        TNEWS,
        AFQMC,
        MSRA_NER,
        CMRC2018,
        SENTENCE_PAIRS,
        MULTI_LABEL,
        SIMILARITY,
        HEADLINES,
    )
}
VOCABULARY_TASKS = (TNEWS, AFQMC)
VOCABULARY = Path(__file__).parent / "data" / "vocab.txt"
DEFAULT_SEED = 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 done, 1 the user can mend it, 2 wrong usage."""
    arguments = build_parser().parse_args(argv)
    try:
        return int(arguments.command(arguments))
    except (ErnieTritonError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Describe the commands and their options."""
    parser = argparse.ArgumentParser(
        prog="python -m samples", description=(__doc__ or "").splitlines()[0], allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_generate(commands)
    _add_vocabulary(commands)
    _add_base(commands)
    _add_train(commands)
    _add_evaluate(commands)
    return parser


def generate(arguments: argparse.Namespace) -> int:
    """Write the data of a task."""
    task = TASKS[arguments.task]
    sizes = SplitSizes(
        train=task.train_lines if arguments.train is None else arguments.train,
        dev=task.dev_lines if arguments.dev is None else arguments.dev,
    )
    for path in write_task_data(task, sizes, arguments.seed, arguments.output):
        print(path)
    return 0


def vocabulary(arguments: argparse.Namespace) -> int:
    """Write a vocabulary from the data of the tasks that it is made for."""
    from samples.recipes import RECIPES

    texts = [
        text
        for task in VOCABULARY_TASKS
        for split in ("train.json", "dev.json")
        for example in RECIPES[task.name].learner.read(arguments.data / task.name / split)
        for text in example.texts
    ]
    print(write_vocabulary(build_vocabulary(texts, arguments.max_entries), arguments.output))
    return 0


def base(arguments: argparse.Namespace) -> int:
    """Write sizes and a vocabulary to fine-tune from random weights."""
    shape = Shape(
        layers=arguments.layers,
        hidden=arguments.hidden,
        heads=arguments.heads,
        feed_forward=4 * arguments.hidden,
    )
    print(write_base(shape, arguments.vocab, arguments.output))
    return 0


def train(arguments: argparse.Namespace) -> int:
    """Train a model, save it, measure what was saved."""
    require_training_libraries()
    from samples.recipes import RECIPES, TrainingRun, run_training

    recipe = RECIPES[arguments.task]
    if arguments.epochs is not None:
        schedule = dataclasses.replace(recipe.schedule, epochs=arguments.epochs)
        recipe = dataclasses.replace(recipe, schedule=schedule)
    run = TrainingRun(
        task=TASKS[arguments.task],
        recipe=recipe,
        data=arguments.data,
        vocab=arguments.vocab or arguments.data.parent / "vocab.txt",
        output=arguments.output,
        format=arguments.format,
        seed=arguments.seed,
        train_lines=arguments.limit,
    )
    record = run_training(run)
    print(json.dumps(record, ensure_ascii=False))
    return 0


def evaluate(arguments: argparse.Namespace) -> int:
    """Measure a saved checkpoint on a data file."""
    require_training_libraries()
    from samples.measure import measure_checkpoint
    from samples.recipes import RECIPES, read_calibration

    learner = RECIPES[arguments.task].learner
    examples = learner.read(arguments.data)
    calibration = read_calibration(arguments.checkpoint)
    figures = measure_checkpoint(arguments.checkpoint, learner, examples, calibration)
    print(json.dumps({**figures, "lines": len(examples)}))
    return 0


def _add_generate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "generate",
        help="write train.json, dev.json and, if it has any, labels.json",
        allow_abbrev=False,
    )
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--output", type=Path, required=True, help="folder of the files")
    parser.add_argument("--train", type=int, help="lines to train on (default: the task's own)")
    parser.add_argument("--dev", type=int, help="lines to measure on (default: the task's own)")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="default: %(default)s")
    parser.set_defaults(command=generate)


def _add_vocabulary(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "vocabulary", help="write a vocab.txt from the data of tnews and afqmc", allow_abbrev=False
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with a folder a task")
    parser.add_argument("--output", type=Path, required=True, help="path of the vocab.txt")
    parser.add_argument(
        "--max-entries", type=int, default=DEFAULT_ENTRIES, help="default: %(default)s"
    )
    parser.set_defaults(command=vocabulary)


def _add_base(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "base",
        help="write a base for `ernie_triton.training.finetune`: sizes and a vocabulary, no weights",
        allow_abbrev=False,
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to make")
    parser.add_argument("--layers", type=int, default=6, help="default: %(default)s")
    parser.add_argument("--hidden", type=int, default=256, help="width; default: %(default)s")
    parser.add_argument("--heads", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--vocab", type=Path, default=VOCABULARY, help="default: the samples' own")
    parser.set_defaults(command=base)


def _add_train(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "train", help="train a tiny ERNIE from scratch and save it", allow_abbrev=False
    )
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--data", type=Path, required=True, help="folder that `generate` wrote")
    parser.add_argument("--output", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--format", choices=("transformers", "paddlenlp"), required=True)
    parser.add_argument("--vocab", type=Path, help="default: vocab.txt beside the data folder")
    parser.add_argument("--epochs", type=int, help="passes over the data (default: the task's own)")
    parser.add_argument("--limit", type=int, help="train on the first lines only (default: all)")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="default: %(default)s")
    parser.set_defaults(command=train)


def _add_evaluate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "evaluate", help="the task's metrics of a saved checkpoint", allow_abbrev=False
    )
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder that `train` wrote")
    parser.add_argument("--data", type=Path, required=True, help="a labelled file, as dev.json")
    parser.set_defaults(command=evaluate)
