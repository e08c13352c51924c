"""Make the sample data, the vocabulary and the tiny models, and measure them.

stdout carries the result (a path a line, or JSON), stderr the progress.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ernie_triton.errors import ErnieTritonError
from ernie_triton.model_shapes import Shape
from ernie_triton.tokenizer.vocabulary import VOCABULARY_FILE
from samples.compressing import (
    EPOCHS,
    LEARNING_RATE,
    TASKS_OF_DATA,
    RealCompression,
    compress_real,
)
from samples.generators.afqmc import AFQMC
from samples.generators.choice import OPTIONS
from samples.generators.cloze import GAPS
from samples.generators.cmrc2018 import CMRC2018
from samples.generators.extraction import FACTS
from samples.generators.headlines import HEADLINES
from samples.generators.msra_ner import MSRA_NER
from samples.generators.multi_label import MULTI_TOPIC
from samples.generators.rankings import draw_rankings
from samples.generators.sentence_pairs import SENTENCE_PAIRS
from samples.generators.similarity import SIMILARITY
from samples.generators.tnews import TNEWS
from samples.generators.topics import TOPIC_LESSONS
from samples.recipes import recipe_names
from samples.splits import SplitSizes, write_task_data
from samples.tasks import write_json_lines
from samples.vocabulary import DEFAULT_ENTRIES, build_vocabulary, write_vocabulary

SAMPLE_TASKS = {
    task.name: task
    for task in (
        TNEWS,
        AFQMC,
        MSRA_NER,
        CMRC2018,
        SENTENCE_PAIRS,
        MULTI_TOPIC,
        SIMILARITY,
        FACTS,
        OPTIONS,
        GAPS,
        HEADLINES,
        TOPIC_LESSONS,
    )
}
SAMPLE_VOCABULARY = Path(__file__).parent / "data" / "vocab.txt"
SAMPLE_SENTENCES = Path(__file__).parent / "data" / "topics.json"
_VOCABULARY_TASKS = (TNEWS, AFQMC)
_DEFAULT_SEED = 0
_COMPRESSION_SEEDS = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 done, 1 an error that the user can correct, 2 wrong usage."""
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
    _add_real(commands)
    _add_rankings(commands)
    _add_vocabulary(commands)
    _add_base(commands)
    _add_train(commands)
    _add_evaluate(commands)
    _add_topics(commands)
    _add_compress(commands)
    return parser


def _generate(arguments: argparse.Namespace) -> int:
    """Write the data of a task."""
    task = SAMPLE_TASKS[arguments.task]
    sizes = SplitSizes(
        train=task.train_lines if arguments.train is None else arguments.train,
        dev=task.dev_lines if arguments.dev is None else arguments.dev,
    )
    for path in write_task_data(task, sizes, arguments.seed, arguments.output):
        print(path)
    return 0


def _rankings(arguments: argparse.Namespace) -> int:
    """Write queries with fitting and other documents."""
    rankings = draw_rankings(arguments.queries, arguments.seed)
    print(write_json_lines(arguments.output, (one.to_json() for one in rankings)))
    return 0


def _vocabulary(arguments: argparse.Namespace) -> int:
    """Write a vocabulary from the data of `tnews` and `afqmc`."""
    from ernie_triton.training.datasets import read_dataset

    texts: list[str] = []
    for task in _VOCABULARY_TASKS:
        data = read_dataset("seq_cls", arguments.data / task.name)
        texts += [text for line in (*data.train, *data.dev) for text in line.texts]
    print(write_vocabulary(build_vocabulary(texts, arguments.max_entries), arguments.output))
    return 0


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


def _real(arguments: argparse.Namespace) -> int:
    """Fetch, convert and split texts of others."""
    from samples.real.real_data import write_real_base, write_real_data

    for line in write_real_data(arguments.output):
        print(line)
    if arguments.base:
        print(write_real_base(arguments.output, arguments.base))
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


def _add_generate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "generate",
        help="write train.json, dev.json and, if it has any, labels.json",
        allow_abbrev=False,
    )
    parser.add_argument("task", choices=SAMPLE_TASKS)
    parser.add_argument("--output", type=Path, required=True, help="folder of the files")
    parser.add_argument("--train", type=int, help="lines to train on (default: the task's own)")
    parser.add_argument("--dev", type=int, help="lines to measure on (default: the task's own)")
    parser.add_argument("--seed", type=int, default=_DEFAULT_SEED, help="default: %(default)s")
    parser.set_defaults(command=_generate)


def _add_real(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "real",
        help="fetch a newspaper's entities and shoppers' reviews, and split them",
        allow_abbrev=False,
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the data sets")
    parser.add_argument(
        "--base",
        type=int,
        metavar="LAYERS",
        help="fetch multilingual-e5-small too (91 MB), and write the lowest of its 12 layers as a "
        "base in the folder `base`",
    )
    parser.set_defaults(command=_real)


def _add_rankings(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "rankings",
        help="write queries with their documents, to evaluate reranking on",
        allow_abbrev=False,
    )
    parser.add_argument("--output", type=Path, required=True, help="the file")
    parser.add_argument("--queries", type=int, default=80, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=_DEFAULT_SEED, help="default: %(default)s")
    parser.set_defaults(command=_rankings)


def _add_vocabulary(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "vocabulary", help="write a vocab.txt from the data of tnews and afqmc", allow_abbrev=False
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with a folder a task")
    parser.add_argument("--output", type=Path, required=True, help="path of the vocab.txt")
    parser.add_argument(
        "--max-entries", type=int, default=DEFAULT_ENTRIES, help="default: %(default)s"
    )
    parser.set_defaults(command=_vocabulary)


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
        "--limit", type=int, help="train on so many lines, the first ones (default: all)"
    )
    parser.add_argument("--seed", type=int, default=_DEFAULT_SEED, help="default: %(default)s")
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
