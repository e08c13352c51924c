"""Scores of pairs of texts from their tokens, as bge-m3 has them, in torch for training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ernie_triton.training.tasks.base import Batch

if TYPE_CHECKING:
    import torch
    from torch import nn


def token_states(model: "nn.Module", inputs: Batch) -> "torch.Tensor":
    """Return the last hidden state of each token, float32 [rows, longest, hidden]."""
    states: torch.Tensor = model(**inputs).last_hidden_state.float()
    return states


def mean_of_tokens(states: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    """Return the mean of each row's states where the mask is 1, at length 1, [rows, hidden]."""
    import torch

    kept = mask[:, :, None].to(states.dtype)
    return torch.nn.functional.normalize((states * kept).sum(1) / kept.sum(1), dim=-1)


def weights_of_tokens(
    weigh: "nn.Linear", states: "torch.Tensor", ids: "torch.Tensor", weightless: Sequence[int]
) -> "torch.Tensor":
    """Return the weight of each token, [rows, longest]; 0 for those of ids without one."""
    import torch

    is_weightless = torch.isin(ids, torch.tensor(weightless, device=ids.device))
    return torch.relu(weigh(states)[..., 0]).masked_fill(is_weightless, 0.0)


def largest_by_id(weights: "torch.Tensor", ids: "torch.Tensor", vocabulary: int) -> "torch.Tensor":
    """Return the largest weight of each id in a row, [rows, vocabulary]; 0 without the id."""
    return weights.new_zeros(len(ids), vocabulary).scatter_reduce(1, ids, weights, "amax")


def late_interactions(
    queries: "torch.Tensor",
    documents: "torch.Tensor",
    query_mask: "torch.Tensor",
    document_mask: "torch.Tensor",
) -> "torch.Tensor":
    """Return the late interaction of every query with every document, [queries, documents].

    It is the mean over the query's tokens, so that it has the size of a cosine.

    Args:
        queries: vectors of length 1, [queries, tokens, width].
        documents: the same of the documents.
        query_mask: which tokens are no padding, [queries, tokens].
        document_mask: the same of the documents.
    """
    import torch

    products = torch.einsum("qiw,djw->qdij", queries, documents)
    products = products.masked_fill(~document_mask[None, :, None, :], -1.0)
    best = products.amax(-1) * query_mask[:, None, :]
    return best.sum(-1) / query_mask.sum(-1)[:, None]
