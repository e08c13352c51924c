"""A WordPiece vocabulary as `vocab.txt` holds it: one token a line, the line number is the id."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import TextFileError, VocabularyError
from ernie_triton.text_files import read_text_file

VOCABULARY_FILE = "vocab.txt"
UNKNOWN, CLASSIFY, SEPARATE, PAD, MASK = "[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"
REQUIRED_TOKENS = (UNKNOWN, CLASSIFY, SEPARATE, PAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Ids of the tokens, and how many lines they came from.

    A token on two lines has the id of the later one, as transformers and PaddleNLP read it, so
    `size` may exceed `len(ids)`.
    """

    ids: Mapping[str, int]
    size: int

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """The special tokens that this vocabulary holds; texts that spell one mean it."""
        return tuple(token for token in (*REQUIRED_TOKENS, MASK) if token in self.ids)


def load_vocabulary(path: Path) -> Vocabulary:
    """Read a `vocab.txt`.

    Raises:
        VocabularyError: the file is missing, is not UTF-8, or lacks a special token.
    """
    try:
        lines = read_text_file(path).split("\n")
    except TextFileError as error:
        raise VocabularyError(f"the vocabulary {error}") from error
    if lines and not lines[-1]:
        lines.pop()
    # ERNIE 1.0 wrote the id after a tab.
    ids = {line.split("\t")[0]: index for index, line in enumerate(lines)}
    missing = [token for token in REQUIRED_TOKENS if token not in ids]
    if missing:
        raise VocabularyError(
            f"the vocabulary {path} has {len(lines)} lines but no {', '.join(missing)}; "
            f"expected a WordPiece vocabulary, one token a line"
        )
    return Vocabulary(ids=ids, size=len(lines))
