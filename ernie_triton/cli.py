"""The command `ernie-triton`: every command of the project, with the module behind it."""

import sys
from collections.abc import Mapping, Sequence

from ernie_triton.commands import Command, run_commands


def _commands(room: str, extra: str, helps: Mapping[str, str]) -> tuple[Command, ...]:
    """Make the commands of a room, whose modules have the commands' names."""
    return tuple(
        Command(
            name=name,
            help=text,
            module=f"ernie_triton.{room}.{name.replace('-', '_')}",
            extra=extra,
        )
        for name, text in helps.items()
    )


_ASK = _commands(
    "client.cli",
    "client",
    {
        "seq_cls": "classify texts or pairs: one label, several labels, or a score",
        "multi_label": "find all labels of texts or pairs",
        "regression": "score texts or pairs with one number",
        "rerank": "rank documents by their relevance to a query",
        "choice": "choose the answers to questions from options",
        "token_cls": "find entities in texts",
        "qa": "answer questions about contexts",
        "extraction": "find what a schema names in texts",
        "cloze": "fill in the masks of texts",
        "embedding": "turn texts into vectors, or pairs of texts into cosines",
        "sparse": "weigh the tokens of texts",
        "colbert": "turn texts into the vectors of their tokens, or score pairs by them",
    },
)

_PERF = (
    *_commands(
        "perf.commands",
        "perf",
        {
            "run": "measure a scenario",
            "report": "show results as a table and plots",
            "compare": "compare two models measured in turn, or two finished runs",
            "goals": "measure every objective on speed in one run, as a table of ratios",
            "baseline": "write a model repository as the published example has it",
            "limit": "measure this machine's matrix-multiply peak, and results as fractions of it",
            "floor": "measure the latency of the server itself",
            "gateway-cost": "compare a gateway with direct gRPC, as ratios",
            "gateway-memory": "watch a gateway's memory under mixed requests",
            "scaling": "measure how cost grows with sequence length, batch, layers and width",
            "tokenizer": "compare our tokenizer's speed with the tokenizers library's",
            "peers": "compare serving with FastAPI, mosec and LitServe around ONNX Runtime",
            "rerank": "compare reranking with sentence-transformers' CrossEncoder",
            "extraction": "compare information extraction with PaddleNLP's Taskflow",
            "chaos": "break a served repository on purpose, and count what its users would see",
            "gpu": "write a report of graphs on this machine's GPU",
            "compression": "print one table of several runs of compress",
            "tune": "find the threads, instances, batch and delay that suit this machine",
        },
    ),
    Command(
        name="analyze",
        help="run perf_analyzer with texts of a file",
        module="ernie_triton.perf.commands.analyze",
        extra="perf",
        takes_rest=True,
    ),
)

COMMANDS = (
    *_commands(
        "build.commands",
        "build",
        {
            "inspect": "say what a checkpoint is, without building",
            "build": "build a checkpoint into a model repository",
            "random": "write a checkpoint of random weights, to measure with",
        },
    ),
    *_commands(
        "server", "server", {"serve": "serve a model repository on this machine until Ctrl-C"}
    ),
    *_commands(
        "gateway",
        "gateway",
        {
            "gateway": "serve HTTP with JSON, and a page, before Triton servers until Ctrl-C",
            "gateway-key": "make an API key of a gateway",
        },
    ),
    *_commands(
        "server.builds",
        "",
        {
            "verify": "compare the files of a repository with the checksums of their builds",
            "reload": "take a new build into a running server, without a failed request",
            "rollback": "make the build before live again in a running server",
            "builds": "list or unload the builds of a running server",
        },
    ),
    Command(name="ask", help="Ask a served pipeline.", group=_ASK),
    *_commands(
        "bulk",
        "ray",
        {"batch": "answer a large file with many processes, on one machine or several"},
    ),
    *_commands(
        "training.commands",
        "train",
        {
            "finetune": "fine-tune a checkpoint on labelled data",
            "prune": "remove the least important heads and neurons of a fine-tuned model",
            "distil": "teach a smaller student what a fine-tuned model has learned",
            "quantize": "make a fine-tuned checkpoint ready for INT8",
        },
    ),
    Command(
        name="compress",
        help="prune, distil and quantise a checkpoint, and report what each is worth",
        module="ernie_triton.perf.compression_report.command",
        extra="train,perf",
    ),
    Command(name="perf", help="Measure a server with the real perf_analyzer.", group=_PERF),
    *_commands(
        "perf.commands",
        "train,perf",
        {"benchmark": "compare the engines with the graph as exported, as ratios"},
    ),
    *_commands(
        "build.commands", "train", {"export": "write a checkpoint's graph as torch exports it"}
    ),
    *_commands(
        "build.commands",
        "tensorrt",
        {"engine": "build the TensorRT plans of a repository for the GPU of this machine"},
    ),
    *_commands(
        "build.commands",
        "tensorrt-rtx",
        {"check-engine": "compile a graph for a GPU that is not there (TensorRT for RTX)"},
    ),
    *_commands(
        "server",
        "",
        {
            "check-plans": "check that this machine can load a repository's TensorRT plans",
            "check-processor": "check that INT8 and BF16 engines built elsewhere are exact here",
            "supervise": "run tritonserver, bring back its stages, stop it without loss",
        },
    ),
    *_commands("server.installation", "", {"doctor": "check this installation, say what to mend"}),
    *_commands("client", "client", {"health": "ask every ensemble of a server one question"}),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments; those of the process where there are none.

    Returns:
        0 done, 1 the user can mend it, otherwise the exit code of the program that was run.

    Raises:
        SystemExit: 0 after `--help`; 2 for wrong usage.
    """
    given = sys.argv[1:] if argv is None else argv
    description = "Serve fine-tuned Chinese language models with Triton."
    return run_commands(COMMANDS, description, given, "ernie-triton")
