"""Build the TensorRT plans of finished pipelines for this machine's GPU: the command `engine`."""

import argparse
import sys
from pathlib import Path

from ernie_triton.build.progress import timed_step
from ernie_triton.errors import PlanError
from ernie_triton.pipeline import TensorRtBuild


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Build the plans of pipelines whose engine is TensorRT from their finished "
        "ONNX graphs, for the GPU of this machine. Needs neither the checkpoint nor transformers. "
        "A plan that fits already is left alone."
    )
    defaults = TensorRtBuild()
    parser.add_argument("--repository", type=Path, required=True, help="the model repository")
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        help="build this pipeline's alone (repeatable; default: every one with TensorRT)",
    )
    parser.add_argument("--version", type=int, help="version directory (default: the newest)")
    parser.add_argument(
        "--rtx",
        action="store_true",
        help="build plans of TensorRT for RTX, which `serve` runs where its package is",
    )
    parser.add_argument("--force", action="store_true", help="build also where a plan fits")
    parser.add_argument(
        "--batch", type=int, default=0, help="rows of the batch to be fastest at (default 16)"
    )
    parser.add_argument(
        "--tokens",
        type=int,
        default=0,
        help="tokens of each of its rows, if packed (default: as the build's sample texts, or full "
        "windows); padded rows are always full",
    )
    parser.add_argument(
        "--builder-level",
        type=int,
        default=defaults.builder_level,
        help="optimisation level, 0 to 5 (default %(default)s)",
    )
    parser.add_argument(
        "--memory-mib",
        type=int,
        default=defaults.memory_mib,
        help="most GPU memory of the builder in MiB, 0: all (default %(default)s)",
    )
    parser.add_argument("--timing-cache", type=Path, help="file that keeps timings between builds")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from ernie_triton.build.tensorrt.plan import make_plan, this_machine
    from ernie_triton.build.tensorrt.plan_requests import UsualBatch, plan_requests
    from ernie_triton.gpu.plans import check_plan, facts_path
    from ernie_triton.server.builds.recording import record_files

    settings = TensorRtBuild(
        builder_level=arguments.builder_level,
        memory_mib=arguments.memory_mib,
        timing_cache=arguments.timing_cache,
    )
    usual = UsualBatch(rows=arguments.batch, tokens=arguments.tokens)
    requests = tuple(
        plan_requests(arguments.repository, arguments.name, settings, usual, arguments.version)
    )
    machine = this_machine(is_rtx=arguments.rtx)
    for stage, request in requests:
        plan = machine.plan_path(request.folder)
        if not arguments.force:
            try:
                version = machine.tensorrt.version
                check_plan(request.folder, machine.gpu, version, is_rtx=machine.is_rtx)
                print(f"{plan} fits this machine; nothing to do")
                continue
            except PlanError as error:
                print(f"{stage.pipeline}: {error}", file=sys.stderr, flush=True)
        facts = make_plan(request, machine, timed_step)
        record_files(
            arguments.repository,
            stage.pipeline,
            int(request.folder.name),
            (plan, facts_path(plan)),
        )
        print(
            f"{plan}: TensorRT {facts.tensorrt}, {facts.gpu} (compute capability "
            f"{facts.compute_capability}), {facts.precision} {facts.layout}, "
            f"{facts.size_bytes / (1 << 20):.1f} MiB, largest difference "
            f"{facts.largest_difference:.1e}, built in {facts.build_s:.0f} s"
        )
    return 0
