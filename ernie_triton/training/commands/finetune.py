"""`ernie-triton finetune`: fine-tune a checkpoint on labelled data.

Its options have the names of the ERNIE 3.0 toolkit's scripts too (`run_seq_cls.py`,
`run_token_cls.py`, `run_qa.py` in PaddleNLP, model_zoo/ernie-3.0), with dashes or underscores.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ernie_triton.training.datasets import TRAINED_TASKS, PromptRules
from ernie_triton.training.datasets.reading import DATASETS
from ernie_triton.training.finetune.finetuning import (
    CURVE_FILE,
    FineTuned,
    FineTuning,
    data_lines,
    finetune,
)
from ernie_triton.training.loop.schedule import TRAINING_PRECISIONS
from ernie_triton.training.loop.training import CHECKPOINT_EVERY_S, leave_processes

_DESCRIPTION = (
    "Fine-tune a checkpoint on labelled data in CLUE's formats, or doccano's for extraction. "
    "Hyper-parameters that are not given come from ernie_triton/training/finetune/recipes.toml, by "
    "the name of the data set. A killed run resumes when it is started again. To use N GPUs, run: "
    "torchrun --nproc-per-node N -m ernie_triton finetune …"
)

_HYPER_PARAMETERS: Sequence[tuple[tuple[str, ...], str, type, str, str, str]] = (
    (
        ("--max_seq_length",),
        *("max_length", int, "TOKENS", "most tokens of a row, special tokens included", ""),
    ),
    (("--learning_rate",), "learning_rate", float, "RATE", "highest rate, after the warm-up", ""),
    (("--num_train_epochs", "--epochs"), "epochs", int, "N", "passes over the training rows", ""),
    (
        ("--per_device_train_batch_size", "--batch_size"),
        *("batch_size", int, "ROWS", "rows of a batch on each device", ""),
    ),
    (
        ("--warmup_ratio", "--warmup_proportion"),
        *("warmup_share", float, "SHARE", "share of the steps in which the rate rises", "0.1"),
    ),
    (("--weight_decay",), "weight_decay", float, "DECAY", "of AdamW", "0.01"),
    (
        ("--max_grad_norm",),
        *(
            "max_gradient_norm",
            float,
            "NORM",
            "longer gradients are scaled down to it, 0: no limit",
            "1",
        ),
    ),
    (
        ("--label_smoothing",),
        *("label_smoothing", float, "SHARE", "of a label's probability to spread over all", "0"),
    ),
    (
        ("--gradient_accumulation_steps",),
        *("accumulation_steps", int, "N", "batches whose gradients make one step", "1"),
    ),
    (("--max_steps",), "max_steps", int, "N", "end after this many steps, 0: no limit", "0"),
    (
        ("--evaluations_per_epoch",),
        *("evaluations_per_epoch", int, "N", "evaluations on the development set", "1"),
    ),
    (
        ("--early_stopping", "--early_stopping_patience"),
        *(
            "early_stopping",
            int,
            "N",
            "stop after this many evaluations without progress",
            "0, never",
        ),
    ),
    (("--seed",), "seed", int, "N", "seed of new weights, order and dropout", "42"),
)
"""Spellings, name in `Schedule`, type, placeholder, help, and default; an empty default is the
recipe's."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options; hyper-parameters default to None."""
    parser.description = _DESCRIPTION
    parser.add_argument("task", choices=TRAINED_TASKS, help="task to train")
    texts = {
        "--checkpoint": "the base: a transformers or PaddleNLP checkpoint; with config.json and "
        "vocab.txt alone, weights are random",
        "--data": "folder with train.json and dev.json, and optional labels.json or labels.txt; "
        "for extraction also one export of doccano, doccano_ext.json or all.jsonl",
        "--output": "checkpoint to write; a killed run resumes from OUTPUT.work beside it",
    }
    toolkit = {"--checkpoint": ("--model_name_or_path",), "--output": ("--output_dir",)}
    for name, text in texts.items():
        spellings = (name, *toolkit.get(name, ()))
        metavar = "FOLDER"
        _add(parser, *spellings, type=Path, required=True, metavar=metavar, help=text)
    names = sorted(name for known in DATASETS.values() for name in known)
    text = f"format of the data, one of {', '.join(names)} (default: recognised by its keys)"
    _add(parser, "--dataset", choices=names, default="", metavar="NAME", help=text)
    for split in ("train", "dev"):
        text = f"replaces the folder's {split}.json"
        _add(parser, f"--{split}_file", type=Path, metavar="FILE", help=text)
    group = parser.add_argument_group("hyper-parameters")
    for spellings, dest, kind, metavar, text, default in _HYPER_PARAMETERS:
        text = f"{text} (default: {default or 'the recipe of the data set'})"
        _add(group, *spellings, dest=dest, type=kind, metavar=metavar, help=text)
    _add_prompt_options(parser.add_argument_group("extraction"))
    _add_run_options(parser.add_argument_group("the run"))


def _add_prompt_options(group: "argparse._ArgumentGroup") -> None:
    usual = PromptRules()
    text = "prompts without an answer for each with one, -1: all (default: %(default)s)"
    _add(group, "--negative_ratio", type=int, default=usual.negative_ratio, metavar="N", help=text)
    text = "what classes of texts or entities are asked by (default: %(default)s)"
    _add(group, "--prompt_prefix", default=usual.prompt_prefix, metavar="NAME", help=text)
    text = "the classes (default: those of the training lines)"
    _add(group, "--options", nargs="+", default=(), metavar="NAME", help=text)
    text = "stands between the label and the class of an entity (default: %(default)s)"
    _add(group, "--separator", default=usual.separator, metavar="TEXT", help=text)
    text = "share of the lines to evaluate on, where there is no dev file (default: %(default)s)"
    _add(group, "--dev_share", type=float, default=usual.dev_share, metavar="SHARE", help=text)


def _add_run_options(group: "argparse._ArgumentGroup") -> None:
    text = "weights to keep: of the best or the last evaluation (default: best)"
    _add(group, "--keep", choices=("best", "last"), default="best", help=text)
    text = (
        "number format (default: auto: on a GPU bf16 if it has it, else fp16; on a CPU bf16 if it "
        "has instructions for it, else fp32)"
    )
    _add(group, "--precision", choices=TRAINING_PRECISIONS, default="auto", help=text)
    text = "start anew instead of resuming a killed run"
    _add(group, "--no_resume", action="store_true", help=text)
    text = "between checkpoints, besides those at evaluations (default: %(default)g)"
    _add(
        group,
        *("--checkpoint_every_s",),
        type=float,
        default=CHECKPOINT_EVERY_S,
        metavar="SECONDS",
        help=text,
    )


def _add(parser: "argparse._ActionsContainer", *names: str, **options: Any) -> None:  # noqa: ANN401
    """Add an option, spelled with dashes and with the toolkit's underscores."""
    spelled = [name.replace("_", "-") for name in names]
    parser.add_argument(*dict.fromkeys([*spelled, *names]), **options)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; prints the result and the command to run next; returns its exit code."""
    given = {dest: getattr(arguments, dest) for _, dest, *_ in _HYPER_PARAMETERS}
    given = {name: value for name, value in given.items() if value is not None}
    given |= {"precision": arguments.precision, "keep_best": arguments.keep == "best"}
    wanted = FineTuning(
        task=arguments.task,
        checkpoint=arguments.checkpoint,
        data=arguments.data,
        output=arguments.output,
        dataset=arguments.dataset,
        train_file=arguments.train_file,
        dev_file=arguments.dev_file,
        prompt_rules=PromptRules(
            negative_ratio=arguments.negative_ratio,
            prompt_prefix=arguments.prompt_prefix,
            options=tuple(arguments.options),
            separator=arguments.separator,
            dev_share=arguments.dev_share,
        ),
        given=given,
        resume=not arguments.no_resume,
        checkpoint_every_s=arguments.checkpoint_every_s,
    )
    # torchrun starts every process with the same command line.
    is_first = os.environ.get("RANK", "0") == "0"
    made = finetune(wanted, _note if is_first else lambda _: None)
    leave_processes()
    if is_first:
        print("\n".join(_summary(made)))
    return 0


def _summary(made: FineTuned) -> list[str]:
    """Format the outcome as lines."""
    result, wanted = made.result, made.wanted
    head, *notes = data_lines(made.data)
    count = len(result.history.evaluations)
    build = [
        *("ernie-triton", "build", str(wanted.output)),
        *made.pipeline_options(),
        *("--repository", "model_repository"),
    ]
    return [
        f"data    {head}",
        *(f"        {note}" for note in notes),
        f"metric  {result.metric} {result.points:.2f} on {len(made.data.dev)} lines, after epoch "
        f"{result.kept.epoch:.2f} ({made.recipe.kept} of {count} evaluations)",
        f"time    {result.seconds:.1f} s, {result.steps} steps in {result.precision}"
        + (f" by {result.processes} processes" if result.processes > 1 else ""),
        f"output  {wanted.output} ({made.parameters:,} parameters; {CURVE_FILE} is its curve)",
        f"next    {shlex.join(build)}",
    ]


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
