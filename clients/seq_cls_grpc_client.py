"""Classify texts, or pairs of texts, on a Triton server.

The command line of sequence classification, over `command`; from Python use `clients.seq_cls`.

    python clients/seq_cls_grpc_client.py --text 今天的股市大涨 --text 球队赢得了冠军 --top-k 3
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from clients.command import TaskCommand, run_command
from clients.core import Caller
from clients.evaluation import ClassificationScorer
from clients.options import positive_int
from clients.seq_cls import Classification, SeqClsCodec, label_names
from clients.source import TextField
from ernie_triton.tasks import SEQ_CLS

_FIELDS = (
    TextField(input="text", keys=("text", "sentence", "sentence1"), help="a text to classify"),
    TextField(
        input="text_pair",
        keys=("text_pair", "sentence2"),
        help="the second text of a pair, as often as --text",
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0 done, 1 the user can mend it, 2 (as SystemExit) wrong usage."""
    return run_command(
        TaskCommand(
            description="Classify texts, or pairs of texts, on a Triton server.",
            task=SEQ_CLS,
            fields=_FIELDS,
            add_options=_add_options,
            codec_from_options=_codec_from_options,
            columns=("label", "score", "cut"),
            cells_from_result=_cells_from_result,
            json_from_result=_json_from_result,
            new_scorer=_new_scorer,
        ),
        argv,
    )


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--top-k",
        type=positive_int,
        default=1,
        metavar="K",
        help="labels of each text, best first (default: %(default)s)",
    )


def _codec_from_options(options: argparse.Namespace) -> SeqClsCodec:
    return SeqClsCodec(top_k=options.top_k)


def _cells_from_result(result: Classification) -> list[tuple[str, str, str]]:
    cut = "yes" if result.truncated else ""
    return [
        (label.name, f"{label.score:.4f}", "" if place else cut)
        for place, label in enumerate(result.labels)
    ]


def _json_from_result(result: Classification) -> Mapping[str, object]:
    """The best label at hand, and all of them where more than one was asked for."""
    best = result.best
    record: dict[str, object] = {
        "label": best.name,
        "id": best.id,
        "score": best.score,
        "truncated": result.truncated,
    }
    if len(result.labels) > 1:
        record["labels"] = [
            {"label": label.name, "id": label.id, "score": label.score} for label in result.labels
        ]
    return record


async def _new_scorer(caller: Caller) -> ClassificationScorer:
    return ClassificationScorer(await label_names(caller))


if __name__ == "__main__":
    sys.exit(main())
