"""List or unload the builds of a running server: `ernie-triton builds`."""

import argparse

from ernie_triton.server.builds.control_socket import add_port_option, ask_server


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "List the builds that the running `serve` of this user on this machine holds: live, before "
        "(for rollback), canary (answers as NAME@BUILD) and leaving (unloaded within a minute)."
    )
    parser.add_argument(
        "--forget", default="", metavar="NAME", help="unload all builds of NAME but the live one"
    )
    add_port_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    request = {"command": "forget" if arguments.forget else "builds", "name": arguments.forget}
    for line in ask_server(arguments.grpc_port, request):
        print(line)
    return 0
