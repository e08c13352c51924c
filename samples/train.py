"""Training of a tiny ERNIE classifier from random weights, on CPU, in a few minutes."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from tqdm import tqdm

from samples.easy_pairs import easy_pairs_from
from samples.encoding import encode_examples
from samples.examples import Example
from samples.vocabulary import SPECIALS

if TYPE_CHECKING:
    import torch
    from transformers import BertTokenizer, ErnieForSequenceClassification

MASK_ID = SPECIALS.index("[MASK]")
UNKNOWN_ID = SPECIALS.index("[UNK]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long and how fast to train.

    The learning rate rises over `ramp_share` of the steps, then falls to 0 in a straight line.
    `hidden_share` of the tokens of a training batch are replaced by [MASK] or [UNK], so that no
    single word decides and unknown characters are nothing new. A pair task spends the first
    `easy_share` of its steps on easy pairs.
    """

    epochs: int
    easy_share: float = 0.0
    learning_rate: float = 1e-3
    batch_size: int = 32
    ramp_share: float = 0.1
    hidden_share: float = 0.1
    weight_decay: float = 0.01
    label_smoothing: float = 0.05
    max_gradient_norm: float = 1.0


def train_classifier(
    model: "ErnieForSequenceClassification",
    tokenizer: "BertTokenizer",
    examples: Sequence[Example],
    schedule: Schedule,
    rng: Random,
) -> None:
    """Train a classifier in place with AdamW; progress goes to stderr when it is a terminal.

    Chance comes from `rng` and from PyTorch's global generator: seed both to repeat a run.
    """
    import torch

    optimizer = torch.optim.AdamW(
        model.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    steps = count_steps(len(examples), schedule)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: rate_factor(step, steps, schedule.ramp_share)
    )
    measure_loss = torch.nn.CrossEntropyLoss(label_smoothing=schedule.label_smoothing)
    model.train()
    bar = tqdm(
        draw_batches(examples, schedule, rng),
        total=steps,
        unit="step",
        file=sys.stderr,
        disable=None,
    )
    for chosen in bar:
        batch = encode_examples(tokenizer, chosen)
        labels = batch.pop("labels")
        hide_tokens(batch["input_ids"], schedule.hidden_share)
        loss = measure_loss(model(**batch).logits, labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), schedule.max_gradient_norm)
        optimizer.step()
        rate.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    model.train(mode=False)


def draw_batches(
    examples: Sequence[Example], schedule: Schedule, rng: Random
) -> Iterator[list[Example]]:
    """Yield the batches of all epochs: shuffled anew each time, pairs turned, easy ones first."""
    order = list(examples)
    easy = easy_pairs_from(examples)
    easy_steps = int(count_steps(len(examples), schedule) * schedule.easy_share)
    step = 0
    for _ in range(schedule.epochs):
        rng.shuffle(order)
        for start in range(0, len(order), schedule.batch_size):
            chosen = order[start : start + schedule.batch_size]
            if step < easy_steps:
                chosen = [easy.draw(rng) for _ in chosen]
            yield [swap_pair(example, rng) for example in chosen]
            step += 1


def count_steps(examples: int, schedule: Schedule) -> int:
    """The batches of all epochs, the last and smaller one of each included."""
    return schedule.epochs * -(-examples // schedule.batch_size)


def rate_factor(step: int, steps: int, ramp_share: float) -> float:
    """The share of the full learning rate at a step, between 0 and 1."""
    ramp = max(1, int(steps * ramp_share))
    if step < ramp:
        return (step + 1) / ramp
    return max(0.0, (steps - step) / max(1, steps - ramp))


def swap_pair(example: Example, rng: Random) -> Example:
    """Turn a pair around half of the time (the question is symmetric); a single text stays."""
    if len(example.texts) == 1 or rng.random() < 0.5:
        return example
    return Example(texts=example.texts[::-1], label_id=example.label_id)


def hide_tokens(input_ids: "torch.Tensor", share: float) -> None:
    """Replace a share of the ordinary tokens by [MASK] or [UNK], in place.

    Args:
        input_ids: int64 [batch, longest].
        share: the part of the tokens to replace, between 0 and 1.
    """
    import torch

    hidden = (torch.rand(input_ids.shape) < share) & (input_ids >= len(SPECIALS))
    substitutes = torch.where(torch.rand(input_ids.shape) < 0.5, MASK_ID, UNKNOWN_ID)
    input_ids[hidden] = substitutes[hidden]
