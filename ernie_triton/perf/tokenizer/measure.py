"""Time our tokenizer and the `tokenizers` library on one core, doing the same work.

The work is that of the tokenizer stage: a list of Python strings becomes the arrays that the engine
takes. These are int32 ids of all rows with special tokens, cut to the longest allowed length, the
rows' lengths, and token type ids. `tokenizers` works in its fastest way: `encode_batch_fast`, which
tracks no offsets, with BERT's normaliser, its own truncation and special tokens, and one NumPy call
over all ids. Its normaliser makes other ids of some rare characters than the original tokenizer;
the texts here hold none of them. Its call alone, before any id is read, is measured too.

Time is the processor time of this process, so other load counts little, and `tokenizers` runs
without its threads.
"""

import contextlib
import itertools
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import BertProcessing

from ernie_triton.errors import WrongAnswerError
from ernie_triton.perf.paired import Figures, Spread, in_turn, paired_ratio, spread
from ernie_triton.perf.tokenizer.texts import (
    WORKLOADS,
    Workload,
    frequent_words,
    generated_vocabulary,
)
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.token_rows import TokenizedRows
from ernie_triton.tokenizer.vocabulary import CLASSIFY, SEPARATE, UNKNOWN, Vocabulary

_MAX_LENGTH = 128
BATCH_SIZES = (1, 8, 64)
GOAL_BATCH_SIZE = 64
ROUNDS = 9
_TEXTS_PER_TURN = 512
_OURS, _ALL, _CALL = "ours", "tokenizers", "tokenizers, call alone"
_PARALLELISM = "TOKENIZERS_PARALLELISM"

_Batch = Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerFigures:
    """Microseconds of processor time per text, one figure a round.

    Attributes:
        workload: kind of texts.
        batch_size: texts of a call.
        by_subject: figures of `_OURS`, `_ALL` and `_CALL`.
    """

    workload: Workload
    batch_size: int
    by_subject: Figures

    @property
    def speedup(self) -> Spread:
        """Time of `tokenizers` over ours, for the same work."""
        return paired_ratio(self.by_subject[_ALL], self.by_subject[_OURS])

    @property
    def speedup_over_call(self) -> Spread:
        """Time of the call of `tokenizers` alone over ours."""
        return paired_ratio(self.by_subject[_CALL], self.by_subject[_OURS])


def tokenizer_ratios(
    rounds: int = ROUNDS, progress: Callable[[str], None] = lambda _: None
) -> Mapping[str, Spread]:
    """Measure our speed over that of `tokenizers` at batches of 64, by kind of text.

    The keys are the names of `WORKLOADS`: `plain`, `mixed`, `new words` and `long`.
    """
    made = measure_tokenizers(
        generated_vocabulary(), batch_sizes=(GOAL_BATCH_SIZE,), rounds=rounds, progress=progress
    )
    return {figures.workload.name: figures.speedup for figures in made}


def measure_tokenizers(
    vocabulary: Vocabulary,
    *,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    rounds: int = ROUNDS,
    max_length: int = _MAX_LENGTH,
    progress: Callable[[str], None] = lambda _: None,
) -> list[TokenizerFigures]:
    """Measure every kind of text at every batch size, all in turn in each round.

    Raises:
        WrongAnswerError: the two tokenizers make different ids of a text.
    """
    ours = TextEncoder(vocabulary, max_length=max_length, lower_case=True)
    theirs = LibraryTokenizer(vocabulary, max_length)
    words = frequent_words()
    made = []
    with _one_thread():
        for workload, batch_size in itertools.product(WORKLOADS, batch_sizes):
            progress(f"{workload.name}, batches of {batch_size}")
            # Each round has texts of its own; the first set only warms up.
            drawn = [_batches(workload, words, batch_size, seed) for seed in range(rounds + 1)]
            _refuse_differences(ours, theirs, drawn[0])
            figures = in_turn(
                {
                    _OURS: _turns(ours.encode, drawn[1:]),
                    _ALL: _turns(theirs.rows, drawn[1:]),
                    _CALL: _turns(theirs.call, drawn[1:]),
                },
                rounds,
                lambda _: None,
            )
            _refuse_differences(ours, theirs, drawn[-1])
            made.append(
                TokenizerFigures(workload=workload, batch_size=batch_size, by_subject=figures)
            )
    return made


def figures_table(figures: Sequence[TokenizerFigures]) -> str:
    """Write the figures as a Markdown table."""
    lines = [
        "| texts | batch | `tokenizers`, µs a text | its call alone | ours | times as fast | "
        "times as fast as its call alone |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in figures:
        medians = [spread(row.by_subject[name]).median for name in (_ALL, _CALL, _OURS)]
        cells = [row.workload.name, str(row.batch_size), *(f"{median:.2f}" for median in medians)]
        cells += [row.speedup.text("x"), row.speedup_over_call.text("x")]
        lines.append("| " + " | ".join(cells) + " |")
    notes = [f"- {one.name}: {one.description}" for one in WORKLOADS]
    return "\n".join([*lines, "", *notes])


class LibraryTokenizer:
    """`tokenizers` set up for one vocabulary and length, in its fastest way."""

    def __init__(self, vocabulary: Vocabulary, max_length: int) -> None:
        """Prepare the tokenizer."""
        self._tokenizer = Tokenizer(WordPiece(dict(vocabulary.ids), unk_token=UNKNOWN))
        self._tokenizer.normalizer = BertNormalizer(lowercase=True)
        self._tokenizer.pre_tokenizer = BertPreTokenizer()
        self._tokenizer.post_processor = BertProcessing(
            (SEPARATE, vocabulary.ids[SEPARATE]), (CLASSIFY, vocabulary.ids[CLASSIFY])
        )
        self._tokenizer.enable_truncation(max_length)

    def call(self, texts: _Batch) -> object:
        """Call it without reading the result."""
        return self._tokenizer.encode_batch_fast(texts)

    def rows(self, texts: _Batch) -> TokenizedRows:
        """Make the arrays that the engine takes; `truncated` is not filled."""
        made = self._tokenizer.encode_batch_fast(texts)
        ids = [row.ids for row in made]
        lengths = np.array(list(map(len, ids)), np.int32)
        input_ids = np.fromiter(itertools.chain.from_iterable(ids), np.int32, int(lengths.sum()))
        return TokenizedRows(
            input_ids=input_ids,
            token_type_ids=np.zeros_like(input_ids),
            lengths=lengths,
            kept=lengths[:, None] - 2,
            truncated=np.zeros(len(ids), np.bool_),
        )


def _batches(workload: Workload, words: list[str], size: int, seed: int) -> list[list[str]]:
    chance = random.Random(seed)
    return [
        [workload.make(chance, words) for _ in range(size)] for _ in range(_TEXTS_PER_TURN // size)
    ]


def _turns(
    work: Callable[[_Batch], object], drawn: Sequence[Sequence[_Batch]]
) -> Callable[[], float]:
    """Return a function that takes the next round's figure: µs of processor time per text."""
    rounds = iter(drawn)

    def take() -> float:
        batches = next(rounds)
        start = time.process_time_ns()
        for batch in batches:
            work(batch)
        return (time.process_time_ns() - start) / 1e3 / sum(map(len, batches))

    return take


def _refuse_differences(
    ours: TextEncoder, theirs: LibraryTokenizer, batches: Sequence[_Batch]
) -> None:
    for batch in batches:
        rows = [ours.encode(batch), theirs.rows(batch)]
        if not np.array_equal(rows[0].lengths, rows[1].lengths) or not np.array_equal(
            rows[0].input_ids, rows[1].input_ids
        ):
            raise WrongAnswerError(
                f"the two tokenizers make different ids of a batch that begins with {batch[0]!r}; "
                f"measure with a vocabulary of an uncased model"
            )


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = os.environ.get(_PARALLELISM)
    os.environ[_PARALLELISM] = "false"
    try:
        yield
    finally:
        os.environ.pop(_PARALLELISM)
        if before is not None:
            os.environ[_PARALLELISM] = before
