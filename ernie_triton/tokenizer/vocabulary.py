"""The tokens of a vocabulary and their ids: of a `vocab.txt`, or of a `tokenizer.json`.

In a `vocab.txt`, one token is a line, and the line's number is its id.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import TextFileError, VocabularyError
from ernie_triton.text_files import read_text_file
from ernie_triton.tokenizer.rules import ORDINARY, SpecialNames, TokenRules

VOCABULARY_FILE = "vocab.txt"
TOKENIZER_JSON = "tokenizer.json"
SPLIT_PIECES = "split_pieces"
"""Key of a document beside the parts of `tokenizer.json`: what `split_pieces` reads."""
UNKNOWN, CLASSIFY, SEPARATE, PAD, MASK = "[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"
REQUIRED_TOKENS = SpecialNames().required


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Ids of the tokens, and how many lines they came from.

    A token on two lines has the id of the later one, as transformers and PaddleNLP read it, so
    `size` may exceed `len(ids)`. Tokens that `rules` add behind the last line are counted by `rows`
    alone. `document` is the text of the `tokenizer.json` where the rules say that there is one.
    """

    ids: Mapping[str, int]
    size: int
    rules: TokenRules = ORDINARY
    document: str = ""

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


def stage_vocabulary(folder: Path, rules: TokenRules) -> Vocabulary:
    """Read the vocabulary that a build wrote into a stage's folder.

    Raises:
        VocabularyError: the file is missing, or damaged.
    """
    if not rules.is_document:
        return load_vocabulary(folder / VOCABULARY_FILE, rules)
    path = folder / TOKENIZER_JSON
    try:
        return document_vocabulary(read_text_file(path), rules, path)
    except TextFileError as error:
        raise VocabularyError(f"the vocabulary {error}") from error


def document_vocabulary(text: str, rules: TokenRules, path: Path) -> Vocabulary:
    """Make the vocabulary of a `tokenizer.json`.

    Args:
        text: the document.
        rules: the names of its special tokens, and the form of its rows.
        path: its file, for messages.

    Raises:
        VocabularyError: it holds no pieces, or lacks a special token.
    """
    try:
        document = json.loads(text)
        pieces = document["model"]["vocab"]
        if rules.splits_pieces:
            pieces = document[SPLIT_PIECES]["ids"]
        elif isinstance(pieces, list):
            pieces = {piece: number for number, (piece, _) in enumerate(pieces)}
        added = {token["content"]: token["id"] for token in document.get("added_tokens") or ()}
        ids: dict[str, int] = {**pieces, **added}
        size = max(ids.values()) + 1
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise VocabularyError(
            f"{path} holds no pieces with their ids; expected a tokenizer.json as transformers "
            f"saves it"
        ) from error
    return checked_vocabulary(Vocabulary(ids=ids, size=size, rules=rules, document=text), path)


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
        what, expected = "lines", "a WordPiece vocabulary, one token a line"
        if vocabulary.document:
            what, expected = "pieces", "these special tokens among them"
        raise VocabularyError(
            f"the vocabulary {path} has {vocabulary.size} {what} but no {', '.join(missing)}; "
            f"expected {expected}"
        )
    return vocabulary


def write_stage_vocabulary(vocabulary: Vocabulary, folder: Path) -> Path:
    """Write a vocabulary into a folder in the form of its rules; return the file.

    Raises:
        VocabularyError: a token cannot stand on a line.
    """
    if vocabulary.document:
        path = folder / TOKENIZER_JSON
        path.write_text(vocabulary.document, encoding="utf-8", newline="\n")
    else:
        path = folder / VOCABULARY_FILE
        write_vocabulary_lines(vocabulary, path)
    return path


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
