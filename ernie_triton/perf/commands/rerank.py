"""`rerank`: compare reranking with sentence-transformers' CrossEncoder."""

import argparse
from pathlib import Path

from ernie_triton.perf.commands import add_our_build, our_build, write_progress


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Serve a cross-encoder, and rank the same documents with it and with CrossEncoder on ONNX "
        "Runtime, OpenVINO and torch, in turn. Prints a table of times and ratios."
    )
    parser.add_argument("checkpoint", type=Path, help="a cross-encoder with one label")
    parser.add_argument(
        "--python",
        required=True,
        metavar="PYTHON",
        help="Python of an environment with sentence-transformers[onnx,openvino]",
    )
    parser.add_argument("--documents", type=int, default=100, help="default: %(default)s")
    parser.add_argument(
        "--characters", type=int, default=200, help="of a document (default: %(default)s)"
    )
    parser.add_argument(
        "--spread", type=int, default=0, help="distance of the lengths from that, either way"
    )
    parser.add_argument("--rounds", type=int, default=7, help="default: %(default)s")
    parser.add_argument(
        "--quantized",
        action="store_true",
        help="also CrossEncoder's own INT8, for ONNX Runtime and OpenVINO (package datasets)",
    )
    add_our_build(parser, engine="auto")
    parser.add_argument(
        "--allowed-changes",
        type=float,
        metavar="SHARE",
        help="of ours in INT8; 1 leaves no layer of random weights in floating point",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from ernie_triton.perf.others.reranking import (
        BACKENDS,
        QUANTIZED,
        RerankLoad,
        compare_reranking,
        cross_encoder_command,
    )

    load = RerankLoad(
        documents=arguments.documents,
        characters=arguments.characters,
        spread=arguments.spread,
        rounds=arguments.rounds,
    )
    options = our_build(arguments)
    if arguments.allowed_changes is not None:
        options += ("--allowed-changes", str(arguments.allowed_changes))
    backends = (*BACKENDS, *QUANTIZED) if arguments.quantized else BACKENDS
    checkpoint, python = arguments.checkpoint, arguments.python
    others = {
        f"CrossEncoder {backend}": cross_encoder_command(python, checkpoint, backend)
        for backend in backends
    }
    found = compare_reranking(checkpoint, others, load, options, write_progress)
    print("\n".join(found))
    return 0
