"""Weights of torch modules by the names of the canonical model."""

from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from ernie_triton.build.model.encoder import named_arrays
from ernie_triton.build.model.models import Model

Arrays = dict[str, npt.NDArray[np.float32]]


def expected_arrays(model: Any, head: str = "sequence") -> Arrays:
    """A transformers model's weights, by the names of the canonical model."""
    base = getattr(model, model.base_model_prefix, model)
    tables = base.embeddings
    roberta = model.base_model_prefix == "roberta"
    token_type = tables.token_type_embeddings.weight
    if hasattr(tables, "task_type_embeddings"):
        token_type = token_type + tables.task_type_embeddings.weight[0]
    offset = tables.padding_idx + 1 if roberta else 0
    arrays = {
        "encoder.word": tables.word_embeddings.weight.detach().numpy(),
        "encoder.position": tables.position_embeddings.weight.detach().numpy()[offset:],
        "encoder.token_type": token_type.detach().numpy(),
        **weights_of(tables.LayerNorm, "encoder.embedding_norm"),
    }
    for index, layer in enumerate(base.encoder.layer):
        parts = {
            "query": layer.attention.self.query,
            "key": layer.attention.self.key,
            "value": layer.attention.self.value,
            "attention_output": layer.attention.output.dense,
            "attention_norm": layer.attention.output.LayerNorm,
            "intermediate": layer.intermediate.dense,
            "output": layer.output.dense,
            "output_norm": layer.output.LayerNorm,
        }
        for name, part in parts.items():
            arrays |= weights_of(part, f"encoder.layers.{index}.{name}")
    return arrays | _head_arrays(model, base, head)


def _head_arrays(model: Any, base: Any, head: str) -> Arrays:
    if head == "vector":
        return weights_of(base.pooler.dense, "head.pooler")
    if head == "span":
        return weights_of(model.qa_outputs, "head.output")
    if head == "token":
        return weights_of(model.classifier, "head.output")
    roberta = model.base_model_prefix == "roberta"
    pooler = model.classifier.dense if roberta else base.pooler.dense
    output = model.classifier.out_proj if roberta else model.classifier
    return weights_of(pooler, "head.pooler") | weights_of(output, "head.output")


def without_pooler(arrays: Arrays) -> Arrays:
    return {name: array for name, array in arrays.items() if not name.startswith("head.pooler")}


def assert_same_arrays(model: Model, expected: Arrays) -> None:
    found = dict(named_arrays(model))
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def weights_of(part: Any, prefix: str) -> dict[str, npt.NDArray[np.float32]]:
    """A torch linear layer or norm under the names that `named_arrays` gives its arrays."""
    weight, bias = part.weight.detach().numpy(), part.bias.detach().numpy()
    if isinstance(part, nn.Linear):
        return {f"{prefix}.weight": weight.T, f"{prefix}.bias": bias}
    return {f"{prefix}.scale": weight, f"{prefix}.bias": bias}
