"""The commands that write data and vocabularies."""

import argparse
from pathlib import Path

from samples.commands.options import add_seed
from samples.generators.afqmc import AFQMC
from samples.generators.catalogue import SAMPLE_TASKS
from samples.generators.rankings import draw_rankings
from samples.generators.tnews import TNEWS
from samples.splits import SplitSizes, write_task_data
from samples.tasks import write_json_lines
from samples.vocabulary import DEFAULT_ENTRIES, build_vocabulary, write_vocabulary

_VOCABULARY_TASKS = (TNEWS, AFQMC)


def add_data_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands to a parser."""
    _add_generate(commands)
    _add_real(commands)
    _add_rankings(commands)
    _add_vocabulary(commands)


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


def _real(arguments: argparse.Namespace) -> int:
    """Fetch, convert and split texts of others."""
    from samples.real.real_data import write_real_base, write_real_data

    for line in write_real_data(arguments.output):
        print(line)
    if arguments.base:
        print(write_real_base(arguments.output, arguments.base))
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
    add_seed(parser)
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
    add_seed(parser)
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
