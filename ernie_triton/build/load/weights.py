"""Names and number types of the weights in a checkpoint, by framework."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ernie_triton.errors import CheckpointError


@dataclass(frozen=True, slots=True, kw_only=True)
class NameScheme:
    """The names that one framework gives an encoder's weights.

    With `linear_is_transposed`, linear weights are stored [outputs, inputs]. With
    `pad_embeds_to_zero`, the padding token's word embedding counts as zeros, whatever the table
    holds: so works `padding_idx` of Paddle's `Embedding`, while torch's only stops the gradient.
    """

    framework: str
    linear_is_transposed: bool
    pad_embeds_to_zero: bool
    embedding_norm: str
    layer: str
    query: str
    key: str
    value: str
    attention_output: str
    attention_norm: str
    intermediate: str
    output: str
    output_norm: str


TRANSFORMERS = NameScheme(
    framework="transformers",
    linear_is_transposed=True,
    pad_embeds_to_zero=False,
    embedding_norm="embeddings.LayerNorm",
    layer="encoder.layer.{}",
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    attention_output="attention.output.dense",
    attention_norm="attention.output.LayerNorm",
    intermediate="intermediate.dense",
    output="output.dense",
    output_norm="output.LayerNorm",
)

PADDLENLP = NameScheme(
    framework="PaddleNLP",
    linear_is_transposed=False,
    pad_embeds_to_zero=True,
    embedding_norm="embeddings.layer_norm",
    layer="encoder.layers.{}",
    query="self_attn.q_proj",
    key="self_attn.k_proj",
    value="self_attn.v_proj",
    attention_output="self_attn.out_proj",
    attention_norm="norm1",
    intermediate="linear1",
    output="linear2",
    output_norm="norm2",
)

PADDLE_ALBERT_NORM = ".attention.layer_norm.weight"
"""Ending of an array of PaddleNLP's ALBERT, which has none of the scheme's names."""


def is_paddlenlp_name(name: str) -> bool:
    """Return whether an array is one that PaddleNLP alone names so, before names are unified."""
    return f".{PADDLENLP.query}." in name or name.endswith(PADDLE_ALBERT_NORM)


def modern_name(name: str) -> str:
    """Replace gamma and beta, TensorFlow's names of a norm's scale and bias."""
    return re.sub(
        r"LayerNorm\.beta$",
        "LayerNorm.bias",
        re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name),
    )


def is_index_buffer(name: str) -> bool:
    """Return whether an array is an integer buffer, which some versions save with the weights."""
    return name.rpartition(".")[2] in ("position_ids", "token_type_ids")


def float32_array(array: npt.NDArray[Any], name: str, path: Path) -> npt.NDArray[np.float32]:
    """Return a weight as float32, without a copy where it is float32 already.

    Raises:
        CheckpointError: the weight has no floating-point type, or is not finite.
    """
    # NumPy has no bfloat16; safetensors returns the type of ml_dtypes.
    if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
        raise CheckpointError(
            f"{path}: {name} has the type {array.dtype}; expected floating-point weights "
            f"(give a quantised model as its exported graph)"
        )
    values = np.asarray(array, dtype=np.float32)
    if not np.isfinite(values).all():
        raise CheckpointError(f"{path}: {name} holds values that are not finite")
    return values


def float_from_bits(bits: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """Return the numbers of bfloat16 bits, which NumPy lacks."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
