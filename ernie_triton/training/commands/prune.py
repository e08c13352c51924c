"""`prune`: a fine-tuned model with fewer attention heads and feed-forward neurons."""

import argparse
import dataclasses
from typing import TYPE_CHECKING

from ernie_triton.build.commands import Commands
from ernie_triton.training.commands.compression_options import add_place_options, add_training_options, given, print_report, read_data, schedule_from
from ernie_triton.errors import CheckpointError

if TYPE_CHECKING:
    from ernie_triton.training.compression.pruning.prune import Pruning


def add_command(commands: Commands) -> None:
    """Add the command and its options."""
    prune = commands.add_parser(
        "prune",
        help="take the least important heads and neurons out of a fine-tuned model",
        description="Rank attention heads and feed-forward neurons by their effect on the loss, "
        "take the least important out of every layer, and train what is left to do what the whole "
        "model did. Writes a checkpoint that `build` takes, with compression.json beside the "
        "weights, and prints the figures. A run that was killed goes on where it was.",
        allow_abbrev=False,
    )
    add_place_options(prune, needs_data=False)
    prune.add_argument(
        "--width",
        type=float,
        default=0.75,
        help="share of heads and neurons that stays (default %(default)s)",
    )
    prune.add_argument(
        "--ranking",
        choices=("layer", "model"),
        default="layer",
        help="layer: the share in every layer; model: of all layers together, which come to differ "
        "(default %(default)s)",
    )
    prune.add_argument(
        "--multiple",
        type=int,
        default=16,
        metavar="NEURONS",
        help="neurons stay in groups of so many (default %(default)s)",
    )
    prune.add_argument("--examples", type=int, help="training examples to rank on (default 1024)")
    prune.add_argument(
        "--no-recovery",
        dest="recover",
        action="store_false",
        help="do not train afterwards; without --data parts are ranked by their weights' size, "
        "for measuring speed",
    )
    prune.add_argument("--epochs", type=int, help="of the recovery (default 3)")
    prune.add_argument("--learning-rate", type=float, help="of the recovery (default 1e-4)")
    add_training_options(prune)
    prune.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
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
