"""WordPiece on all words of a batch at once, for vocabularies whose words are runs of Chinese.

Such runs are rarely repeated, so that remembering words (`word_cache`) does not help. Two tries
hold the pieces: those that begin a word, and those that continue one (`##`). One hash table holds
the edges of both, so that a step for all places of a batch is a few array operations. The longest
piece from each place is found first; then each text is walked from piece to piece, which is greedy
longest-match-first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Bool, Int32, Int64
from ernie_triton.tokenizer.character_table import TABLE_SIZE
from ernie_triton.tokenizer.vocabulary import Vocabulary

MAX_WORD_CHARACTERS = 100
"""A longer word is one unknown token: `max_input_chars_per_word` of BERT's WordPiece, which no
setting of transformers' or PaddleNLP's `BertTokenizer` changes."""

CONTINUES = "##"
_BEGIN, _CONTINUE = 0, 1
_NONE = -1
_MULTIPLIER = np.uint64(0x9E37_79B9_7F4A_7C15)
"""2^64 over the golden ratio (Knuth, The Art of Computer Programming, volume 3, section 6.4)."""
_MOST_PROBES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class WordPieces:
    """The tokens of words, in order.

    Attributes:
        places: int64 [tokens], the place of each token's first character.
        ids: int32 [tokens].
        lengths: int32 [tokens], characters of each.
        begins: bool [tokens], whether it begins a word.
    """

    places: Int64
    ids: Int32
    lengths: Int32
    begins: Bool


class PieceTable:
    """Cut words into the pieces of one vocabulary."""

    def __init__(self, vocabulary: Vocabulary, characters: Mapping[int, str]) -> None:
        """Build the tries.

        Args:
            vocabulary: tokens and ids.
            characters: the form of each code point inside a word, from `word_characters`.
        """
        self._unknown = vocabulary.unknown_id
        edges, self._piece, numbers = _tries(vocabulary, frozenset(characters.values()))
        self._letters = np.zeros(TABLE_SIZE, np.int32)
        for code, character in characters.items():
            self._letters[code] = numbers.get(character, 0)
        # Almost every character is a piece: the first step is taken without the hash table.
        self._first = np.zeros((2, len(numbers) + 1), np.int64)
        for (node, letter), child in edges.items():
            if node in (_BEGIN, _CONTINUE):
                self._first[node, letter] = child
        self._edges = _Edges(edges, len(numbers))
        self._goes_on = np.zeros(len(self._piece), np.bool_)
        self._goes_on[[node for node, _ in edges if node not in (_BEGIN, _CONTINUE)]] = True

    def pieces(self, codes: npt.NDArray[np.uint32], in_word: Bool) -> WordPieces:
        """The pieces of all words; a word that is too long or has no cut is one unknown token.

        Args:
            codes: uint32 [characters], code points of whole texts; the last is in no word.
            in_word: bool [characters], True for those in words.
        """
        begins = in_word.copy()
        begins[1:] &= ~in_word[:-1]
        letters = np.where(in_word, self._letters.take(codes, mode="clip"), 0)
        lengths, ids = self._longest(letters, in_word.nonzero()[0], begins)
        places = _walked(np.maximum(lengths, 1).tolist())
        places = places[in_word[places]]
        firsts = begins.nonzero()[0]
        sizes = (in_word[:-1] & ~in_word[1:]).nonzero()[0] + 1 - firsts
        is_unknown = sizes > MAX_WORD_CHARACTERS
        dead = places[lengths[places] == 0]
        is_unknown[np.searchsorted(firsts, dead, side="right") - 1] = True
        if is_unknown.any():
            ids[firsts[is_unknown]] = self._unknown
            lengths[firsts[is_unknown]] = sizes[is_unknown]
            word = np.searchsorted(firsts, places, side="right") - 1
            places = places[~is_unknown[word] | begins[places]]
        return WordPieces(
            places=places, ids=ids[places], lengths=lengths[places], begins=begins[places]
        )

    def _longest(self, letters: Int32, places: Int64, begins: Bool) -> tuple[Int32, Int32]:
        """Length (0 for none) and id of the longest piece from each place, int32 [characters]."""
        lengths, ids = np.zeros_like(letters), np.zeros_like(letters)
        first = letters[places]
        node = np.where(begins[places], self._first[_BEGIN, first], self._first[_CONTINUE, first])
        length = 1
        while len(places):
            piece = self._piece[node]
            is_piece = piece != _NONE
            ends = places[is_piece]
            lengths[ends], ids[ends] = length, piece[is_piece]
            goes_on = self._goes_on[node]
            places = places[goes_on]
            found, node = self._edges.followed(node[goes_on], letters[places + length])
            places = places[found]
            length += 1
        return lengths, ids


class _Edges:
    """The edges of tries in a hash table with linear probing, mostly one slot."""

    def __init__(self, edges: Mapping[tuple[int, int], int], letters: int) -> None:
        """Fill the table with the child of each node by letter; it grows until probes are few."""
        self._letters = letters + 1
        nodes = np.array(list(edges), np.int64).reshape(-1, 2)
        keys = nodes[:, 0] * self._letters + nodes[:, 1]
        bits, probes = (4 * len(keys) + 2).bit_length(), _MOST_PROBES + 1
        while probes > _MOST_PROBES:
            self._shift = np.uint64(64 - bits)
            homes = self._homes(keys)
            order = np.argsort(homes, kind="stable")
            # Each key is at its own slot or right after the key before it.
            counted = np.arange(len(keys))
            slots = np.maximum.accumulate(homes[order] - counted) + counted
            probes = int((slots - homes[order]).max(initial=0))
            bits += 1
        self._probes = probes
        self._keys = np.full((1 << bits - 1) + probes, _NONE, np.int64)
        self._keys[slots] = keys[order]
        self._children = np.zeros(len(self._keys), np.int64)
        self._children[slots] = np.array(list(edges.values()), np.int64)[order]

    def followed(self, nodes: Int64, letters: Int32) -> tuple[Bool, Int64]:
        """A mask of the nodes that have a child by their letter, and the children."""
        keys = nodes * self._letters + letters
        slots = self._homes(keys)
        for _ in range(self._probes):
            slots += self._keys[slots] != keys
        found = self._keys[slots] == keys
        return found, self._children[slots[found]]

    def _homes(self, keys: Int64) -> Int64:
        homes: Int64 = (keys.view(np.uint64) * _MULTIPLIER >> self._shift).view(np.int64)
        return homes


def _walked(steps: Sequence[int]) -> Int64:
    """Places reached from the first one, step by step."""
    places = []
    place = 0
    while place < len(steps):
        places.append(place)
        place += steps[place]
    return np.array(places, np.int64)


def _tries(
    vocabulary: Vocabulary, characters: frozenset[str]
) -> tuple[dict[tuple[int, int], int], Int32, dict[str, int]]:
    """Both tries.

    Returns:
        The child of each node by letter, int32 [nodes] the token that ends there, and the number
        of each letter, from 1.
    """
    edges: dict[tuple[int, int], int] = {}
    piece = [_NONE, _NONE]
    numbers: dict[str, int] = {}
    for token, token_id in vocabulary.ids.items():
        continues = token.startswith(CONTINUES)
        letters = token[len(CONTINUES) :] if continues else token
        if not letters or not characters.issuperset(letters):
            continue
        node = _CONTINUE if continues else _BEGIN
        for letter in letters:
            number = numbers.setdefault(letter, len(numbers) + 1)
            node = edges.setdefault((node, number), len(piece))
            if node == len(piece):
                piece.append(_NONE)
        piece[node] = token_id
    return edges, np.array(piece, np.int32), numbers
