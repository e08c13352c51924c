"""Batches of texts to rows of token ids.

Equal, id for id, to transformers' original (slow) `BertTokenizer`, or to PaddleNLP's
`ErnieTokenizer` where the rules say `splits_symbols`.
A whole batch is looked up in `character_table` at once. Words of several characters, mostly Latin
letters and digits, go through WordPiece once and are then remembered. Where words are runs of
Chinese (`tokenize_chinese_chars` off), `piece_table` cuts all of them at once. A text with a
character that the table does not prove, or with a special token, goes to `fallback` alone.
SentencePiece's and byte-level vocabularies have no such table: `document_texts` reads their texts.
"""

import re
from collections.abc import Sequence

import numpy as np

from ernie_triton.arrays import Int32
from ernie_triton.errors import TextError
from ernie_triton.tokenizer.character_table import UNPROVEN, character_table, word_characters
from ernie_triton.tokenizer.document_texts import DocumentTexts
from ernie_triton.tokenizer.joined_texts import END, START, JoinedTexts
from ernie_triton.tokenizer.long_texts import (
    LONGEST_PIECED_WORD,
    SHORT_TEXT_CHARACTERS_PER_TOKEN,
    most_read,
    without_runs,
)
from ernie_triton.tokenizer.piece_table import PieceTable
from ernie_triton.tokenizer.ruled import tokenizer_by_rules
from ernie_triton.tokenizer.token_rows import (
    TextTokens,
    TokenizedRows,
    several_rows,
    single_rows,
    with_last_tokens,
)
from ernie_triton.tokenizer.vocabulary import Vocabulary
from ernie_triton.tokenizer.word_cache import WordCache

FEW_CHARACTERS = 100
"""Batches of fewer characters than this are cut word by word: the array operations of `PieceTable`
cost some 80 µs whatever there is to cut."""

# Characters that always end a word: whitespace, ideographs, punctuation that is no part of a
# special token. Other characters that Python calls whitespace (\v, \f, U+001C to U+001F, U+0085)
# are controls here: they are dropped, and the word around them stays whole.
_CUT_WORDS = r"[^\S\v\f\x1c-\x1f\x85]|[,.!?;:，。！？、；：]"
_CUT = re.compile(
    rf"{_CUT_WORDS}"
    r"|[\u3400-\u4dbf\u4e00-\u9fef\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002ceaf]"
)
_CUT_CHINESE_WORDS = re.compile(_CUT_WORDS)
_CUT_NOWHERE = re.compile(r"(?!)")


class TextEncoder:
    """Tokenise batches of texts, or of pairs of texts, for one vocabulary and length.

    Attributes:
        vocabulary: its tokens and ids.
        classify_id: of the token before each row.
        separate_id: of the token after each text.
        between_ids: int32 [tokens], those between two texts of a row.
        last_ids: those behind all others of a row.
        second_type: the token type of all texts but a row's first.
        pad_token_id: of padding.
        unknown_id: of words without a cut into the vocabulary's pieces.
        vocabulary_size: ids are below this.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        max_length: int,
        lower_case: bool,
        tokenize_chinese_chars: bool = True,
        prompt: str = "",
        lower_texts: bool = False,
    ) -> None:
        """Prepare the vocabulary's tokenizer.

        Args:
            vocabulary: tokens and ids.
            max_length: most tokens of one row, special tokens included.
            lower_case: fold case and strip accents, as an uncased model wants it.
            tokenize_chinese_chars: each ideograph is a word; otherwise a run of them is one, cut
                into the vocabulary's pieces, and one unknown token beyond 100 characters.
            prompt: text put before every single text.
            lower_texts: convert texts to lower case first, and keep their accents.
        """
        self.vocabulary = vocabulary
        self._max_length = max_length
        self._prompt = prompt
        self._lower_texts = lower_texts
        rules = vocabulary.rules
        self.classify_id = vocabulary.special_id(rules.names.classify)
        self.separate_id = vocabulary.special_id(rules.names.separate)
        self.between_ids = np.full(rules.separators, self.separate_id, np.int32)
        self.last_ids = [] if rules.last_token is None else [rules.last_token]
        self.second_type = int(not rules.one_type)
        self.pad_token_id = vocabulary.pad_id
        self.unknown_id = vocabulary.unknown_id
        self.vocabulary_size = max(vocabulary.rows, *(token + 1 for token in self.last_ids), 0)
        self._texts: DocumentTexts | WordPieceTexts
        if rules.is_document:
            self._texts = DocumentTexts(vocabulary, max_length)
        else:
            self._texts = WordPieceTexts(
                vocabulary,
                max_length=max_length,
                lower_case=lower_case,
                tokenize_chinese_chars=tokenize_chinese_chars,
            )

    def encode(self, texts: Sequence[str], *others: Sequence[str]) -> TokenizedRows:
        """Tokenise, cut rows to the length allowed, add special tokens.

        The longest text of a row is cut first. With a vocabulary of pieces, all texts of a row but
        the first are joined by spaces.

        Args:
            texts: one for each row; an empty text is a valid text.
            others: further texts of each row, as many; none for single texts.

        Raises:
            TextError: a text would take too long (see `long_texts`).
        """
        if not others:
            if self._prompt:
                texts = [self._prompt + text for text in texts]
            if self._lower_texts:
                texts = [text.lower() for text in texts]
            return single_rows(*self._texts.tokens(texts, 1), self._max_length)
        if self.vocabulary.rules.is_document and len(others) > 1:
            # As transformers' own recipes do it: a row of pieces is of two texts at most.
            others = ([" ".join(parts) for parts in zip(*others, strict=True)],)
        every = [text for row in zip(texts, *others, strict=True) for text in row]
        if self._lower_texts:
            every = [text.lower() for text in every]
        each = 1 + len(others)
        most = self._max_length - len(self.last_ids)
        rows = several_rows(*self._texts.tokens(every, each), most, each, self.vocabulary.rules)
        return with_last_tokens(rows, self.last_ids) if self.last_ids else rows

    def tokens_with_spans(self, texts: Sequence[str]) -> list[TextTokens]:
        """The tokens of whole texts, and the place of each in its text."""
        return self._texts.tokens_with_spans(texts)


class WordPieceTexts:
    """Tokenise texts for one vocabulary and length."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        max_length: int,
        lower_case: bool,
        tokenize_chinese_chars: bool,
    ) -> None:
        """Prepare the table and the tokenizers; arguments as for `TextEncoder`."""
        self._max_length = max_length
        names = vocabulary.rules.names
        self._table = character_table(
            vocabulary, lower_case=lower_case, tokenize_chinese_chars=tokenize_chinese_chars
        )
        self._whole = tokenizer_by_rules(
            vocabulary, lower_case=lower_case, tokenize_chinese_chars=tokenize_chinese_chars
        )
        if self._whole.reads_every_text:
            self._table[:] = UNPROVEN
        self._table[ord(START)] = vocabulary.special_id(names.classify)
        self._table[ord(END)] = vocabulary.special_id(names.separate)
        self._word_ids = WordCache(self._whole.word_ids)
        self._word_tokens = WordCache(self._whole.word_tokens)
        self._cut = _CUT if tokenize_chinese_chars else _CUT_CHINESE_WORDS
        if not self._whole.may_be_cut(self._cut):
            self._cut = _CUT_NOWHERE
        self._pieces: PieceTable | None = None
        if not tokenize_chinese_chars:
            characters = word_characters(
                self._table,
                lower_case=lower_case,
                strip_accents=vocabulary.rules.strip_accents,
            )
            self._pieces = PieceTable(vocabulary, characters)

    def tokens_with_spans(self, texts: Sequence[str]) -> list[TextTokens]:
        """The tokens of whole texts, and the place of each in its text."""
        if not texts:
            return []
        joined = JoinedTexts(texts, 1, self._table)
        apart = self._unproven(joined)
        joined.leave_out(apart)
        others = dict(
            zip(apart, self._whole.tokens_with_spans([texts[i] for i in apart]), strict=True)
        )
        made = joined.tokens_with_spans(self._pieces or self._word_tokens)
        return [others.get(i, tokens) for i, tokens in enumerate(made)]

    def tokens(self, texts: Sequence[str], texts_per_row: int) -> tuple[Int32, Int32]:
        """Token ids of all rows with special tokens, and the count of each text without them.

        A long text has at least as many as a row can hold.
        """
        if not texts:
            return np.empty(0, np.int32), np.empty(0, np.int32)
        short = self._max_length * SHORT_TEXT_CHARACTERS_PER_TOKEN
        others: dict[int, list[int]] = {}
        if max(map(len, texts)) > short:
            others = {
                i: self._leading_token_ids(text, short)
                for i, text in enumerate(texts)
                if len(text) > short
            }
            texts = ["" if i in others else text for i, text in enumerate(texts)]
        return self._tokenise(texts, texts_per_row, others)

    def _leading_token_ids(self, text: str, characters: int) -> list[int]:
        """Token ids of a long text, at least as many as a row can hold, without reading all of it.

        A text may be cut before any character that ends a word.

        Raises:
            TextError: much of the text makes too few tokens.
        """
        if cut := self._cut.search(text, characters, 2 * characters):
            ids = self._text_ids(text[: cut.start()])
            if len(ids) >= self._max_length:
                return ids
        most = most_read(self._max_length)
        beginning, is_whole = without_runs(text, most)
        ids = self._text_ids(beginning)
        if is_whole or len(ids) >= self._max_length + LONGEST_PIECED_WORD:
            return ids
        raise TextError(
            f"the text has {len(text):,} characters, but hardly any tokens in the first {most:,} "
            f"that count: {len(ids)}; remove what is no text, or send it in parts"
        )

    def _text_ids(self, text: str) -> list[int]:
        ids, _ = self._tokenise([text], 1, {})
        without_specials: list[int] = ids[1:-1].tolist()
        return without_specials

    def _tokenise(
        self, texts: Sequence[str], texts_per_row: int, others: dict[int, list[int]]
    ) -> tuple[Int32, Int32]:
        """The same for short texts; `others` are ids that are known already, by text."""
        joined = JoinedTexts(texts, texts_per_row, self._table)
        apart = self._unproven(joined)
        if joined.is_plain and not apart and not others:
            return joined.values, joined.counts
        joined.leave_out(apart)
        if self._pieces is None or len(joined.text) < FEW_CHARACTERS:
            joined.put_word_ids(self._word_ids)
        else:
            joined.put_pieces(self._pieces)
        ids = self._whole.token_ids([texts[i] for i in apart]) if apart else ()
        return joined.tokens({**others, **dict(zip(apart, ids, strict=True))})

    def _unproven(self, joined: JoinedTexts) -> list[int]:
        """Texts for the fallback tokenizer."""
        apart = joined.unproven_texts()
        if spelled := self._whole.special_places(joined.text):
            apart.update(joined.texts_at(spelled))
        return sorted(apart)
