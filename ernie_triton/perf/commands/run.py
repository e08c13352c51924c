"""`run`: measure a scenario with the real perf_analyzer."""

import argparse
import dataclasses
import datetime
import os
import sys
from pathlib import Path

from ernie_triton.errors import DatasetError, MissingExtraError, ScenarioError
from ernie_triton.perf.analyzer.text_spec import TextSpec
from ernie_triton.perf.commands import CACHE, check_output, sigterm_as_ctrl_c, write_progress
from ernie_triton.perf.reporting.notes import mixed_load_lines
from ernie_triton.perf.reporting.table import result_table
from ernie_triton.perf.results import ScenarioRun
from ernie_triton.perf.running.scenario import Scenario, load_scenario


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Measure every subject of a scenario under every load with the real perf_analyzer, and "
        "check answers under load against solo answers. Ends with code 1 where an answer differs "
        "or figures are unstable. Prints a table, then the file of the results."
    )
    parser.add_argument("scenario", type=Path, help="TOML, such as perf/scenarios/cpu.toml")
    _add_place(parser)
    _add_choices(parser)
    parser.add_argument(
        "--output", type=Path, help=f"results as JSON (default: {CACHE}/SCENARIO-TIME.json)"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="try the scenario: first and last levels in windows of 0.25 s, marked as unstable",
    )
    parser.add_argument(
        "--accept-unstable",
        action="store_true",
        help="end with code 0 even where figures are unstable",
    )


def _add_place(run: argparse.ArgumentParser) -> None:
    """Add the options for the place of the models."""
    run.add_argument(
        "--url", default="", help="host:port of a running server's gRPC (default: start one)"
    )
    run.add_argument(
        "--metrics-url",
        default="",
        help="of that server, for the stages of joined pipelines (default: the port after gRPC's)",
    )
    run.add_argument(
        "--repository",
        type=Path,
        default=Path("model_repository"),
        help="model repository to serve without --url (default %(default)s)",
    )


def _add_choices(run: argparse.ArgumentParser) -> None:
    """Add the options that choose a part of the scenario."""
    run.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="SUBJECT=MODEL",
        help="measure this model for a subject of the scenario (repeatable)",
    )
    run.add_argument(
        "--subject",
        action="append",
        default=[],
        metavar="NAME",
        help="measure this subject alone (repeatable)",
    )
    run.add_argument(
        "--texts",
        type=Path,
        help="send the lines of this file, a TAB between the texts of a row, instead of the "
        "scenario's texts",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    path: Path = arguments.scenario
    scenario = _chosen(load_scenario(path), arguments)
    now = datetime.datetime.now(datetime.timezone.utc)
    output = arguments.output or CACHE / f"{path.stem}-{now:%Y%m%d-%H%M%S}.json"
    check_output(output)
    try:
        with sigterm_as_ctrl_c():
            found = _measured(scenario, arguments)
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 1
    write_run(found, output)
    print(result_table(found.measurements).text())
    for line in mixed_load_lines(found.measurements):
        print(line)
    for failure in found.failures:
        print(f"failed: {failure}")
    print(output)
    if arguments.quick or arguments.accept_unstable:
        return 0
    return _verdict(found)


def _measured(scenario: Scenario, arguments: argparse.Namespace) -> ScenarioRun:
    """Run the scenario, importing here the modules that only measuring needs."""
    try:
        import psutil  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("psutil", "perf", "watching the machine") from error
    from ernie_triton.perf.running.runner import run_scenario
    from ernie_triton.perf.running.server import ServingPlace

    place = ServingPlace(
        url=arguments.url, metrics_url=arguments.metrics_url, repository=arguments.repository
    )
    name = arguments.scenario.stem
    return run_scenario(scenario, name, place, quick=arguments.quick, progress=write_progress)


def write_run(run: ScenarioRun, path: Path) -> None:
    """Write the results to a temporary file, then rename it.

    Raises:
        DatasetError: the file cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(run.to_json(), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error.strerror}") from error


def _chosen(scenario: Scenario, arguments: argparse.Namespace) -> Scenario:
    """Apply the command line's models, subjects and texts."""
    chosen = scenario.with_models(dict(map(_assignment, arguments.model)))
    if arguments.subject:
        names = [subject.name for subject in chosen.subjects]
        for name in arguments.subject:
            if name not in names:
                raise ScenarioError(f"there is no subject {name!r}; known are {', '.join(names)}")
        kept = tuple(one for one in chosen.subjects if one.name in arguments.subject)
        chosen = dataclasses.replace(chosen, subjects=kept)
    if arguments.texts:
        loads = tuple(dataclasses.replace(spec, texts=(), separate=False) for spec in chosen.loads)
        texts = TextSpec(file=arguments.texts)
        chosen = dataclasses.replace(chosen, texts=texts, loads=loads)
    return chosen


def _assignment(text: str) -> tuple[str, str]:
    subject, sign, model = text.partition("=")
    if not (subject and sign and model):
        raise ScenarioError(f"--model {text!r} is not SUBJECT=MODEL")
    return subject, model


def _verdict(run: ScenarioRun) -> int:
    unstable = [one for one in run.measurements if one.unstable]
    if unstable:
        print(
            f"error: {len(unstable)} of {len(run.measurements)} figures are unstable, as marked; "
            f"measure again on a quieter machine or for longer, or pass --accept-unstable",
            file=sys.stderr,
        )
    if run.failures:
        print(f"error: {len(run.failures)} load(s) gave no figures", file=sys.stderr)
    return 1 if unstable or run.failures else 0
