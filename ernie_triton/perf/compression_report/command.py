"""`compress`: compress a checkpoint in every way, then measure and report the results."""

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.errors import MissingExtraError
from ernie_triton.training.commands.compression_options import add_place_options, read_data
from ernie_triton.training.commands.quantize import add_quantize_options, quantize_options

if TYPE_CHECKING:
    from ernie_triton.training.compression.compress import Compression


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    from ernie_triton.training.compression.steps import STEP_NAMES

    parser.description = (
        "Prune, distil and quantise a fine-tuned checkpoint; each result is a checkpoint that "
        "`build` takes. Then build all of them, serve them in one server, measure them in turn, "
        "and report accuracy, size and speed as a table and two plots. Finished steps are not "
        "repeated: started again, the command resumes."
    )
    add_place_options(parser, needs_data=True)
    steps = parser.add_argument_group("steps")
    steps.add_argument(
        "--only", default="", metavar="STEP,…", help=f"some of {', '.join(STEP_NAMES)}"
    )
    steps.add_argument("--skip", default="", metavar="STEP,…", help="steps to leave out")
    steps.add_argument(
        "--width",
        type=float,
        default=0.75,
        help="share of heads and neurons that pruning keeps, above 0 to 1 (default %(default)s)",
    )
    steps.add_argument(
        "--student",
        metavar="layers=N,hidden=N",
        help="shape of the distilled student (default: half of the layers)",
    )
    steps.add_argument(
        "--epochs",
        dest="step_epochs",
        type=int,
        help="epochs of recovery and of each distillation stage",
    )
    steps.add_argument(
        "--learning-rate",
        dest="step_rate",
        type=float,
        help="learning rate of recovery and distillation",
    )
    add_quantize_options(parser)
    report = parser.add_argument_group("report")
    report.add_argument(
        "--precision",
        action="append",
        choices=("bf16", "fp16"),
        help="further precision of the original, besides fp32 and int8 (repeatable; default bf16 "
        "if the processor has it; fp16 is slow on a CPU)",
    )
    report.add_argument(
        "--test-file",
        type=Path,
        metavar="FILE",
        help="labelled lines to measure on, which nothing was chosen by (default: dev.json)",
    )
    report.add_argument(
        "--quick",
        action="store_true",
        help="measure one short round as a trial; its speeds are marked as not to be trusted",
    )
    report.add_argument(
        "--rounds", type=int, default=5, help="turns of every variant (default %(default)s)"
    )
    report.add_argument(
        "--seconds", type=float, default=6.0, help="duration of each figure (default %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    # Needs the extra `train`; other commands do not.
    from ernie_triton.build.torch_models.modules import import_torch

    import_torch()
    from ernie_triton.training.compression.compress import Compression, run_steps
    from ernie_triton.training.compression.distillation.students import student_shape
    from ernie_triton.training.compression.steps import REPORT, StepOptions, chosen_steps

    only, skipped = (_names(text) for text in (arguments.only, arguments.skip))
    options = StepOptions(
        width=arguments.width,
        student=student_shape(arguments.student) if arguments.student else None,
        epochs=arguments.step_epochs,
        learning_rate=arguments.step_rate,
        quantize=quantize_options(arguments),
        max_length=arguments.max_length,
        seed=arguments.seed,
    )
    data = read_data(arguments)
    steps = chosen_steps(data.task, only, skipped)
    work = Compression(
        checkpoint=arguments.checkpoint, data=data, output=arguments.output, options=options
    )
    is_reported = (not only or REPORT in only) and REPORT not in skipped
    if is_reported:
        _check_report()
    run_steps(work, steps)
    if is_reported:
        _report(arguments, work, skipped)
    print(arguments.output)
    return 0


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _check_report() -> None:
    """Check for the report's packages before hours of training, not after.

    Raises:
        MissingExtraError: a package is missing.
    """
    try:
        from ernie_triton.perf.compression_report.writing import check_tools
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "perf", "the report (or --skip report)") from error
    check_tools()


def _report(arguments: argparse.Namespace, work: "Compression", skipped: tuple[str, ...]) -> None:
    """Build, serve and measure the results of all finished steps, and write the report."""
    from ernie_triton.build.load.settings import config_values
    from ernie_triton.build.progress import timed_step
    from ernie_triton.perf.compression_report.measuring import QUICK_REPORT, ReportOptions
    from ernie_triton.perf.compression_report.table import markdown
    from ernie_triton.perf.compression_report.variants import variants_of
    from ernie_triton.perf.compression_report.writing import make_report, write_report
    from ernie_triton.perf.machine import available_precisions, cpu_precisions
    from ernie_triton.training.compression.compress import done_steps, print_progress
    from ernie_triton.training.compression.preparation import usual_max_length
    from ernie_triton.training.datasets import plain_dev, read_dataset

    precisions = arguments.precision or available_precisions(
        ["bf16"], cpu_precisions(), print_progress
    )
    steps = [step for step in done_steps(work) if step.name not in skipped]
    folder = work.output / "report"
    measured = work.data
    if arguments.test_file is not None:
        measured = read_dataset(
            measured.task, arguments.data, dataset=measured.name, dev_file=arguments.test_file
        )
    data = dataclasses.replace(measured, dev_path=plain_dev(measured, folder), is_plain=True)
    values = config_values(work.checkpoint)
    shape = f"{values.get('num_hidden_layers')} layers x {values.get('hidden_size')}"
    report = make_report(
        variants_of(work, steps, precisions),
        data,
        work.output / "model_repository",
        QUICK_REPORT
        if arguments.quick
        else ReportOptions(rounds=arguments.rounds, seconds=arguments.seconds),
        max_length=work.options.max_length or usual_max_length(work.checkpoint, data.task),
        title=f"{work.checkpoint.name} on {arguments.data.resolve().name}, {shape}",
        step=timed_step,
        progress=print_progress,
    )
    paths = write_report(report, folder)
    print(markdown(report))
    print("\n".join(map(str, paths)))
