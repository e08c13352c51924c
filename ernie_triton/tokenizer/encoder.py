"""Batches of texts to rows of token ids.

Equal, id for id, to transformers' original (slow) `BertTokenizer` and PaddleNLP's `ErnieTokenizer`
for a WordPiece vocabulary, which `word_piece_texts` reads, and to the `tokenizers` library for a
`tokenizer.json` of SentencePiece's or byte-level pieces, which `document_texts` reads.
"""

from collections.abc import Sequence

import numpy as np

from ernie_triton.tokenizer.document_texts import DocumentTexts
from ernie_triton.tokenizer.token_rows import TextTokens, TokenizedRows, several_rows, single_rows
from ernie_triton.tokenizer.vocabulary import Vocabulary
from ernie_triton.tokenizer.word_piece_texts import WordPieceTexts


class TextEncoder:
    """Tokenise batches of texts, or of pairs of texts, for one vocabulary and length.

    Attributes:
        vocabulary: its tokens and ids.
        classify_id: of the token before each row.
        separate_id: of the token after each text.
        between_ids: int32 [tokens], those between two texts of a row.
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
        self.second_type = int(not rules.one_type)
        self.pad_token_id = vocabulary.pad_id
        self.unknown_id = vocabulary.unknown_id
        self.vocabulary_size = vocabulary.rows
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

        The longest text of a row is cut first.

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
        every = [text for row in zip(texts, *others, strict=True) for text in row]
        if self._lower_texts:
            every = [text.lower() for text in every]
        each = 1 + len(others)
        rows = self._texts.tokens(every, each)
        return several_rows(*rows, self._max_length, each, self.vocabulary.rules)

    def tokens_with_spans(self, texts: Sequence[str]) -> list[TextTokens]:
        """The tokens of whole texts, and the place of each in its text."""
        return self._texts.tokens_with_spans(texts)
