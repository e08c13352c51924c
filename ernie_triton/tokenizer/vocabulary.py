"""A WordPiece vocabulary as `vocab.txt` holds it: one token a line, the line number is the id."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import TextFileError, VocabularyError
from ernie_triton.text_files import read_text_file
from ernie_triton.tokenizer.rules import ORDINARY, SpecialNames, TokenRules

VOCABULARY_FILE = "vocab.txt"
UNKNOWN, CLASSIFY, SEPARATE, PAD, MASK = "[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"
REQUIRED_TOKENS = SpecialNames().required


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Ids of the tokens, and how many lines they came from.

    A token on two lines has the id of the later one, as transformers and PaddleNLP read it, so
    `size` may exceed `len(ids)`. Tokens that `rules` add behind the last line are counted by `rows`
    alone.
    """

    ids: Mapping[str, int]
    size: int
    rules: TokenRules = ORDINARY

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """The special tokens that this vocabulary holds; texts that spell one mean it."""
        names = self.rules.names
        return tuple(dict.fromkeys(t for t in (*names.required, names.mask) if self._has(t)))

    @property
    def rows(self) -> int:
        """The lines, and the rows behind them that added tokens need."""
        return max([self.size, *(token.id + 1 for token in self.rules.added)])

    def special_id(self, name: str) -> int:
        """The id of a special token, which may be an added one."""
        added = (token.id for token in self.rules.added if token.content == name)
        found = next(added, None)
        return self.ids[name] if found is None else found

    @property
    def unknown_id(self) -> int:
        """The id of words without a cut into pieces."""
        return self.special_id(self.rules.names.unknown)

    @property
    def pad_id(self) -> int:
        """The id of padding."""
        return self.special_id(self.rules.names.pad)

    def names(self) -> list[str]:
        """The token of each id; empty for ids without one."""
        names = [""] * self.rows
        for name, token_id in (*self.ids.items(), *((t.content, t.id) for t in self.rules.added)):
            names[token_id] = name
        return names

    def _has(self, name: str) -> bool:
        return name in self.ids or any(token.content == name for token in self.rules.added)


def load_vocabulary(path: Path, rules: TokenRules = ORDINARY) -> Vocabulary:
    """Read a `vocab.txt`.

    Raises:
        VocabularyError: the file is missing, is not UTF-8, or lacks a special token.
    """
    ids, size = read_vocabulary_lines(path)
    return checked_vocabulary(Vocabulary(ids=ids, size=size, rules=rules), path)


def read_vocabulary_lines(path: Path) -> tuple[dict[str, int], int]:
    """The ids of a `vocab.txt`, and its lines without blank ones at the end.

    Raises:
        VocabularyError: the file is missing, or not UTF-8.
    """
    try:
        lines = read_text_file(path).rstrip("\n").split("\n")
    except TextFileError as error:
        raise VocabularyError(f"the vocabulary {error}") from error
    if lines == [""]:
        lines = []
    # ERNIE 1.0 wrote the id after a tab.
    return {line.split("\t")[0]: index for index, line in enumerate(lines)}, len(lines)


def checked_vocabulary(vocabulary: Vocabulary, path: Path) -> Vocabulary:
    """Return the vocabulary if it holds the special tokens.

    Raises:
        VocabularyError: it lacks one.
    """
    present = vocabulary.special_tokens
    missing = [token for token in vocabulary.rules.names.required if token not in present]
    if missing:
        raise VocabularyError(
            f"the vocabulary {path} has {vocabulary.size} lines but no {', '.join(missing)}; "
            f"expected a WordPiece vocabulary, one token a line"
        )
    return vocabulary


def write_vocabulary_lines(vocabulary: Vocabulary, path: Path) -> None:
    """Write a `vocab.txt`; an id without a token gets a line that no text can spell.

    Raises:
        VocabularyError: a token cannot stand on a line.
    """
    lines = [f"[no token {index}]" for index in range(vocabulary.size)]
    for token, index in vocabulary.ids.items():
        if any(character in token for character in "\t\n\r"):
            raise VocabularyError(
                f"the token {token!r} has a tab or a line break; vocab.txt cannot hold it"
            )
        lines[index] = token
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
