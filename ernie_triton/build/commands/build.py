"""Build a checkpoint into a model repository: the command `build`."""

import argparse

from ernie_triton.build.commands.build_options import add_build_options, spec_from_options
from ernie_triton.build.flow import build_pipeline
from ernie_triton.build.progress import timed_step
from ernie_triton.build.publish.summary import summary


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Build a checkpoint into a model repository. Give a checkpoint folder, an exported file "
        "or a pipeline TOML; options replace the values of a TOML. The task is inferred where the "
        "checkpoint says it."
    )
    add_build_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    source = given.pop("source", None)
    manifest = build_pipeline(spec_from_options(source, given), timed_step)
    print(summary(manifest))
    return 0
