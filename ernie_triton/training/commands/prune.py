"""`ernie-triton prune`: remove attention heads and feed-forward neurons of a model."""

import argparse
import dataclasses
from typing import TYPE_CHECKING

from ernie_triton.errors import CheckpointError
from ernie_triton.training.commands.compression_options import (
    add_place_options,
    add_training_options,
    given,
    print_report,
    read_data,
    schedule_from,
)

if TYPE_CHECKING:
    from ernie_triton.training.compression.pruning.prune import Pruning


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Rank attention heads and feed-forward neurons by their effect on the loss, remove the "
        "least important from every layer, and train the rest to behave as the whole model did. "
        "Writes a checkpoint that `build` takes, with compression.json beside the weights, and "
        "prints the figures. A killed run resumes when it is started again."
    )
    add_place_options(parser, needs_data=False)
    parser.add_argument(
        "--width",
        type=float,
        default=0.75,
        help="share of heads and neurons that stays, above 0 to 1 (default %(default)s)",
    )
    parser.add_argument(
        "--ranking",
        choices=("layer", "model"),
        default="layer",
        help="layer: keep the share in every layer; model: rank the parts of all layers together "
        "(default %(default)s)",
    )
    parser.add_argument(
        "--multiple",
        type=int,
        default=16,
        metavar="NEURONS",
        help="size of the groups in which neurons stay (default %(default)s)",
    )
    parser.add_argument("--examples", type=int, help="training examples to rank on (default 1024)")
    parser.add_argument(
        "--no-recovery",
        dest="recover",
        action="store_false",
        help="do not train afterwards; without --data, rank by the size of the weights (to measure "
        "speed)",
    )
    parser.add_argument("--epochs", type=int, help="epochs of the recovery (default 3)")
    parser.add_argument("--learning-rate", type=float, help="for the recovery (default 1e-4)")
    add_training_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from ernie_triton.training.compression.pruning.prune import prune

    if arguments.data is None and arguments.recover:
        raise CheckpointError(
            "pruning needs --data to rank parts and to train; name the task's folder, or add "
            "--no-recovery to prune by the weights' size alone"
        )
    how = _pruning(arguments)
    data = read_data(arguments) if arguments.data is not None else None
    report = prune(
        arguments.checkpoint,
        data,
        arguments.output,
        width=arguments.width,
        pruning=how,
        resume=arguments.resume,
    )
    print_report(report, arguments.output)
    return 0


def _pruning(arguments: argparse.Namespace) -> "Pruning":
    from ernie_triton.training.compression.pruning.prune import RECOVERY, Pruning
    from ernie_triton.training.compression.pruning.widths import Width

    usual = Pruning()
    recovery = schedule_from(
        arguments, RECOVERY, epochs=arguments.epochs, learning_rate=arguments.learning_rate
    )
    temperature = given(arguments.temperature, usual.weights.temperature)
    return Pruning(
        width=Width(share=arguments.width, ranking=arguments.ranking, multiple=arguments.multiple),
        recovery=recovery if arguments.recover else None,
        weights=dataclasses.replace(usual.weights, temperature=temperature),
        examples=given(arguments.examples, usual.examples),
        max_length=arguments.max_length,
    )
