"""The commands that make, measure and compress models."""

import argparse
import json
from pathlib import Path

from ernie_triton.model_shapes import Shape
from ernie_triton.tokenizer.vocabulary import VOCABULARY_FILE
from samples.commands.options import add_seed
from samples.compressing import (
    EPOCHS,
    LEARNING_RATE,
    TASKS_OF_DATA,
    RealCompression,
    compress_real,
)
from samples.paths import SAMPLE_SENTENCES, SAMPLE_VOCABULARY
from samples.recipes import recipe_names

_COMPRESSION_SEEDS = 3


def add_model_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands to a parser."""
    _add_base(commands)
    _add_train(commands)
    _add_evaluate(commands)
    _add_topics(commands)
    _add_compress(commands)


def _base(arguments: argparse.Namespace) -> int:
    """Write sizes and a vocabulary to fine-tune from random weights."""
    from samples.bases import write_base

    shape = Shape(
        layers=arguments.layers,
        hidden=arguments.hidden,
        heads=arguments.heads,
        feed_forward=4 * arguments.hidden,
    )
    print(write_base(shape, arguments.vocab, arguments.output))
    return 0


def _train(arguments: argparse.Namespace) -> int:
    """Train a model, save it, measure what was saved."""
    from samples.training import SampleTraining, train_sample

    record = train_sample(
        SampleTraining(
            sample=arguments.task,
            data=arguments.data,
            vocab=arguments.vocab or _vocabulary_beside(arguments.data),
            output=arguments.output,
            format=arguments.format,
            seed=arguments.seed,
            epochs=arguments.epochs,
            train_lines=arguments.limit,
            base=arguments.base,
            teacher=arguments.teacher,
            texts=arguments.texts,
        )
    )
    print(json.dumps(record, ensure_ascii=False))
    return 0


def _vocabulary_beside(data: Path) -> Path:
    """Return the vocabulary beside a data folder, or the samples' own."""
    path = data.parent / VOCABULARY_FILE
    return path if path.is_file() else SAMPLE_VOCABULARY


def _evaluate(arguments: argparse.Namespace) -> int:
    """Measure a saved checkpoint on a data file."""
    from samples.evaluation import measured_figures

    print(json.dumps(measured_figures(arguments.task, arguments.checkpoint, arguments.data)))
    return 0


def _topics(arguments: argparse.Namespace) -> int:
    """Measure news topics on sentences from elsewhere."""
    from samples.topics import topic_figures

    print(json.dumps(topic_figures("tnews", arguments.checkpoint, arguments.data)))
    return 0


def _compress(arguments: argparse.Namespace) -> int:
    """Compress teachers of real texts with several seeds."""
    steps = arguments.step_epochs
    return compress_real(
        RealCompression(
            data=arguments.data,
            vocab=SAMPLE_VOCABULARY,
            output=arguments.output,
            seeds=arguments.seed or range(_COMPRESSION_SEEDS),
            names=arguments.name or tuple(TASKS_OF_DATA),
            base=arguments.base,
            options=() if steps is None else ("--epochs", str(steps)),
            epochs=arguments.epochs,
            learning_rate=arguments.learning_rate,
        )
    )


def _add_base(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "base",
        help="write a base for `ernie-triton finetune`: sizes and a vocabulary, no weights",
        allow_abbrev=False,
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to make")
    parser.add_argument("--layers", type=int, default=6, help="default: %(default)s")
    parser.add_argument("--hidden", type=int, default=256, help="width; default: %(default)s")
    parser.add_argument("--heads", type=int, default=8, help="default: %(default)s")
    parser.add_argument(
        "--vocab", type=Path, default=SAMPLE_VOCABULARY, help="default: the samples' own"
    )
    parser.set_defaults(command=_base)


def _add_train(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "train", help="train a tiny ERNIE from scratch and save it", allow_abbrev=False
    )
    parser.add_argument("task", choices=recipe_names())
    parser.add_argument(
        "--data", type=Path, required=True, help="folder that `generate` or `real` wrote"
    )
    parser.add_argument("--base", type=Path, help="checkpoint to begin with (default: a tiny one)")
    parser.add_argument(
        "--teacher",
        type=Path,
        help="fine-tuned checkpoint or base to learn from, where the recipe says so",
    )
    parser.add_argument(
        "--texts", type=Path, help="folder that `real` wrote, where the recipe names texts of it"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--format", choices=("transformers", "paddlenlp"), required=True)
    parser.add_argument(
        "--vocab", type=Path, help="default: vocab.txt beside the data folder, or the samples' own"
    )
    parser.add_argument(
        "--epochs", type=int, help="passes over the copies of the data (default: the recipe's)"
    )
    parser.add_argument(
        "--limit",
        type=int,
        help="train on so many lines of each source, the first ones (default: all)",
    )
    add_seed(parser)
    parser.set_defaults(command=_train)


def _add_evaluate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "evaluate", help="measure the task's metrics of a saved checkpoint", allow_abbrev=False
    )
    parser.add_argument("task", choices=recipe_names())
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder that `train` wrote")
    parser.add_argument("--data", type=Path, required=True, help="a labelled file, as dev.json")
    parser.set_defaults(command=_evaluate)


def _add_topics(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "topics",
        help="measure a checkpoint of tnews on sentences from elsewhere",
        allow_abbrev=False,
    )
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder that `train` wrote")
    parser.add_argument(
        "--data",
        type=Path,
        default=SAMPLE_SENTENCES,
        help="lines with `sentence` and `topic` (default: the hundred of the samples)",
    )
    parser.set_defaults(command=_topics)


def _add_compress(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "compress",
        help="train teachers on the data of `real`, compress and measure them (a night long)",
        allow_abbrev=False,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that `real` wrote")
    parser.add_argument("--output", type=Path, required=True, help="folder of everything made")
    parser.add_argument(
        "--seed",
        type=int,
        action="append",
        help=f"of a teacher of each data set (repeatable; default 0 to {_COMPRESSION_SEEDS - 1})",
    )
    parser.add_argument(
        "--name",
        choices=TASKS_OF_DATA,
        action="append",
        help="of a data set (repeatable; default: all)",
    )
    parser.add_argument(
        "--base",
        type=Path,
        metavar="DIR",
        help="pre-trained checkpoint of the teachers (default: 6 layers of random weights, which "
        "learn the words of the newspaper first)",
    )
    parser.add_argument(
        "--epochs", type=int, default=EPOCHS, help="of a teacher (default: %(default)s)"
    )
    parser.add_argument(
        "--step-epochs", type=int, help="of recovery and of each distillation stage"
    )
    parser.add_argument(
        "--learning-rate", type=float, default=LEARNING_RATE, help="default: %(default)s"
    )
    parser.set_defaults(command=_compress)
