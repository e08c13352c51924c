"""A linear model over runs of characters: what single words tell, a pre-trained model may miss."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ernie_triton.arrays import Float32
from ernie_triton.build.torch_models.modules import import_torch

if TYPE_CHECKING:
    from torch import Tensor

_LONGEST_RUN = 4
_RARE = 2
_EPOCHS = 4
_BATCH = 64
_LEARNING_RATE = 0.01


class RunScorer:
    """Score texts by their runs of one to four characters, weighted by their rarity.

    A run counts once in a text. The weights of a text have the length 1, so that long texts do not
    score higher than short ones.
    """

    def __init__(
        self, texts: Sequence[str], labels: Sequence[int], classes: int, seed: int
    ) -> None:
        """Train on texts and the numbers of their labels."""
        torch = import_torch()
        often = Counter(run for text in texts for run in _runs(text))
        kept = [run for run, times in often.items() if times >= _RARE]
        self._ids = {run: place for place, run in enumerate(kept)}
        rarity = [1.0 + math.log(len(texts) / often[run]) for run in kept]
        self._rarity = torch.tensor(rarity, dtype=torch.float32)
        self._table = torch.nn.EmbeddingBag(len(kept), classes, mode="sum", sparse=True)
        torch.nn.init.zeros_(self._table.weight)
        optimizer = torch.optim.SparseAdam(list(self._table.parameters()), lr=_LEARNING_RATE)
        random, wanted = np.random.default_rng(seed), torch.tensor(labels)
        for _ in range(_EPOCHS):
            order = random.permutation(len(texts))
            for start in range(0, len(order), _BATCH):
                chosen = order[start : start + _BATCH]
                found = self._logits([texts[place] for place in chosen])
                loss = torch.nn.functional.cross_entropy(found, wanted[torch.from_numpy(chosen)])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    def scores(self, texts: Sequence[str]) -> Float32:
        """Return the logits of texts, float32 [texts, classes]."""
        torch = import_torch()
        with torch.no_grad():
            parts = [
                self._logits(texts[start : start + _BATCH]).numpy()
                for start in range(0, len(texts), _BATCH)
            ]
        return np.concatenate(parts)

    def _logits(self, texts: Sequence[str]) -> "Tensor":
        torch = import_torch()
        rows = [[self._ids[run] for run in _runs(text) if run in self._ids] for text in texts]
        ids = torch.tensor([run for row in rows for run in row], dtype=torch.long)
        lengths = torch.tensor([len(row) for row in rows])
        weights = self._rarity[ids]
        owner = torch.repeat_interleave(torch.arange(len(rows)), lengths)
        squares = torch.zeros(len(rows)).index_add_(0, owner, weights.square())
        weights = weights / squares.sqrt()[owner].clamp(min=1e-6)
        starts = lengths.cumsum(0) - lengths
        found: Tensor = self._table(ids, starts, per_sample_weights=weights)
        return found


def _runs(text: str) -> list[str]:
    return sorted(
        {
            text[start : start + length]
            for length in range(1, _LONGEST_RUN + 1)
            for start in range(len(text) - length + 1)
        }
    )
