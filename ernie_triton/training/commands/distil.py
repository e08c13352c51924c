"""`distil`: a student of another shape that answers as a fine-tuned model does."""

import argparse
import dataclasses
from pathlib import Path
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
    from ernie_triton.training.compression.distillation.distil import Distillation

SLIM_STUDENTS = ("bow", "cnn")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "A student of any shape starts with the teacher's weights as far as it has "
        "room for them, learns what goes on in the teacher's layers, then its answers. Writes a "
        "checkpoint that `build` takes, with compression.json beside the weights, and prints the "
        "figures. A run that was killed goes on where it was."
    )
    add_place_options(parser, needs_data=True)
    parser.add_argument(
        "--student",
        required=True,
        metavar="SHAPE",
        help="layers=N,hidden=N,heads=N,feed_forward=N, of which any may be left out; or base, "
        "medium, mini, micro, nano; or bow, cnn (a bag of words, a convolution)",
    )
    parser.add_argument(
        "--texts",
        type=Path,
        metavar="FILE",
        help="further texts without labels, one a line (pairs with a tab between)",
    )
    parser.add_argument(
        "--subwords",
        type=int,
        default=0,
        metavar="N",
        help="shorten sequences: up to N pieces of several characters, chosen from the texts, join "
        "the student's vocabulary (default 0: none)",
    )
    parser.add_argument(
        "--layer-epochs", type=int, help="of learning the teacher's layers; 0: none (default 3)"
    )
    parser.add_argument("--epochs", type=int, help="of learning its answers (default 5)")
    parser.add_argument("--learning-rate", type=float, help="of the answers (default 1e-4)")
    add_training_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    if arguments.student in SLIM_STUDENTS:
        return _run_slim(arguments)
    from ernie_triton.training.compression.distillation.distil import distil
    from ernie_triton.training.compression.distillation.students import student_shape

    shape, how = student_shape(arguments.student), _distillation(arguments)
    report = distil(
        arguments.checkpoint,
        read_data(arguments),
        arguments.output,
        shape,
        distillation=how,
        resume=arguments.resume,
    )
    print_report(report, arguments.output)
    return 0


def _run_slim(arguments: argparse.Namespace) -> int:
    from ernie_triton.training.compression.slim import SlimTraining, distil_slim

    if arguments.subwords:
        raise CheckpointError(
            f"a {arguments.student} student reads the teacher's tokens; leave out --subwords"
        )
    if arguments.layer_epochs is not None or not arguments.resume:
        raise CheckpointError(
            f"a {arguments.student} student has no layers of a teacher to learn, and goes on where "
            f"it was as long as OUTPUT.work is there; leave out --layer-epochs and --no-resume"
        )
    usual = SlimTraining()
    how = dataclasses.replace(
        usual,
        unlabelled=arguments.texts,
        schedule=schedule_from(
            arguments,
            usual.schedule,
            epochs=arguments.epochs,
            learning_rate=arguments.learning_rate,
        ),
        max_length=arguments.max_length,
        temperature=given(arguments.temperature, usual.temperature),
    )
    data, kind = read_data(arguments), arguments.student
    report = distil_slim(arguments.checkpoint, data, arguments.output, kind=kind, training=how)
    print_report(report, arguments.output)
    return 0


def _distillation(arguments: argparse.Namespace) -> "Distillation":
    from ernie_triton.training.compression.distillation.distil import (
        ANSWER_STAGE,
        LAYER_STAGE,
        Distillation,
    )

    usual = Distillation()
    layers = schedule_from(
        arguments, LAYER_STAGE, epochs=arguments.layer_epochs or None, learning_rate=None
    )
    return Distillation(
        layers=None if arguments.layer_epochs == 0 else layers,
        answers=schedule_from(
            arguments, ANSWER_STAGE, epochs=arguments.epochs, learning_rate=arguments.learning_rate
        ),
        weights=dataclasses.replace(
            usual.weights, temperature=given(arguments.temperature, usual.weights.temperature)
        ),
        texts=arguments.texts,
        max_length=arguments.max_length,
        subwords=arguments.subwords,
    )
