"""Texts to tokens by unusual rules: as transformers' slow tokenizer does it, step by step.

Case folds outside tokens that keep theirs; added tokens are found, the longest first; what is
between them is split into words, of which some never split; words are cut into pieces.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordPiece

from ernie_triton.tokenizer.fallback import FallbackTokenizer, any_of, spelled_tokens
from ernie_triton.tokenizer.long_texts import refuse_piled_marks
from ernie_triton.tokenizer.token_rows import TextTokens
from ernie_triton.tokenizer.vocabulary import Vocabulary
from ernie_triton.tokenizer.words import Origin, without_accents

_ASCII_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_ACCENTED = re.compile(r"[^\x00-\x7f\u3000-\u303f\u3400-\u9fff\uff00-\uffee]")
"""Any character that may lose an accent, and others."""

_Word = tuple[str | int, Sequence[Origin]]
"""A word, or the id of a token that a text spells, with the origin of each character."""


def tokenizer_by_rules(
    vocabulary: Vocabulary, *, lower_case: bool, tokenize_chinese_chars: bool = True
) -> FallbackTokenizer:
    """The tokenizer of single texts that a vocabulary's rules need."""
    kind = FallbackTokenizer if _is_simple(vocabulary) else RuledTokenizer
    return kind(vocabulary, lower_case=lower_case, tokenize_chinese_chars=tokenize_chinese_chars)


def _is_simple(vocabulary: Vocabulary) -> bool:
    """True when the `tokenizers` library finds all tokens as the slow tokenizer does."""
    rules, tokens = vocabulary.rules, list(spelled_tokens(vocabulary))
    return (
        rules.basic_tokenize
        and not rules.never_split
        and all(token.keeps_case for token in rules.added)
        and all(
            _ASCII_PUNCTUATION.search(token) and not any(map(str.isspace, token))
            for token in tokens
        )
        and not any(a != b and a in b for a in tokens for b in tokens)
    )


class RuledTokenizer(FallbackTokenizer):
    """Tokenise texts one by one, for a vocabulary with any rules."""

    def __init__(
        self, vocabulary: Vocabulary, *, lower_case: bool, tokenize_chinese_chars: bool = True
    ) -> None:
        """Prepare the tokenizers."""
        super().__init__(
            vocabulary, lower_case=lower_case, tokenize_chinese_chars=tokenize_chinese_chars
        )
        rules = vocabulary.rules
        self._rules = rules
        self._spelled_ids = spelled_tokens(vocabulary)
        # Without its basic step the original tokenizer has no case to fold.
        self._lower_case = lower_case and rules.basic_tokenize
        kept = [token.content for token in rules.added if token.keeps_case]
        self._keeps_case = any_of([*vocabulary.special_tokens, *kept])
        folded = {token.content for token in rules.added if not token.keeps_case}
        strips = lower_case if rules.strip_accents is None else rules.strip_accents
        self._folds_accents = rules.under_accents and strips and bool(folded)
        self._never_split = frozenset(rules.never_split)
        self._trigger = any_of({token.lower() for token in self._spelled})
        # A word that never splits and is no token is unknown, whatever folded into it.
        self.reads_every_text = not rules.basic_tokenize or not all(
            word in vocabulary.ids for word in rules.never_split
        )
        ids = {**vocabulary.ids, rules.names.unknown: vocabulary.unknown_id}
        self._pieces = Tokenizer(WordPiece(ids, unk_token=rules.names.unknown))

    def special_places(self, text: str) -> list[int]:
        """Places in a text at which it may spell a token or a word that never splits."""
        same_length = text.replace("\u0130", "i").replace("Σ", "σ").lower()
        places = [match.start() for match in self._trigger.finditer(same_length)]
        places.extend(match.start() for match in re.finditer("\u0130", text))
        if self._folds_accents:
            places.extend(match.start() for match in _ACCENTED.finditer(text))
        return places

    def may_be_cut(self, cut: re.Pattern[str]) -> bool:
        """Return whether a text may be read in two parts where `cut` matches."""
        return self._rules.basic_tokenize and super().may_be_cut(cut)

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text."""
        return [tokens.ids.tolist() for tokens in self.tokens_with_spans(texts)]

    def tokens_with_spans(self, texts: Sequence[str]) -> list[TextTokens]:
        """The tokens of each text, and the place of each in its text.

        Raises:
            TextError: a character of a text has too many combining marks.
        """
        for text in texts:
            refuse_piled_marks(text)
        return [self._tokens_of_parts(list(self._parts(text))) for text in texts]

    def _tokens_of_parts(self, parts: Sequence[_Word]) -> TextTokens:
        words = [part for part, _ in parts if isinstance(part, str)]
        row = self._pieces.encode(words, is_pretokenized=True, add_special_tokens=False)
        pieces: list[list[tuple[int, tuple[int, int]]]] = [[] for _ in words]
        for token_id, word, offsets in zip(row.ids, row.word_ids, row.offsets, strict=True):
            if word is not None:
                pieces[word].append((token_id, offsets))
        ids: list[int] = []
        spans: list[tuple[int, int, int]] = []
        cut = iter(pieces)
        for part, origins in parts:
            made = next(cut) if isinstance(part, str) else [(part, (0, len(origins)))]
            for place, (token_id, (first, end)) in enumerate(made):
                ids.append(token_id)
                spans.append((origins[first][0], origins[end - 1][1], int(place == 0)))
        return TextTokens(
            ids=np.array(ids, np.int32), spans=np.array(spans, np.int32).reshape(-1, 3)
        )

    def _parts(self, text: str) -> Iterator[_Word]:
        """The words and spelled tokens of a text, in order."""
        folded, places = self._folded_text(text)
        start = 0
        for index, part in enumerate(self.special.split(folded)):
            end = start + len(part)
            origins = [(places[at], places[at] + 1) for at in range(start, end)]
            if index % 2:
                yield self._spelled_ids[part], origins
            else:
                for word, own in self._words_between(part):
                    yield (
                        self._whole_word(word),
                        [(origins[first][0], origins[last - 1][1]) for first, last in own],
                    )
            start = end

    def _words_between(self, part: str) -> Iterator[tuple[str, Sequence[Origin]]]:
        if self._rules.basic_tokenize:
            yield from self._words_with_origins(part)
            return
        place = 0
        for word in part.split():
            place = part.index(word, place)
            yield word, [(place + at, place + at + 1) for at in range(len(word))]
            place += len(word)

    def _whole_word(self, word: str) -> str | int:
        if word in self._never_split and self._rules.basic_tokenize:
            return self._vocabulary.get(word, self._unknown)
        return word

    def _folded_text(self, text: str) -> tuple[str, list[int]]:
        """The text with case folded outside tokens that keep theirs, and each character's place."""
        if not (self._lower_case or self._folds_accents):
            return text, list(range(len(text)))
        characters: list[str] = []
        places: list[int] = []
        place = 0
        for index, part in enumerate(self._keeps_case.split(text)):
            for character in part:
                folded = character if index % 2 else self._folded_character(character)
                characters.append(folded)
                places.extend([place] * len(folded))
                place += 1
        return "".join(characters), places

    def _folded_character(self, character: str) -> str:
        folded = character.lower() if self._lower_case else character
        return without_accents(folded) if self._folds_accents else folded
