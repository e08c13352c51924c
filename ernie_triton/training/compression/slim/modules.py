"""Students as torch modules, with the formulas of `ernie_triton.build.model.slim`."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.modeling_outputs import SequenceClassifierOutput

from ernie_triton.build.load.slim import SlimConfig
from ernie_triton.build.model.slim import PAIR_FEATURES, bigram_addends

INITIAL_DEVIATION = 0.1
"""Standard deviation of new word vectors."""


class SlimClassifier(nn.Module):
    """A bag of words or a convolution over word pieces; its state is that of a checkpoint."""

    first_addend: Tensor
    second_addend: Tensor

    def __init__(self, config: SlimConfig, labels: int, *, dropout: float = 0.0) -> None:
        """Make a student with random weights.

        Args:
            config: its shape.
            labels: number of scores of a text.
            dropout: share of features that the hidden layer and the classifier miss in training.
        """
        super().__init__()
        self.slim = config
        self.word = nn.Embedding(config.vocab_size, config.embedding_size)
        nn.init.normal_(self.word.weight, std=INITIAL_DEVIATION)
        width = config.embedding_size
        if config.bigram_buckets:
            self.bigram = nn.Embedding(config.bigram_buckets, width)
            nn.init.normal_(self.bigram.weight, std=INITIAL_DEVIATION)
            addends = bigram_addends(config.vocab_size, config.bigram_buckets)
            for name, values in zip(("first_addend", "second_addend"), addends, strict=True):
                self.register_buffer(name, torch.from_numpy(values).long(), persistent=False)
        self.window = nn.ModuleDict(
            {
                str(size): nn.Linear(size * width, filters)
                for size, filters in enumerate(config.filters, 1)
            }
        )
        one = sum(config.filters) or width
        self.hidden = nn.Linear(one * (PAIR_FEATURES if config.pair else 1), config.hidden_size)
        self.classifier = nn.Linear(config.hidden_size, labels)
        self.dropout = nn.Dropout(dropout)

    def take_words(self, table: Tensor) -> None:
        """Take over a teacher's word vectors, projected to the student's width.

        Their principal components are scaled to the size of random vectors. If the teacher's
        vectors are narrower, the other features stay random.

        Args:
            table: float [vocabulary, teacher's width].
        """
        centred = table.detach().double() - table.detach().double().mean(dim=0)
        _, directions = torch.linalg.eigh(centred.T @ centred)
        width = min(self.slim.embedding_size, table.shape[1])
        found = centred @ directions[:, -width:]
        found *= INITIAL_DEVIATION / found.std().clamp(min=1e-12)
        with torch.no_grad():
            self.word.weight[:, :width] = found.to(self.word.weight.dtype)

    def forward(
        self,
        input_ids: Tensor,
        token_type_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,  # noqa: ARG002 (as all models are called)
    ) -> SequenceClassifierOutput:
        """Score the texts of a padded batch.

        Args:
            input_ids: int64 [items, length], padded with `[PAD]`.
            token_type_ids: int64 [items, length]; needed for pairs only.
            attention_mask: ignored, since `[PAD]` counts nowhere.
        """
        real = input_ids != self.slim.pad_token_id
        pool = self._largest if self.slim.filters else self._mean
        if not self.slim.pair:
            features = pool(input_ids, [real])[0]
        elif token_type_ids is None:
            raise ValueError("a student of pairs needs token_type_ids")
        else:
            first, second = pool(input_ids, [real & (token_type_ids == text) for text in (0, 1)])
            features = torch.cat([first, second, (first - second).abs(), first * second], dim=-1)
        hidden = functional.relu(self.hidden(self.dropout(features)))
        return SequenceClassifierOutput(logits=self.classifier(self.dropout(hidden)))

    def _mean(self, ids: Tensor, counts: list[Tensor]) -> list[Tensor]:
        vectors = self.word(ids)
        if self.slim.bigram_buckets:
            following = self._following(ids, 1)
            bucket = self.first_addend[ids] + self.second_addend[following]
            vectors = vectors + self.bigram(bucket % self.slim.bigram_buckets)
        means = []
        for own in counts:
            share = own.to(vectors.dtype)
            share = share / share.sum(dim=1, keepdim=True).clamp(min=1.0)
            means.append(torch.einsum("il,ilw->iw", share, vectors))
        return means

    def _largest(self, ids: Tensor, counts: list[Tensor]) -> list[Tensor]:
        vectors = [self.word(self._following(ids, step)) for step in range(len(self.window))]
        windows = [
            self.window[str(size)](torch.cat(vectors[:size], dim=-1))
            for size in range(1, len(vectors) + 1)
        ]
        values = torch.cat(windows, dim=-1)
        largest = []
        for own in counts:
            # A text without tokens that count uses the first token of its row.
            first = torch.zeros_like(own)
            first[:, 0] = ~own.any(dim=1)
            left = values.masked_fill(~(own | first)[..., None], -torch.inf)
            largest.append(functional.relu(left.amax(dim=1)))
        return largest

    def _following(self, ids: Tensor, step: int) -> Tensor:
        """Shift ids to the left by `step` places; fill up with `[PAD]`."""
        if not step:
            return ids
        return functional.pad(ids[:, step:], (0, step), value=self.slim.pad_token_id)[
            :, : ids.shape[1]
        ]
