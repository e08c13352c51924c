"""`ernie-triton quantize`: prepare a fine-tuned checkpoint for INT8."""

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from ernie_triton.tasks import CALIBRATORS, ENGINES
from ernie_triton.training.commands.compression_options import add_place_options, read_data

if TYPE_CHECKING:
    from ernie_triton.training.compression.int8.quantize import QuantizeOptions


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Calibrate INT8 on texts of the training data, measure every layer's damage, and keep the "
        "worst layers in floating point. If that is not enough, fine-tune with rounding. Writes "
        "a checkpoint with pipeline.toml (CPU) and pipeline.gpu.toml, which `build` takes, and "
        "prints the figures."
    )
    add_place_options(parser, needs_data=True)
    add_quantize_options(parser)


def add_quantize_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of quantisation."""
    from ernie_triton.training.compression.int8.quantize import QAT_MODES, QuantizeOptions

    default = {field.name: field.default for field in dataclasses.fields(QuantizeOptions)}
    engines: Any = default["engines"]
    parser.add_argument(
        "--max-length",
        type=int,
        metavar="TOKENS",
        help="most tokens of a row, in training and served (default 128, for token_cls and qa 384)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=default["seed"],
        help="seed of all random choices (default %(default)s)",
    )
    int8 = parser.add_argument_group("int8")
    int8.add_argument(
        "--engine",
        dest="engines",
        action="append",
        choices=ENGINES,
        help=f"the runtime (repeatable; default {' and '.join(engines)})",
    )
    int8.add_argument(
        "--qat",
        choices=QAT_MODES,
        default=default["qat"],
        help="fine-tune with rounding; auto: if rounding every layer loses more than allowed "
        "(default %(default)s)",
    )
    int8.add_argument(
        "--allowed-loss",
        type=float,
        default=default["allowed_loss"],
        help="most points of the metric to lose (default %(default)s)",
    )
    int8.add_argument(
        "--calibrator",
        choices=CALIBRATORS,
        default=default["calibrator"],
        help="method to choose the ranges of inputs (default %(default)s)",
    )
    int8.add_argument(
        "--calibration-texts",
        type=int,
        default=default["calibration_texts"],
        help="number of texts to draw from the training data (default %(default)s)",
    )
    int8.add_argument(
        "--qat-epochs",
        dest="epochs",
        type=int,
        default=default["epochs"],
        help="epochs of fine-tuning with rounding (default %(default)s)",
    )
    int8.add_argument(
        "--qat-learning-rate",
        dest="learning_rate",
        type=float,
        default=default["learning_rate"],
        help="for fine-tuning with rounding (default %(default)s)",
    )


def quantize_options(arguments: argparse.Namespace) -> "QuantizeOptions":
    """Read the options of `add_quantize_options`.

    Raises:
        PipelineError: a value is out of range.
    """
    from ernie_triton.training.compression.int8.quantize import QuantizeOptions

    names = {field.name for field in dataclasses.fields(QuantizeOptions)}
    given = {name: value for name, value in vars(arguments).items() if name in names}
    given["engines"] = tuple(given["engines"] or QuantizeOptions().engines)
    return QuantizeOptions(**given)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from ernie_triton.build.progress import timed_step
    from ernie_triton.training.compression.int8.quantize import quantize_checkpoint

    options = quantize_options(arguments)
    data = read_data(arguments)
    report = quantize_checkpoint(arguments.checkpoint, data, arguments.output, options, timed_step)
    print(report.text())
    print(arguments.output)
    return 0
