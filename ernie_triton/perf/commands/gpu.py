"""`gpu`: one report of everything that can be measured on a machine with a GPU."""

import argparse
from pathlib import Path

from ernie_triton.errors import MissingExtraError
from ernie_triton.model_shapes import FAMILY
from ernie_triton.perf.commands import check_output, write_progress


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Run graphs of random weights on this machine's GPU in ONNX Runtime (package "
        "onnxruntime-gpu), packed and padded, in FP32, FP16 and INT8, and a model in PyTorch: how "
        "exact they are, which operators stay on the CPU, and texts per second. Writes a Markdown "
        "report line by line, in about three minutes. Without a GPU the CPU stands in."
    )
    parser.add_argument(
        "--shape",
        action="append",
        choices=sorted(FAMILY),
        help="a model of the family (repeatable; default nano and medium)",
    )
    parser.add_argument(
        "--seconds", type=float, default=0.4, help="duration of a figure (default %(default)s)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="try the command: figures too short to trust"
    )
    parser.add_argument("--output", type=Path, help="also write the report to this file")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    try:
        from ernie_triton.perf.gpu.report import GpuRun, gpu_report, smaller
        from ernie_triton.perf.gpu.sessions import best_provider
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "train", "the GPU report") from error

    names = arguments.shape or ["nano", "medium"]
    wanted = GpuRun(
        shapes={name: FAMILY[name] for name in names},
        provider=best_provider(),
        seconds=arguments.seconds,
    )
    if arguments.quick:
        wanted = smaller(wanted)
    output: Path | None = arguments.output
    if output is not None:
        check_output(output)
    parts = []
    for part in gpu_report(wanted, write_progress):
        print(part, flush=True)
        parts.append(part)
        if output is not None:  # what was found stays, should the machine be taken away
            output.write_text("\n".join(parts) + "\n", encoding="utf-8")
    return 0
