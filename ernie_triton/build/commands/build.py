"""Build checkpoints into a model repository: the command `build`."""

import argparse
import os
import sys
from pathlib import Path

from ernie_triton.build.commands.build_options import add_build_options, spec_from_options
from ernie_triton.build.flow import build_pipeline
from ernie_triton.build.progress import timed_step
from ernie_triton.build.publish.summary import summary
from ernie_triton.errors import UsageError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Build a checkpoint into a model repository. Give a checkpoint folder, an exported file "
        "or a pipeline TOML; options replace the values of a TOML. The task is inferred where the "
        "checkpoint says it. Several are built one after the other; each is there when it is done."
    )
    add_build_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    sources: list[Path | None] = given.pop("sources") or [None]
    for option in ("name", "checkpoint"):
        if len(sources) > 1 and option in given:
            raise UsageError(f"--{option} is for one checkpoint; found {len(sources)}")
    # PyTorch, which answers the sample texts, has threads that spin while they wait for each other.
    # Beside other programs that took three times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for source in sources:
        if len(sources) > 1:
            print(f"{source}:", file=sys.stderr, flush=True)
        manifest = build_pipeline(spec_from_options(source, dict(given)), timed_step)
        print(summary(manifest), flush=True)
    return 0
