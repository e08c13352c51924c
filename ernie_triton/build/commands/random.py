"""Write a checkpoint of random weights in a shape of the family: the command `random`."""

import argparse
from pathlib import Path

from ernie_triton.build.progress import timed_step
from ernie_triton.build.random_models.checkpoint import (
    HEADS,
    RandomModel,
    write_random_checkpoint,
)
from ernie_triton.model_shapes import FAMILY, Shape
from ernie_triton.tasks import SEQ_CLS


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Write an ERNIE 3.0 classifier with random weights as a transformers checkpoint, which "
        "`build` takes as any other. Prints the folder."
    )
    parser.add_argument(
        "--shape", choices=list(FAMILY), default="nano", help="(default %(default)s)"
    )
    parser.add_argument("--layers", type=int, help="instead of the shape's")
    parser.add_argument("--hidden", type=int, help="width, instead of the shape's")
    parser.add_argument("--heads", type=int, help="attention heads, instead of the shape's")
    parser.add_argument(
        "--feed-forward", type=int, help="width inside (default: 4 times the hidden width)"
    )
    parser.add_argument("--task", choices=HEADS, default=SEQ_CLS.name, help="(default %(default)s)")
    parser.add_argument("--labels", type=int, default=15, help="(default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="decides the weights (default 0)")
    parser.add_argument(
        "--exported",
        action="store_true",
        help="write exported.onnx too, the graph as torch exports it (extra train)",
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to make")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    named = FAMILY[arguments.shape]
    hidden = arguments.hidden or named.hidden
    shape = Shape(
        layers=arguments.layers or named.layers,
        hidden=hidden,
        heads=arguments.heads or named.heads,
        feed_forward=arguments.feed_forward or 4 * hidden,
    )
    wanted = RandomModel(
        shape=shape, labels=arguments.labels, seed=arguments.seed, task=arguments.task
    )
    with timed_step("random") as notes:
        write_random_checkpoint(wanted, arguments.output)
        notes.append(f"{shape.layers} layers x {shape.hidden}, {arguments.output}")
    if arguments.exported:
        # Needs the extra `train`.
        from ernie_triton.build.random_models.torch_export import export_checkpoint

        with timed_step("export") as notes:
            notes.append(str(export_checkpoint(arguments.output)))
    print(arguments.output)
    return 0
