"""Verify the builds of a model repository: `ernie-triton verify`."""

import argparse
import sys
from pathlib import Path

from ernie_triton.errors import RepositoryError
from ernie_triton.server.builds.recording import accept_build
from ernie_triton.server.builds.verification import VerifiedBuild, repository_state


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Compare every file of the pipelines in a repository with the checksums of their builds, "
        "as a server does before it loads them. Ends with 0 where all are whole, otherwise with 1 "
        "and a line for each of the others."
    )
    parser.add_argument("--repository", type=Path, required=True, help="the model repository")
    parser.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="NAME",
        help="take the files of this pipeline as they are now: for a configuration that was "
        "changed by hand (repeatable)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    if not arguments.repository.is_dir():
        raise RepositoryError(f"the model repository {arguments.repository} is not a folder")
    for name in arguments.accept:
        accepted = accept_build(arguments.repository, name)
        for change in accepted.changes:
            print(f"{name}: accepted: {change}", file=sys.stderr)
    state = repository_state(arguments.repository)
    for build in state.whole:
        print(_line(build))
    for model in state.unverified:
        print(f"{model}: not verified, no build of ernie-triton made it")
    for line in state.refused:
        print(f"error: {line}", file=sys.stderr)
    return 1 if state.refused else 0


def _line(build: VerifiedBuild) -> str:
    accepted = f", changed on purpose: {', '.join(build.accepted)}" if build.accepted else ""
    return (
        f"{build.name} version {build.version}: build {build.identity}, {len(build.files)} files "
        f"whole{accepted}"
    )
