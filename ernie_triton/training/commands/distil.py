"""`ernie-triton distil`: train a smaller student to answer as a fine-tuned model does."""

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
        "Train a smaller student. It starts with as many of the teacher's weights as it has room "
        "for, learns from the teacher's layers, then the teacher's answers. Writes a checkpoint "
        "that `build` takes, with compression.json beside the weights, and prints the figures. A "
        "killed run resumes when it is started again."
    )
    add_place_options(parser, needs_data=True)
    parser.add_argument(
        "--student",
        required=True,
        metavar="SHAPE",
        help="any of layers=N,hidden=N,heads=N,feed_forward=N; or base, medium, mini, micro, nano; "
        "or bow, cnn (a bag of words, a convolution)",
    )
    parser.add_argument(
        "--texts",
        type=Path,
        metavar="FILE",
        help="file of further texts without labels, one per line (pairs split by a tab)",
    )
    parser.add_argument(
        "--subwords",
        type=int,
        default=0,
        metavar="N",
        help="shorten sequences: add up to N pieces of several characters to the student's "
        "vocabulary (default 0: none)",
    )
    parser.add_argument(
        "--layer-epochs", type=int, help="epochs to learn layers; 0 skips them (default 3)"
    )
    parser.add_argument("--epochs", type=int, help="epochs to learn answers (default 5)")
    parser.add_argument("--learning-rate", type=float, help="for the answers (default 1e-4)")
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
            f"a {arguments.student} student learns no layers, and resumes as long as OUTPUT.work "
            f"is there; leave out --layer-epochs and --no-resume"
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
