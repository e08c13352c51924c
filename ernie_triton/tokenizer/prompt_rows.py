"""Rows of a prompt and a text: windows of long texts, and sentences where they are wanted.

Each text and each prompt is tokenised once, whatever the number of rows that they stand in.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Int32
from ernie_triton.tasks import INPUT_IDS, TOKEN_TYPE_IDS
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.token_rows import TextTokens

# PaddleNLP's `cut_chinese_sent` (paddlenlp/taskflow/utils.py), in its order.
_SENTENCE_ENDS = (
    re.compile(r"([。！？\?])([^”’])"),
    re.compile(r"(\.{6})([^”’])"),
    re.compile(r"(…{2})([^”’])"),
    re.compile(r"([。！？\?][”’])([^，。！？\?])"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextWindow:
    """The part of a text's tokens that stands in one row.

    Attributes:
        first: the window's first token in the text.
        last: the token after its last.
        own: the same of those that no neighbouring window has with more context around them.
    """

    first: int
    last: int
    own: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowedText:
    """A text's tokens, and the stretches of them that windows do not cross: its sentences.

    Attributes:
        tokens: of the whole text.
        sentences: the first token of each sentence, and the number of all tokens.
    """

    tokens: TextTokens
    sentences: tuple[int, ...]

    def windows(self, room: int, overlap: int) -> Iterator[TextWindow]:
        """Windows of at most `room` tokens, neighbours sharing `overlap`; at least one."""
        for begin, end in itertools.pairwise(self.sentences):
            starts = range(begin, end - overlap, room - overlap) if end - begin > room else [begin]
            edges = [begin]
            edges += [(start + min(start + overlap, end) + 1) // 2 for start in starts[1:]]
            edges.append(end)
            for start, own in zip(starts, itertools.pairwise(edges), strict=True):
                yield TextWindow(first=start, last=min(start + room, end), own=own)


class PromptEncoder:
    """Tokenise texts and prompts, and put them together to rows.

    Attributes:
        before_text: special tokens before a row's text: before its prompt, and behind that.
    """

    def __init__(
        self, encoder: TextEncoder, *, max_length: int, overlap: int, split_sentences: bool
    ) -> None:
        """Keep the tokenizer and the rules.

        Args:
            encoder: the tokenizer.
            max_length: most tokens of a row.
            overlap: tokens that the windows of a long text share.
            split_sentences: windows do not cross the end of a sentence.
        """
        self._encoder = encoder
        self._end = [encoder.separate_id, *encoder.last_ids]
        self.before_text = 1 + len(encoder.between_ids)
        self._max_length = max_length
        self._overlap = overlap
        self._split_sentences = split_sentences

    def texts(self, texts: Sequence[str]) -> list[WindowedText]:
        """Tokenise texts."""
        return [
            WindowedText(tokens=tokens, sentences=self._sentences(text, tokens))
            for text, tokens in zip(texts, self._encoder.tokens_with_spans(texts), strict=True)
        ]

    def prompts(self, prompts: Sequence[str]) -> list[TextTokens]:
        """Tokenise prompts; what is longer than half a row is left out."""
        most = self._max_length // 2
        readable = [prompt[: self._max_length] for prompt in prompts]
        return [
            TextTokens(ids=tokens.ids[:most], spans=tokens.spans[:most])
            for tokens in self._encoder.tokens_with_spans(readable)
        ]

    def windows(self, prompt: TextTokens, text: WindowedText) -> Iterator[TextWindow]:
        """The windows of a text beside a prompt."""
        room = self._max_length - len(prompt.ids) - self.before_text - len(self._end)
        overlap = self._overlap if self._overlap < room else room // 2
        return text.windows(room, overlap)

    def length(self, prompt: TextTokens, window: TextWindow) -> int:
        """Tokens of a row, special ones included."""
        found = len(prompt.ids) + window.last - window.first
        return found + self.before_text + len(self._end)

    def tensors(
        self, rows: Sequence[tuple[TextTokens, WindowedText, TextWindow]]
    ) -> dict[str, Int32]:
        """The engine's inputs of rows, int32 [rows, length], padded to the longest."""
        pad = self._encoder.pad_token_id
        lengths = [self.length(prompt, window) for prompt, _, window in rows]
        ids = np.full((len(rows), max(lengths)), pad, np.int32)
        types = np.zeros_like(ids)
        ids[:, 0] = self._encoder.classify_id
        for number, ((prompt, text, window), length) in enumerate(zip(rows, lengths, strict=True)):
            middle = len(prompt.ids) + 1
            first, last = len(prompt.ids) + self.before_text, length - len(self._end)
            ids[number, 1:middle] = prompt.ids
            ids[number, middle:first] = self._encoder.between_ids
            ids[number, first:last] = text.tokens.ids[window.first : window.last]
            ids[number, last:length] = self._end
            types[number, first:length] = self._encoder.second_type
        return {INPUT_IDS.name: ids, TOKEN_TYPE_IDS.name: types}

    def _sentences(self, text: str, tokens: TextTokens) -> tuple[int, ...]:
        count = len(tokens.ids)
        if not self._split_sentences or not count:
            return (0, count)
        cuts = np.searchsorted(tokens.spans[:, 0], sentence_cuts(text)).tolist()
        return tuple(sorted({0, count, *cuts}))


def sentence_cuts(text: str) -> list[int]:
    """Places in a text before which a sentence of PaddleNLP's `split_sentence` begins."""
    marked = text
    for pattern in _SENTENCE_ENDS:
        marked = pattern.sub(r"\1\n\2", marked)
    cuts, place = [], 0
    for character in marked:
        if character == "\n":
            cuts.append(place)
        if place < len(text) and text[place] == character:
            place += 1
    return cuts
