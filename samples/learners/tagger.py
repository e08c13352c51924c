"""Token classification: entities of a text, as spans of its characters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samples.encoding import MAX_LENGTH
from samples.entities import Entity, entities_of
from samples.examples import Example
from samples.learners.base import Batch, Figures, Learner, in_batches, read_lines
from samples.learners.classifier import label_config
from samples.metrics import entity_f1
from samples.tasks import Label

if TYPE_CHECKING:
    import torch
    from transformers import BatchEncoding, BertTokenizer, PreTrainedModel

LONG_TEXT_CHARACTERS = 120
"""How long the texts get that training makes of several."""

IGNORED = -100
"""What PyTorch's cross-entropy leaves out: specials, padding, a word's further pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagger(Learner[tuple[str, ...]]):
    """Learns a BIO label for each word; the target has one for each character."""

    labels: tuple[Label, ...]

    @property
    def model_class(self) -> "type[PreTrainedModel]":
        """A classifier over every token."""
        from transformers import ErnieForTokenClassification

        return ErnieForTokenClassification

    @property
    def config(self) -> Mapping[str, Any]:
        """The labels' names."""
        return label_config(self.labels)

    def read(self, path: Path) -> list[Example[tuple[str, ...]]]:
        """Read lines with `tokens`, one character each, and their `labels`."""
        names = {label.label for label in self.labels}

        def example_from(record: dict[str, object]) -> Example[tuple[str, ...]]:
            tokens, labels = record["tokens"], record["labels"]
            if not isinstance(tokens, list) or any(len(str(token)) != 1 for token in tokens):
                raise ValueError(f"has the tokens {tokens!r}, expected one character each")
            if not isinstance(labels, list) or not set(labels) <= names:
                raise ValueError(f"has the labels {labels!r}, expected {', '.join(sorted(names))}")
            if len(labels) != len(tokens):
                raise ValueError(f"has {len(tokens)} tokens and {len(labels)} labels")
            return Example(texts=("".join(tokens),), target=tuple(labels))

        return read_lines(path, ("tokens", "labels"), example_from)

    def encode(
        self, tokenizer: "BertTokenizer", examples: Sequence[Example[tuple[str, ...]]]
    ) -> Batch:
        """Add `labels`: int64 [batch, longest], a word's label at its first piece.

        Half of the rows are several examples one after the other, so that the model knows long
        texts and late positions too.
        """
        import torch

        examples = _half_joined(examples)
        ids = {label.label: index for index, label in enumerate(self.labels)}
        encoding = _encode(tokenizer, examples)
        labels = torch.full(encoding["input_ids"].shape, IGNORED)
        for row, example in enumerate(examples):
            for token, (start, _) in _words(encoding, row):
                labels[row, token] = ids[example.target[start]]
        return {**_inputs(encoding), "labels": labels}

    def loss(self, model: "PreTrainedModel", batch: Batch, smoothing: float) -> "torch.Tensor":
        """Cross-entropy of the words' labels."""
        import torch

        labels = batch.pop("labels")
        logits = model(**batch).logits
        return torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), label_smoothing=smoothing
        )

    def measure(
        self,
        model: "PreTrainedModel",
        tokenizer: "BertTokenizer",
        examples: Sequence[Example[tuple[str, ...]]],
        calibration: Figures,  # noqa: ARG002
    ) -> Figures:
        """Precision, recall and F1 of entities: seqeval's, exact characters and kind."""
        predicted: list[list[Entity]] = []
        for chosen in in_batches(examples):
            encoding = _encode(tokenizer, chosen)
            best = model(**_inputs(encoding)).logits.argmax(-1).tolist()
            for row, labels in enumerate(best):
                words = _words(encoding, row)
                names = [self.labels[labels[token]].label for token, _ in words]
                predicted.append(
                    [
                        (kind, words[first][1][0], words[last][1][1] - 1)
                        for kind, first, last in entities_of(names)
                    ]
                )
        return entity_f1([entities_of(example.target) for example in examples], predicted)


def _half_joined(
    examples: Sequence[Example[tuple[str, ...]]],
) -> list[Example[tuple[str, ...]]]:
    """The examples, every second one followed by those after it until the text is long."""
    joined = list(examples)
    for place in range(1, len(examples), 2):
        text, target = examples[place].texts[0], examples[place].target
        for other in examples[place + 1 :]:
            if len(text) + len(other.texts[0]) > LONG_TEXT_CHARACTERS:
                break
            text, target = text + other.texts[0], target + other.target
        joined[place] = Example(texts=(text,), target=target)
    return joined


def _encode(
    tokenizer: "BertTokenizer", examples: Sequence[Example[tuple[str, ...]]]
) -> "BatchEncoding":
    texts = [example.texts[0] for example in examples]
    encoding: BatchEncoding = tokenizer(
        texts,
        padding=True,
        truncation=True,
        max_length=MAX_LENGTH,
        return_offsets_mapping=True,
        return_tensors="pt",
    )
    return encoding


def _inputs(encoding: "BatchEncoding") -> Batch:
    return {name: encoding[name] for name in ("input_ids", "token_type_ids", "attention_mask")}


def _words(encoding: "BatchEncoding", row: int) -> list[tuple[int, tuple[int, int]]]:
    """The first token of each word, and the characters of the whole word."""
    words: list[tuple[int, tuple[int, int]]] = []
    last_word = None
    offsets = encoding["offset_mapping"][row].tolist()
    for token, word in enumerate(encoding.word_ids(row)):
        if word is None:
            continue
        start, end = offsets[token]
        if word == last_word:
            first, (first_start, _) = words.pop()
            words.append((first, (first_start, end)))
        else:
            words.append((token, (start, end)))
        last_word = word
    return words
