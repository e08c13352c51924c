"""Take a new build into a running server: `ernie-triton reload`."""

import argparse

from ernie_triton.server.builds.control_socket import add_port_option, ask_server


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Take the repository's build of a pipeline into the running `serve` of this user on this "
        "machine. Every request is answered, each by one build; the build before is kept."
    )
    parser.add_argument("name", metavar="NAME", help="the pipeline")
    parser.add_argument(
        "--canary",
        action="store_true",
        help="leave NAME as it is; the new build answers as NAME@BUILD beside it",
    )
    add_port_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    request = {"command": "reload", "name": arguments.name, "canary": arguments.canary}
    for line in ask_server(arguments.grpc_port, request):
        print(line)
    return 0
