"""Losses between a student and its teacher: of answers, token vectors and attention.

Tensors are [rows, tokens, …]; `mask` is int64 [rows, tokens], 1 for real tokens. Every loss is a
float32 scalar, a mean over real tokens or rows, so that weights mean the same for any batch.
"""

import math
from typing import TYPE_CHECKING, Any

from ernie_triton.build.torch_models.modules import import_torch
from ernie_triton.tasks import EXTRACTION, MULTI_LABEL, QA, REGRESSION, TOKEN_CLS

if TYPE_CHECKING:
    from torch import Tensor

_HIDDEN_SCORE = -1e4


def answer_loss(
    task: str,
    student: Any,  # noqa: ANN401 (transformers' outputs)
    teacher: Any,  # noqa: ANN401
    mask: "Tensor",
    *,
    temperature: float,
) -> "Tensor":
    """Compare the student's answers with the teacher's soft ones.

    It is the divergence of softmaxes at a temperature, times the temperature's square, so that
    the gradient's size does not depend on it (Hinton et al. 2015, arxiv.org/abs/1503.02531,
    section 2). `multi_label` and `extraction` take sigmoids of each score, `regression` the squared
    difference. Equal answers have the loss 0.

    Args:
        task: name of the task.
        student: has `logits`, or for qa and extraction `start_logits` and `end_logits`.
        teacher: the same, without gradients.
        mask: real tokens, for qa, extraction and token_cls.
        temperature: softens both sides, above 0.
    """
    if task == QA.name:
        ends = [
            _softmax_loss(
                _real_only(getattr(student, name), mask),
                _real_only(getattr(teacher, name), mask),
                temperature,
            ).mean()
            for name in ("start_logits", "end_logits")
        ]
        return (ends[0] + ends[1]) / 2
    if task == EXTRACTION.name:
        ends = [
            _mean_of_tokens(
                _sigmoid_losses(getattr(student, name), getattr(teacher, name), temperature), mask
            )
            for name in ("start_logits", "end_logits")
        ]
        return (ends[0] + ends[1]) / 2
    found, wanted = student.logits.float(), teacher.logits.float()
    if task == REGRESSION.name:
        return _squared(found, wanted)
    if task == MULTI_LABEL.name:
        return _sigmoid_losses(found, wanted, temperature).mean()
    losses = _softmax_loss(found, wanted, temperature)
    return _mean_of_tokens(losses, mask) if task == TOKEN_CLS.name else losses.mean()


def vector_loss(student: "Tensor", teacher: "Tensor", mask: "Tensor") -> "Tensor":
    """Return the squared difference of token vectors (TinyBERT, arxiv.org/abs/1909.10351, eq. 8).

    Args:
        student: [rows, tokens, hidden].
        teacher: the same.
        mask: real tokens.
    """
    squares = (student.float() - teacher.float()).square().mean(dim=-1)
    return _mean_of_tokens(squares, mask)


def attention_loss(student: "Tensor", teacher: "Tensor", mask: "Tensor") -> "Tensor":
    """Return the divergence of the student's attention from the teacher's.

    It is the mean over heads and real tokens (MiniLM, arxiv.org/abs/2002.10957, eq. 3).

    Args:
        student: scores before the softmax, [rows, heads, tokens, tokens], of `attention_scores`.
        teacher: the same, with as many heads.
        mask: real tokens.
    """
    torch = import_torch()
    hidden = (mask == 0)[:, None, None, :]
    found, wanted = (
        scores.masked_fill(hidden, _HIDDEN_SCORE).log_softmax(-1) for scores in (student, teacher)
    )
    divergence = torch.nn.functional.kl_div(found, wanted, reduction="none", log_target=True)
    return _mean_of_tokens(divergence.sum(-1).mean(dim=1), mask)


def relation_loss(student: "Tensor", teacher: "Tensor", mask: "Tensor", heads: int) -> "Tensor":
    """Return the divergence of token relations (MiniLMv2, arxiv.org/abs/2012.15828, eq. 4).

    Queries (or keys, or values) of all heads side by side are split into `heads` relation heads,
    whatever the attention heads of each side. A token's relation to the others is the softmax of
    their scaled products.

    Args:
        student: [rows, tokens, features]; features are a multiple of `heads`.
        teacher: [rows, tokens, features], which may be of another width.
        mask: real tokens.
        heads: relation heads.
    """
    return attention_loss(
        attention_scores(student, student, heads), attention_scores(teacher, teacher, heads), mask
    )


def attention_scores(query: "Tensor", key: "Tensor", heads: int) -> "Tensor":
    """Return scaled products of queries and keys, [rows, heads, tokens, tokens].

    Args:
        query: [rows, tokens, heads * head size].
        key: the same.
        heads: number of heads side by side.
    """
    rows, tokens, features = query.shape
    first, second = (
        side.float().view(rows, tokens, heads, features // heads).transpose(1, 2)
        for side in (query, key)
    )
    return first @ second.transpose(-1, -2) / math.sqrt(features // heads)


def relation_heads(student_features: int, teacher_features: int, at_most: int) -> int:
    """Return the most relation heads, up to a limit, that divide both sides' features."""
    both = math.gcd(student_features, teacher_features)
    return max(count for count in range(1, at_most + 1) if both % count == 0)


def _softmax_loss(student: "Tensor", teacher: "Tensor", temperature: float) -> "Tensor":
    """Return the divergence of softmaxes over the last dimension, times temperature squared."""
    torch = import_torch()
    found = (student.float() / temperature).log_softmax(-1)
    wanted = (teacher.float() / temperature).log_softmax(-1)
    parts = torch.nn.functional.kl_div(found, wanted, reduction="none", log_target=True)
    loss: Tensor = parts.sum(-1) * temperature**2
    return loss


def _sigmoid_losses(student: "Tensor", teacher: "Tensor", temperature: float) -> "Tensor":
    """Return the same of every score by itself, as yes or no."""
    both = [
        side.unsqueeze(-1) * side.new_tensor([1.0, 0.0]) for side in (student, teacher)
    ]  # The sigmoid of x is the softmax of (x, 0).
    return _softmax_loss(both[0], both[1], temperature)


def _squared(student: "Tensor", teacher: "Tensor") -> "Tensor":
    return (student - teacher).square().mean()


def _real_only(logits: "Tensor", mask: "Tensor") -> "Tensor":
    return logits.float().masked_fill(mask == 0, _HIDDEN_SCORE)


def _mean_of_tokens(values: "Tensor", mask: "Tensor") -> "Tensor":
    weights = mask.to(values.dtype)
    return (values * weights).sum() / weights.sum()
