"""The command `ernie-triton`: every command of the project, with the module behind it."""

import sys
from collections.abc import Sequence

from ernie_triton.commands import Command, run_commands

_ASK = (
    Command(
        name="seq_cls",
        help="classify texts or pairs: one label, several labels, or a score",
        module="ernie_triton.client.cli.seq_cls",
        extra="client",
    ),
    Command(
        name="multi_label",
        help="find all labels of texts or pairs",
        module="ernie_triton.client.cli.multi_label",
        extra="client",
    ),
    Command(
        name="regression",
        help="score texts or pairs with one number",
        module="ernie_triton.client.cli.regression",
        extra="client",
    ),
    Command(
        name="token_cls",
        help="find entities in texts",
        module="ernie_triton.client.cli.token_cls",
        extra="client",
    ),
    Command(
        name="qa",
        help="answer questions about contexts",
        module="ernie_triton.client.cli.qa",
        extra="client",
    ),
    Command(
        name="embedding",
        help="turn texts into vectors, or pairs of texts into cosines",
        module="ernie_triton.client.cli.embedding",
        extra="client",
    ),
)

_PERF = (
    Command(
        name="run",
        help="measure a scenario",
        module="ernie_triton.perf.commands.run",
        extra="perf",
    ),
    Command(
        name="report",
        help="show results as a table and plots",
        module="ernie_triton.perf.commands.report",
        extra="perf",
    ),
    Command(
        name="compare",
        help="compare two models measured in turn, or two finished runs",
        module="ernie_triton.perf.commands.compare",
        extra="perf",
    ),
    Command(
        name="analyze",
        help="run perf_analyzer with texts of a file",
        module="ernie_triton.perf.commands.analyze",
        extra="perf",
        takes_rest=True,
    ),
    Command(
        name="goals",
        help="measure every objective on speed in one run, as a table of ratios",
        module="ernie_triton.perf.commands.goals",
        extra="perf",
    ),
    Command(
        name="baseline",
        help="write a model repository as the published example has it",
        module="ernie_triton.perf.commands.baseline",
        extra="perf",
    ),
    Command(
        name="limit",
        help="measure this machine's matrix-multiply peak, and results as fractions of it",
        module="ernie_triton.perf.commands.limit",
        extra="perf",
    ),
    Command(
        name="floor",
        help="measure the latency of the server itself",
        module="ernie_triton.perf.commands.floor",
        extra="perf",
    ),
    Command(
        name="scaling",
        help="measure how cost grows with sequence length, batch, layers and width",
        module="ernie_triton.perf.commands.scaling",
        extra="perf",
    ),
    Command(
        name="tokenizer",
        help="compare our tokenizer's speed with the tokenizers library's",
        module="ernie_triton.perf.commands.tokenizer",
        extra="perf",
    ),
    Command(
        name="tune",
        help="find the threads, instances, batch and delay that suit this machine",
        module="ernie_triton.perf.commands.tune",
        extra="perf",
    ),
)

COMMANDS = (
    Command(
        name="inspect",
        help="say what a checkpoint is, without building",
        module="ernie_triton.build.commands.inspect",
        extra="build",
    ),
    Command(
        name="build",
        help="build a checkpoint into a model repository",
        module="ernie_triton.build.commands.build",
        extra="build",
    ),
    Command(
        name="serve",
        help="serve a model repository on this machine until Ctrl-C",
        module="ernie_triton.server.serve",
        extra="server",
    ),
    Command(name="ask", help="Ask a served pipeline.", group=_ASK),
    Command(
        name="finetune",
        help="fine-tune a checkpoint on labelled data",
        module="ernie_triton.training.commands.finetune",
        extra="train",
    ),
    Command(
        name="prune",
        help="remove the least important heads and neurons of a fine-tuned model",
        module="ernie_triton.training.commands.prune",
        extra="train",
    ),
    Command(
        name="distil",
        help="teach a smaller student what a fine-tuned model has learned",
        module="ernie_triton.training.commands.distil",
        extra="train",
    ),
    Command(
        name="quantize",
        help="make a fine-tuned checkpoint ready for INT8",
        module="ernie_triton.training.commands.quantize",
        extra="train",
    ),
    Command(
        name="compress",
        help="prune, distil and quantise a checkpoint, and report what each is worth",
        module="ernie_triton.perf.compression_report.command",
        extra="train,perf",
    ),
    Command(name="perf", help="Measure a server with the real perf_analyzer.", group=_PERF),
    Command(
        name="engine",
        help="build the TensorRT plans of a repository for the GPU of this machine",
        module="ernie_triton.build.commands.engine",
        extra="tensorrt",
    ),
    Command(
        name="check-engine",
        help="compile a graph for a GPU that is not there (TensorRT for RTX)",
        module="ernie_triton.build.commands.check_engine",
        extra="build,tensorrt-check",
    ),
    Command(
        name="check-plans",
        help="say whether this machine's TensorRT and GPU can load a repository's plans",
        module="ernie_triton.server.check_plans",
    ),
    Command(
        name="supervise",
        help="run tritonserver and end when the process of a stage has died",
        module="ernie_triton.server.supervise",
    ),
    Command(
        name="health",
        help="ask every ensemble of a server one question",
        module="ernie_triton.server.health",
    ),
    Command(
        name="random",
        help="write a checkpoint of random weights, to measure with",
        module="ernie_triton.build.commands.random",
        extra="build",
    ),
    Command(
        name="export",
        help="write a checkpoint's graph as torch exports it",
        module="ernie_triton.build.commands.export",
        extra="train",
    ),
    Command(
        name="benchmark",
        help="compare the engines with the graph as exported, as ratios",
        module="ernie_triton.perf.commands.benchmark",
        extra="train,perf",
    ),
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
