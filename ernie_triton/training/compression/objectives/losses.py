"""How far a student is from its teacher: answers, token vectors, attention.

Tensors are [rows, tokens, …]; `mask` is int64 [rows, tokens], 1 for real tokens. Every loss is a
scalar in float32, a mean over what is real, so that weights mean the same for any batch.
"""

import math
from typing import TYPE_CHECKING, Any

from ernie_triton.build.torch_models.modules import import_torch
from ernie_triton.tasks import MULTI_LABEL, QA, REGRESSION, TOKEN_CLS

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
    """The student's answers against the teacher's soft ones, by the kind of answer.

    The cross-entropy of softmaxes at a temperature, times its square, so that the gradient's size
    does not depend on it (Hinton et al. 2015, arxiv.org/abs/1503.02531, section 2); sigmoids of
    each label for `multi_label`; the squared difference for `regression`. The teacher's own entropy
    is subtracted: equal answers have the loss 0.

    Args:
        task: its name.
        student: has `logits`, or for qa `start_logits` and `end_logits`.
        teacher: the same, without gradients.
        mask: real tokens; qa and token_cls look at these alone.
        temperature: softens both sides, at least 1.
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
    found, wanted = student.logits.float(), teacher.logits.float()
    if task == REGRESSION.name:
        return _squared(found, wanted)
    if task == MULTI_LABEL.name:
        return _sigmoid_loss(found, wanted, temperature)
    losses = _softmax_loss(found, wanted, temperature)
    return _mean_of_tokens(losses, mask) if task == TOKEN_CLS.name else losses.mean()


def vector_loss(student: "Tensor", teacher: "Tensor", mask: "Tensor") -> "Tensor":
    """Mean squared difference of token vectors (TinyBERT, arxiv.org/abs/1909.10351, eq. 8).

    Args:
        student: [rows, tokens, hidden].
        teacher: the same.
        mask: real tokens.
    """
    squares = (student.float() - teacher.float()).square().mean(dim=-1)
    return _mean_of_tokens(squares, mask)


def attention_loss(student: "Tensor", teacher: "Tensor", mask: "Tensor") -> "Tensor":
    """How differently tokens attend: the divergence of the student's attention from the teacher's.

    The mean over heads and real tokens (MiniLM, arxiv.org/abs/2002.10957, eq. 3).

    Args:
        student: scores before the softmax, [rows, heads, tokens, tokens], of `attention_scores`.
        teacher: of as many heads.
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
    """How differently tokens relate to each other (MiniLMv2, arxiv.org/abs/2012.15828, eq. 4).

    Queries (or keys, or values) of all heads side by side are split anew into `heads`, whatever
    the heads of each side are; a token's relation to the others is the softmax of their scaled
    products.

    Args:
        student: [rows, tokens, features], a multiple of `heads`.
        teacher: [rows, tokens, other features], a multiple too.
        mask: real tokens.
        heads: relation heads.
    """
    return attention_loss(
        attention_scores(student, student, heads), attention_scores(teacher, teacher, heads), mask
    )


def attention_scores(query: "Tensor", key: "Tensor", heads: int) -> "Tensor":
    """Products of queries and keys over the root of the head size, [rows, heads, tokens, tokens].

    Args:
        query: [rows, tokens, heads * head size].
        key: the same.
        heads: how many there are side by side.
    """
    rows, tokens, features = query.shape
    first, second = (
        side.float().view(rows, tokens, heads, features // heads).transpose(1, 2)
        for side in (query, key)
    )
    return first @ second.transpose(-1, -2) / math.sqrt(features // heads)


def relation_heads(student_features: int, teacher_features: int, at_most: int) -> int:
    """The most relation heads, up to a limit, that divide the features of both sides."""
    both = math.gcd(student_features, teacher_features)
    return max(count for count in range(1, at_most + 1) if both % count == 0)


def _softmax_loss(student: "Tensor", teacher: "Tensor", temperature: float) -> "Tensor":
    """Divergence of the last dimension's softmaxes, times the temperature's square."""
    torch = import_torch()
    found = (student.float() / temperature).log_softmax(-1)
    wanted = (teacher.float() / temperature).log_softmax(-1)
    parts = torch.nn.functional.kl_div(found, wanted, reduction="none", log_target=True)
    loss: Tensor = parts.sum(-1) * temperature**2
    return loss


def _sigmoid_loss(student: "Tensor", teacher: "Tensor", temperature: float) -> "Tensor":
    """The same of every label by itself: yes or no."""
    both = [
        side.unsqueeze(-1) * side.new_tensor([1.0, 0.0]) for side in (student, teacher)
    ]  # The sigmoid of x is the softmax of (x, 0).
    return _softmax_loss(both[0], both[1], temperature).mean()


def _squared(student: "Tensor", teacher: "Tensor") -> "Tensor":
    return (student - teacher).square().mean()


def _real_only(logits: "Tensor", mask: "Tensor") -> "Tensor":
    return logits.float().masked_fill(mask == 0, _HIDDEN_SCORE)


def _mean_of_tokens(values: "Tensor", mask: "Tensor") -> "Tensor":
    weights = mask.to(values.dtype)
    return (values * weights).sum() / weights.sum()
