"""Make a running server's build before live again: `ernie-triton rollback`."""

import argparse

from ernie_triton.server.builds.control_socket import add_port_option, ask_server


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Make the build before the live one again, in the running `serve` of this user on this "
        "machine. A second rollback goes forward again."
    )
    parser.add_argument("name", metavar="NAME", help="the pipeline")
    add_port_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    request = {"command": "rollback", "name": arguments.name}
    for line in ask_server(arguments.grpc_port, request):
        print(line)
    return 0
