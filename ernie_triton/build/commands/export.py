"""`export`: a checkpoint's graph as torch exports it."""

import argparse
from pathlib import Path

from ernie_triton.build.commands import Commands
from ernie_triton.build.progress import timed_step


def add_command(commands: Commands) -> None:
    """Add the command and its options."""
    export = commands.add_parser(
        "export",
        help="write a checkpoint's graph as torch exports it (extra train)",
        description="Write exported.onnx beside the weights of a transformers sequence "
        "classifier: the graph as torch's exporter makes it, FP32, for padded rows. The baseline "
        "serves it. Prints the file.",
        allow_abbrev=False,
    )
    export.add_argument("checkpoint", type=Path, help="a transformers checkpoint")
    export.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    # Needs the extra `train`; the other commands do not.
    from ernie_triton.build.random_models.torch_export import export_checkpoint

    with timed_step("export"):
        path = export_checkpoint(arguments.checkpoint)
    print(path)
    return 0
