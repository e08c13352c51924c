"""Vocabulary shortening: pieces of several characters, so that a model reads fewer tokens.

ERNIE-Tiny reads words instead of characters, so its sequences are shorter
(github.com/PaddlePaddle/ERNIE, its section on ERNIE-Tiny). Here frequent pieces of a task's own
texts join a character vocabulary in standard form: a `vocab.txt` with `词` and `##词`, and
`tokenize_chinese_chars: false` in `tokenizer_config.json`. All old tokens keep their ids.

A word is then a whole run between punctuation, and one character without a token would make all of
it [UNK]. So every known or common character gets a token in either position. A character that the
teacher did not know starts with the teacher's embedding of [UNK].
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ernie_triton.build.load.settings import (
    TOKENIZER_FILE,
    folds_case,
    splits_ideographs,
    tokenizer_settings,
)
from ernie_triton.build.load.tokenizers.tokenizer_files import read_vocabulary
from ernie_triton.build.progress import timed_step
from ernie_triton.errors import SubwordsError
from ernie_triton.text_files import read_text_file
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.piece_table import CONTINUES
from ernie_triton.tokenizer.vocabulary import VOCABULARY_FILE, Vocabulary
from ernie_triton.training.compression.subwords.tokens import (
    UNCUT,
    encoder_of,
    extended_vocabulary,
    new_tokens,
)

LEAST_SHORTENING = 0.10
"""Least share of tokens to save; below it the new rows cost more than they bring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortenedVocabulary:
    """A vocabulary with pieces of several characters.

    Attributes:
        old: the original vocabulary; its tokens keep their ids.
        new_tokens: the added tokens, in order of their ids.
        rows: for each new token the ids of the old tokens of the same characters.
        pieces: number of new tokens of several characters, in either position.
        tokens_before: mean tokens of a text, without special tokens.
        tokens_after: the same with the new vocabulary.
        lower_case: its tokenizer folds case.
    """

    old: Vocabulary
    new_tokens: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]
    pieces: int
    tokens_before: float
    tokens_after: float
    lower_case: bool

    @property
    def shortening(self) -> float:
        """Share of a text's tokens that are saved, 0 to 1."""
        return 1 - self.tokens_after / self.tokens_before if self.tokens_before else 0.0

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of all tokens."""
        return extended_vocabulary(self.old, self.new_tokens)

    def encoder(self, max_length: int) -> TextEncoder:
        """Make the tokenizer, as it is served."""
        return encoder_of(self.vocabulary, max_length, lower_case=self.lower_case, words=True)


def shortened_vocabulary(
    checkpoint: Path,
    texts: Sequence[str],
    pieces: int,
    *,
    held_out: Sequence[str] = (),
    least_shortening: float = LEAST_SHORTENING,
) -> ShortenedVocabulary:
    """Choose the most frequent pieces of the texts; deterministic.

    A piece becomes a token in each position in which the texts have it at least twice, since
    training would not reach the row of a rarer one.

    Args:
        checkpoint: the teacher's folder, with a `vocab.txt` of single characters.
        texts: the training texts, labelled or not; both texts of pairs.
        pieces: number of merges, so the most pieces.
        held_out: texts to measure the shortening on; empty for `texts`.
        least_shortening: least share of tokens to save, 0 to 1.

    Raises:
        SubwordsError: the vocabulary has words already, or too few tokens are saved.
        CheckpointError, VocabularyError: the tokenizer's files are damaged.
    """
    if not splits_ideographs(checkpoint):
        raise SubwordsError(
            f"{checkpoint} reads runs of Chinese already (tokenize_chinese_chars is false); "
            f"expected a model that reads single characters"
        )
    if pieces < 1 or not texts:
        raise SubwordsError(f"found {pieces} pieces and {len(texts)} texts; expected some of both")
    lower_case = folds_case(checkpoint)
    old = read_vocabulary(checkpoint / VOCABULARY_FILE, checkpoint)
    # The new model is trained and saved as those of transformers, whose words keep their symbols.
    old = dataclasses.replace(old, rules=dataclasses.replace(old.rules, splits_symbols=False))
    if old.rules.to_text():
        raise SubwordsError(
            f"{checkpoint} has added tokens or other unusual rules of its tokenizer; expected the "
            f"ordinary ones"
        )
    with timed_step("subwords") as notes:
        new = new_tokens(old, texts, pieces, lower_case=lower_case)
        made = _measured(old, new, held_out or texts, lower_case=lower_case)
        notes.append(
            f"{made.pieces:,} pieces of several characters, {len(new):,} new tokens; "
            f"{made.tokens_before:.1f} tokens a text become {made.tokens_after:.1f} "
            f"({made.shortening:.1%} shorter)"
        )
    if made.shortening < least_shortening:
        raise SubwordsError(
            f"{pieces} pieces make sequences {made.shortening:.1%} shorter "
            f"({made.tokens_before:.1f} tokens a text become {made.tokens_after:.1f}); expected at "
            f"least {least_shortening:.0%}; use more pieces, or other texts"
        )
    return made


def subword_embeddings(
    table: npt.NDArray[np.float32], shortened: ShortenedVocabulary
) -> npt.NDArray[np.float32]:
    """Make the word embedding table of the new vocabulary.

    A new token gets the mean of the teacher's rows for the same characters (Gee et al.,
    "Fast vocabulary transfer for language model compression", EMNLP 2022 industry track,
    arxiv.org/abs/2402.09977, section 3).

    Args:
        table: float32 [rows, hidden], the teacher's; rows beyond its vocabulary are left out.
        shortened: the new vocabulary, made from the teacher's.

    Returns:
        float32 [tokens of the new vocabulary, hidden].

    Raises:
        SubwordsError: the table has fewer rows than the old vocabulary.
    """
    size = shortened.old.size
    if len(table) < size:
        raise SubwordsError(
            f"the embedding table has {len(table)} rows but its vocabulary {size} tokens; use the "
            f"table of the checkpoint that the vocabulary was shortened from"
        )
    counts = np.array([len(rows) for rows in shortened.rows], np.int64)
    if not len(counts):
        return table[:size].copy()
    flat = np.array([row for rows in shortened.rows for row in rows], np.int64)
    sums = np.add.reduceat(table[flat], np.cumsum(counts) - counts, axis=0)
    new = (sums / counts[:, None]).astype(np.float32)
    return np.concatenate([table[:size], new])


def write_tokenizer(shortened: ShortenedVocabulary, checkpoint: Path, folder: Path) -> None:
    """Write `vocab.txt` and `tokenizer_config.json` of the new vocabulary into a folder.

    Args:
        shortened: the new vocabulary.
        checkpoint: the original, whose lines and settings are kept.
        folder: an existing folder to write to.
    """
    old = read_text_file(checkpoint / VOCABULARY_FILE).rstrip("\n")
    lines = "\n".join([old, *shortened.new_tokens]) + "\n"
    (folder / VOCABULARY_FILE).write_text(lines, encoding="utf-8", newline="\n")
    settings = tokenizer_settings(checkpoint) | {
        "do_lower_case": shortened.lower_case,
        "tokenize_chinese_chars": False,
        "tokenizer_class": "BertTokenizer",
    }
    settings.pop("splits_symbols", None)
    text = json.dumps(settings, ensure_ascii=False, indent=2) + "\n"
    (folder / TOKENIZER_FILE).write_text(text, encoding="utf-8")


def _measured(
    old: Vocabulary, new: tuple[str, ...], texts: Sequence[str], *, lower_case: bool
) -> ShortenedVocabulary:
    before = encoder_of(old, UNCUT, lower_case=lower_case, words=False)
    after = encoder_of(extended_vocabulary(old, new), UNCUT, lower_case=lower_case, words=True)
    surfaces = [token.removeprefix(CONTINUES) for token in new]
    made = before.encode(surfaces) if surfaces else None
    rows = (
        tuple(
            tuple(row[1:-1].tolist())
            for row in np.split(made.input_ids, np.cumsum(made.lengths)[:-1])
        )
        if made is not None
        else ()
    )
    return ShortenedVocabulary(
        old=old,
        new_tokens=new,
        rows=rows,
        pieces=sum(len(surface) > 1 for surface in surfaces),
        tokens_before=float(before.encode(texts).lengths.mean()) - 2,
        tokens_after=float(after.encode(texts).lengths.mean()) - 2,
        lower_case=lower_case,
    )
