"""`quantize`: a fine-tuned checkpoint made ready for INT8."""

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
        "Calibrate INT8 on texts of the training data, measure every layer's damage, "
        "keep the worst layers in floating point, and fine-tune with the rounding where that is "
        "not enough. Writes a checkpoint with pipeline.toml (CPU) and pipeline.gpu.toml, which "
        "`build` takes, and prints the figures."
    )
    add_place_options(parser, needs_data=True)
    add_quantize_options(parser)


def add_quantize_options(parser: argparse.ArgumentParser) -> None:
    """Add what decides how a checkpoint is quantised."""
    from ernie_triton.training.compression.int8.quantize import QAT_MODES, QuantizeOptions

    default = {field.name: field.default for field in dataclasses.fields(QuantizeOptions)}
    engines: Any = default["engines"]
    parser.add_argument(
        "--max-length",
        type=int,
        metavar="TOKENS",
        help="most tokens of a row, in training and served (default 128, or 384 for token_cls and "
        "qa)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=default["seed"],
        help="draws the calibration texts (default %(default)s)",
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
        help="fine-tune with rounding; auto: where rounding every layer loses more than allowed "
        "(default %(default)s)",
    )
    int8.add_argument(
        "--allowed-loss",
        type=float,
        default=default["allowed_loss"],
        help="most points of the metric that may be lost (default %(default)s)",
    )
    int8.add_argument(
        "--calibrator",
        choices=CALIBRATORS,
        default=default["calibrator"],
        help="how ranges of inputs are chosen (default %(default)s)",
    )
    int8.add_argument(
        "--calibration-texts",
        type=int,
        default=default["calibration_texts"],
        help="drawn from the training data (default %(default)s)",
    )
    int8.add_argument(
        "--qat-epochs",
        dest="epochs",
        type=int,
        default=default["epochs"],
        help="of fine-tuning with rounding (default %(default)s)",
    )
    int8.add_argument(
        "--qat-learning-rate",
        dest="learning_rate",
        type=float,
        default=default["learning_rate"],
        help="of the same (default %(default)s)",
    )


def quantize_options(arguments: argparse.Namespace) -> "QuantizeOptions":
    """What the options of `add_quantize_options` say.

    Raises:
        PipelineError: a value contradicts the contract.
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
