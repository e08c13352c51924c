"""Training of a tiny ERNIE from random weights, on CPU, in a few minutes."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from tqdm import tqdm

from samples.examples import Example, Target
from samples.learners.base import Learner
from samples.vocabulary import SPECIALS

if TYPE_CHECKING:
    import torch
    from transformers import BertTokenizer, PreTrainedModel

MASK_ID = SPECIALS.index("[MASK]")
UNKNOWN_ID = SPECIALS.index("[UNK]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long and how fast to train.

    The learning rate rises over `ramp_share` of the steps, then falls to 0 in a straight line.
    `hidden_share` of the tokens of a training batch are replaced by [MASK] or [UNK], so that no
    single word decides and unknown characters are nothing new. A task that has easy examples spends
    the first `easy_share` of its steps on them.
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


def train_model(
    model: "PreTrainedModel",
    tokenizer: "BertTokenizer",
    learner: Learner[Target],
    examples: Sequence[Example[Target]],
    schedule: Schedule,
    rng: Random,
) -> None:
    """Train a model in place with AdamW; progress goes to stderr when it is a terminal.

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
    model.train()
    bar = tqdm(
        draw_batches(learner, examples, schedule, rng),
        total=steps,
        unit="step",
        file=sys.stderr,
        disable=None,
    )
    for chosen in bar:
        batch = learner.encode(tokenizer, chosen)
        hide_tokens(batch["input_ids"], schedule.hidden_share)
        loss = learner.loss(model, batch, schedule.label_smoothing)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), schedule.max_gradient_norm)
        optimizer.step()
        rate.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    model.train(mode=False)


def draw_batches(
    learner: Learner[Target],
    examples: Sequence[Example[Target]],
    schedule: Schedule,
    rng: Random,
) -> Iterator[list[Example[Target]]]:
    """Yield the batches of all epochs: shuffled anew each time, varied, easy ones first."""
    order = list(examples)
    draw_easy = learner.easy_examples(examples)
    easy_steps = int(count_steps(len(examples), schedule) * schedule.easy_share)
    step = 0
    for _ in range(schedule.epochs):
        rng.shuffle(order)
        for start in range(0, len(order), schedule.batch_size):
            chosen = order[start : start + schedule.batch_size]
            if step < easy_steps and draw_easy is not None:
                chosen = [draw_easy(rng) for _ in chosen]
            yield [learner.vary(example, rng) for example in chosen]
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
