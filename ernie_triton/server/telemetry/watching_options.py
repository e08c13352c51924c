"""Options of `serve` for those who watch it: its log and its traces."""

import argparse
from pathlib import Path

from ernie_triton.log_settings import LOG_FORMATS, LOGGED_REQUESTS, LogSettings, default_requests
from ernie_triton.server.telemetry.tracing import Tracing


def add_watching_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group("watching")
    group.add_argument(
        "--log-format",
        choices=LOG_FORMATS,
        default="text",
        help="json: every event is one JSON object a line (default %(default)s)",
    )
    group.add_argument(
        "--log-requests",
        choices=LOGGED_REQUESTS,
        help="requests that get a line from each stage; failed: refused ones too (default: all in "
        "JSON, none in text)",
    )
    group.add_argument(
        "--log-texts", action="store_true", help="write the texts of requests into their lines"
    )
    group.add_argument(
        "--log-file",
        type=Path,
        metavar="FILE",
        help="append the log to a file, which may be renamed (default: standard error)",
    )
    group.add_argument(
        "--supervisor-port",
        type=int,
        metavar="PORT",
        help="port of this command's own metrics (restarts, reloads, requests in flight and "
        "refused), 0 for a free one (default: none)",
    )
    group.add_argument(
        "--supervisor-host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to bind that port to (default %(default)s)",
    )
    add_tracing_options(group)


def add_tracing_options(group: argparse._ArgumentGroup) -> None:
    """Add the options of `tracing`."""
    group.add_argument(
        "--otlp-endpoint",
        metavar="URL",
        help="send traces to this collector by OTLP over HTTP, as in http://localhost:4318",
    )
    group.add_argument(
        "--trace-rate",
        type=int,
        default=1,
        metavar="N",
        help="trace one request in N (default %(default)s)",
    )


def log_settings(arguments: argparse.Namespace) -> LogSettings:
    """Read the settings of the log."""
    return LogSettings(
        form=arguments.log_format,
        requests=arguments.log_requests or default_requests(arguments.log_format),
        texts=arguments.log_texts,
    )


def tracing(arguments: argparse.Namespace) -> Tracing | None:
    """Read where traces go, if anywhere.

    Raises:
        UsageError: the address or the rate is none.
    """
    if not arguments.otlp_endpoint:
        return None
    return Tracing(endpoint=arguments.otlp_endpoint, rate=arguments.trace_rate)
