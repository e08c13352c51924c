"""`chaos`: break a served repository on purpose, under load."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from ernie_triton.perf.commands import check_output, sigterm_as_ctrl_c, write_progress


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Serve a copy of a repository and ask all its pipelines. Meanwhile kill and hang stages, "
        "reload and roll back builds, overfill queues, cancel requests and break connections. "
        "Prints what was answered, refused, failed, wrong and lost. Ends with code 1 if an answer "
        "was wrong or lost, or a pipeline failed that was not struck."
    )
    parser.add_argument(
        "--repository",
        type=Path,
        default=Path("model_repository"),
        help="model repository, which is only read (default %(default)s)",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=5.0,
        help="duration; every kind of fault strikes once at least (default %(default)g)",
    )
    parser.add_argument(
        "--concurrency", type=int, default=8, help="requests under way (default %(default)s)"
    )
    parser.add_argument(
        "--calm", type=float, default=5.0, help="seconds between faults (default %(default)g)"
    )
    parser.add_argument(
        "--timeout", type=float, default=30.0, help="seconds for a request (default %(default)g)"
    )
    parser.add_argument(
        "--retries",
        type=int,
        default=0,
        help="of the clients; 0 shows every failure of the server (default %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the order (default %(default)s)")
    parser.add_argument(
        "--output", type=Path, help="write strikes, failures and wrong answers here: JSON"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from ernie_triton.perf.chaos.run import ChaosOptions, run_chaos

    if arguments.output:
        check_output(arguments.output)
    options = ChaosOptions(
        repository=arguments.repository,
        minutes=arguments.minutes,
        threads=arguments.concurrency,
        calm_s=arguments.calm,
        timeout_s=arguments.timeout,
        retries=arguments.retries,
        seed=arguments.seed,
    )
    with sigterm_as_ctrl_c():
        report = run_chaos(options, write_progress)
    print(report.text())
    if arguments.output:
        found = {
            "strikes": [asdict(strike) for strike in report.strikes],
            "failures": [asdict(failure) for failure in report.counts.failures],
            "wrong": report.counts.differences,
        }
        text = json.dumps(found, ensure_ascii=False, indent=2)
        arguments.output.write_text(f"{text}\n", encoding="utf-8")
    return 0 if report.passed else 1
