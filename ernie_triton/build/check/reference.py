"""The source's own outputs for each task, which an engine is compared with.

An exported graph is its own reference, run by ONNX Runtime. A checkpoint's reference is its
framework where that is installed (transformers on torch), and otherwise the encoder's formulas in
NumPy with float64, one text at a time: slow, and without a line in common with the graph.
"""

import importlib.util
import inspect
import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Float64
from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.exported_reference import (
    Reference,
    RowTokens,
    exported_reference,
    mask_place,
)
from ernie_triton.build.check.formulas import activate, linear, norm
from ernie_triton.build.check.slim_reference import slim_outputs
from ernie_triton.build.check.source_model import transformers_model
from ernie_triton.build.check.vector_reference import vector_of_outputs, vector_of_tokens
from ernie_triton.build.load.source import Source
from ernie_triton.build.model.encoder import Encoder, Layer
from ernie_triton.build.model.heads import (
    Head,
    LexicalHead,
    MaskedHead,
    SpanHead,
    TokenHead,
    TokenVectorHead,
    VectorHead,
)
from ernie_triton.build.model.models import Model
from ernie_triton.build.model.slim import SlimModel
from ernie_triton.tasks import Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def reference_for(source: Source, task: Task) -> Reference:
    """The best reference that can be had on this machine.

    Raises:
        CheckpointError: the source's own framework does not take it.
    """
    head = source.model.head if source.model is not None else None
    vectors = head if isinstance(head, VectorHead) else None
    if source.graph is not None:
        return exported_reference(source, source.graph, task)
    installed = all(importlib.util.find_spec(name) for name in ("torch", "transformers"))
    if installed and source.kind.startswith("transformers"):
        pooling = vectors.pooling if vectors is not None else ""
        loaded = transformers_model(source, task, pooling)
        if loaded is not None:
            # Some configurations name no padding token.
            pad = source.model.pad_token_id if source.model is not None else 0
            return _transformers(loaded, task, head, pad)
    if source.model is None:
        raise ValueError(f"{source.path} has neither a graph nor weights")
    model = source.model
    if isinstance(model, SlimModel):
        return Reference(name="NumPy in float64", outputs=partial(slim_outputs, model))
    return Reference(name="NumPy in float64", outputs=partial(model_outputs, model))


def batch_rows(batch: TokenBatch) -> Iterator[RowTokens]:
    """The rows of a batch one by one."""
    start = 0
    for length in batch.lengths.tolist():
        rows = slice(start, start + length)
        yield batch.input_ids[rows], batch.token_type_ids[rows]
        start += length


def _transformers(
    loaded: "PreTrainedModel",
    task: Task,
    head: Head | None,
    pad_token_id: int,
) -> Reference:
    import torch
    import transformers

    model: Any = loaded.eval()
    has_types = "token_type_ids" in inspect.signature(model.forward).parameters

    def outputs(row: RowTokens) -> Mapping[str, npt.NDArray[Any]]:
        ids, token_types = (torch.from_numpy(values[None].astype(np.int64)) for values in row)
        if task.head == "choice":  # [questions, options, tokens]
            ids, token_types = ids[None], token_types[None]
        # As PaddleNLP has it, and our graph: a padding token is masked wherever it stands.
        mask = (ids != pad_token_id).long()
        with torch.inference_mode():
            types = {"token_type_ids": token_types} if has_types else {}
            output = model(input_ids=ids, attention_mask=mask, **types)
        found = {name: np.asarray(values[0].numpy()) for name, values in output.items()}
        if isinstance(head, VectorHead):
            return {"vector": vector_of_outputs(head, list(found.values()))}
        if isinstance(head, MaskedHead):
            return {"logits": found["logits"][mask_place(row[0], head.mask_id)]}
        if isinstance(head, LexicalHead):
            return {"weights": _weights(found["last_hidden_state"].astype(np.float64), head)}
        if isinstance(head, TokenVectorHead):
            hidden = found["last_hidden_state"].astype(np.float64)
            return {"token_vectors": linear(hidden, head.output)}
        return {tensor.name: found[tensor.name] for tensor in task.engine_outputs}

    name = f"transformers {transformers.__version__} on torch {torch.__version__}"
    return Reference(name=name, outputs=outputs)


def model_outputs(model: Model, row: RowTokens) -> dict[str, Float64]:
    """The outputs for one text by the formulas of BERT (arxiv.org/abs/1810.04805), in float64.

    `logits` [labels] or [tokens, labels], `start_logits` and `end_logits` [tokens], `weights`
    [tokens], `token_vectors` [tokens, width], or `vector` [hidden], by the model's head.
    """
    encoder, head = model.encoder, model.head
    ids, token_types = row
    x = encoder.word[ids] + encoder.position[_positions(encoder, ids)]
    x = x + encoder.token_type[token_types]
    x = norm(x.astype(np.float64), encoder.embedding_norm)
    if encoder.projection is not None:
        x = linear(x, encoder.projection)
    biases = _biases(encoder, ids)
    for layer in encoder.layers:
        x = _layer(x, layer, encoder, biases)
    if isinstance(head, LexicalHead):
        return {"weights": _weights(x, head)}
    if isinstance(head, TokenVectorHead):
        return {"token_vectors": linear(x, head.output)}
    if isinstance(head, TokenHead):
        return {"logits": linear(x, head.output)}
    if isinstance(head, SpanHead):
        start, end = linear(x, head.output).T
        return {"start_logits": start, "end_logits": end}
    if isinstance(head, VectorHead):
        return {"vector": vector_of_tokens(head, x)}
    if isinstance(head, MaskedHead):
        row_of_mask = x[mask_place(ids, head.mask_id), None]
        wide = activate(linear(row_of_mask, head.transform), head.activation)
        return {"logits": np.asarray(linear(norm(wide, head.norm), head.output)[0])}
    first = x[:1]
    if head.pooler is not None:
        first = activate(linear(first, head.pooler), head.pooler_activation)
    return {"logits": np.asarray(linear(first, head.output)[0])}


def _weights(x: Float64, head: LexicalHead) -> Float64:
    return np.asarray(linear(x, head.output)[:, 0].clip(min=0.0))


def _positions(encoder: Encoder, ids: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """The position of each token: of padding that tokens attend to, the first one."""
    positions = np.arange(len(ids))
    if encoder.padding is not None:
        positions[ids == encoder.padding.token_id] = 0
    return positions


def _biases(encoder: Encoder, ids: npt.NDArray[np.int32]) -> Float64:
    """The addends of attention to the scores of each token: minus infinity hides one."""
    biases = np.where(ids == encoder.pad_token_id, -np.inf, 0.0)
    padding = encoder.padding
    if padding is not None:
        is_padding = ids == padding.token_id
        missing = padding.row_tokens - np.count_nonzero(np.isfinite(biases) & ~is_padding)
        biases[is_padding] = math.log(max(missing, 1))
        biases[ids == padding.unseen_id] = -np.inf
    return biases


def _layer(x: Float64, layer: Layer, encoder: Encoder, biases: Float64) -> Float64:
    size = layer.head_size
    q, k, v = (linear(x, part) for part in (layer.query, layer.key, layer.value))
    contexts = []
    for head in range(layer.heads):
        columns = slice(head * size, (head + 1) * size)
        scores = q[:, columns] @ k[:, columns].T / math.sqrt(size) + biases
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        contexts.append(weights @ v[:, columns])
    attended = linear(np.concatenate(contexts, axis=1), layer.attention_output)
    x = norm(x + attended, layer.attention_norm)
    wide = activate(linear(x, layer.intermediate), encoder.activation)
    return norm(x + linear(wide, layer.output), layer.output_norm)
