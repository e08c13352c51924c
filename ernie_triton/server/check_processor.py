"""Check on this processor what INT8 and BF16 engines answered where they were built.

The command `check-processor`; a server does it before it starts, for the engines that were built on
a processor with other instruction sets. It runs in a process of its own, so that the server's
parent does not keep the runtimes in memory.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.engines.proof import Proof, read_proof
from ernie_triton.errors import ErnieTritonError, RepositoryError, ServerError
from ernie_triton.processes.child_process import run_child
from ernie_triton.processor import instruction_sets
from ernie_triton.server.builds.files import versions_of
from ernie_triton.server.builds.manifest_file import MANIFEST_FILE, read_sealed
from ernie_triton.server.check_options import add_check_options
from ernie_triton.stage_names import pipeline_and_part

OTHER_PROCESSOR = ("check", "refuse")
"""The choices of a server for engines that were built on another processor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvedEngine:
    """An engine with its proof; `folder` is its version's."""

    pipeline: str
    folder: Path
    proof: Proof

    @property
    def is_of_this_processor(self) -> bool:
        """True where this processor has the same instruction sets as the proof's."""
        return self.proof.instructions == instruction_sets()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Run the texts that a build stored for its INT8 or BF16 engine on this processor, and "
        "compare the answers with those of the processor of the build. Ends with 0 where all are "
        "the same (or there is none to check), with 1 where one is not. A server does it by itself."
    )
    add_check_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    same = [_is_same(engine) for engine in proved_engines(arguments.repository, arguments.model)]
    if not same:
        print(f"{arguments.repository} has no INT8 or BF16 engine for CPUs; nothing to check")
    return 0 if all(same) else 1


def proved_engines(repository: Path, models: Sequence[str] = ()) -> list[ProvedEngine]:
    """The newest engines of a repository that have a proof, by the names of their pipelines.

    Args:
        repository: the model repository.
        models: pipelines to look at; every one when empty.

    Raises:
        ServerError: the repository is not a folder.
        EngineError: a proof is damaged.
    """
    if not repository.is_dir():
        raise ServerError(f"the model repository {repository} is not a folder")
    engines = []
    for model in sorted(path for path in repository.iterdir() if path.is_dir()):
        versions = versions_of(model)
        pipeline, _ = pipeline_and_part(model.name)
        if not versions or (models and pipeline not in models and model.name not in models):
            continue
        folder = model / str(versions[-1])
        proof = read_proof(folder)
        if proof is not None:
            engines.append(ProvedEngine(pipeline=pipeline, folder=folder, proof=proof))
    return engines


def chosen_elsewhere(repository: Path, models: Sequence[str] = ()) -> list[str]:
    """A line for each engine that was chosen by its speed on a processor with other instructions.

    Another engine may be faster here; the answers are not in question. Manifests that cannot be
    read are left to the verification of builds.

    Args:
        repository: the model repository.
        models: pipelines to look at; every one when empty.
    """
    lines = []
    for path in sorted(repository.glob(f"*/*/{MANIFEST_FILE}")):
        try:
            made = read_sealed(path)
        except RepositoryError:
            continue
        if not made.get("choice") or (models and made["name"] not in models):
            continue
        built = tuple(made["engine"]["instructions"])
        if built != instruction_sets():
            lines.append(
                f"{made['name']}: {made['engine']['engine']} was the fastest engine on a "
                f"processor with {_named(built)}; this one has {_named(instruction_sets())}: "
                f"build it here to choose again"
            )
    return lines


def answers_here(repository: Path, models: Sequence[str], choice: str) -> bool:
    """Check the engines of other processors, in a process of its own; prints a line for each.

    Args:
        repository: the model repository.
        models: pipelines that will be served; every one when empty.
        choice: one of `OTHER_PROCESSOR`.

    Returns:
        False where an engine answers otherwise here.

    Raises:
        ServerError: engines of other processors are to be refused, or the check crashed.
    """
    for line in chosen_elsewhere(repository, models):
        print(line, flush=True)
    others = [
        engine for engine in proved_engines(repository, models) if not engine.is_of_this_processor
    ]
    if not others:
        return True
    if choice == "refuse":
        built, here = others[0].proof.instructions, instruction_sets()
        raise ServerError(
            f"{others[0].pipeline} was built on a processor with {_named(built)}, and this one has "
            f"{_named(here)}; build it here, or let the server check it"
        )
    options = [part for engine in others for part in ("--model", engine.pipeline)]
    command = [sys.executable, "-m", "ernie_triton", "check-processor"]
    done = run_child([*command, "--repository", str(repository), *options])
    if done.returncode not in (0, 1):
        raise ServerError(
            f"the check of {', '.join(engine.pipeline for engine in others)} on this processor "
            f"crashed (code {done.returncode}); build them here"
        )
    return done.returncode == 0


def check_processor(repository: Path, name: str, choice: str) -> None:
    """Check one pipeline as `answers_here` does.

    Raises:
        ServerError: its engine answers otherwise here, or is to be refused.
    """
    if not answers_here(repository, (name,), choice):
        raise ServerError(f"the build of {name} is for another processor; build it here")


def _is_same(engine: ProvedEngine) -> bool:
    proof = engine.proof
    what = f"{engine.pipeline}: {proof.settings.engine} {proof.settings.precision}"
    try:
        largest = proof.repeat(engine.folder)
    except ErnieTritonError as error:
        print(f"error: {engine.pipeline}: {error}; build it here", file=sys.stderr, flush=True)
        return False
    print(
        f"{what}, built on a processor with {_named(proof.instructions)}: on this one "
        f"({_named(instruction_sets())}) {proof.rows.rows} texts differ by {largest:.1e} at most, "
        f"allowed {proof.limit:.0e}",
        flush=True,
    )
    return True


def _named(instructions: Sequence[str]) -> str:
    return ", ".join(instructions) or "unknown instruction sets"
