"""A small random model for each head, its engine files, and batches for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Float32, Int32
from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.reference import model_outputs
from ernie_triton.build.convert.engine_file import write_engine
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.model.encoder import Encoder, Layer, Linear, Norm
from ernie_triton.build.model.heads import (
    ChoiceHead,
    Head,
    LexicalHead,
    MaskedHead,
    PointerHead,
    SequenceHead,
    SpanHead,
    TokenHead,
    TokenVectorHead,
    VectorHead,
)
from ernie_triton.build.model.models import Model
from ernie_triton.settings import EngineSettings
from ernie_triton.tasks import task_named

VOCABULARY = 60
LABELS = 3
POSITIONS = 40
TOKEN_TYPES = 2
_HIDDEN = 12


def random_model(seed: int = 7, task: str = "seq_cls") -> Model:
    """Two layers of differing heads and widths, as after pruning, with weights that matter."""
    generator = np.random.default_rng(seed)

    def weights(*shape: int) -> Float32:
        return generator.normal(scale=0.5, size=shape).astype(np.float32)

    def linear(inputs: int, outputs: int) -> Linear:
        return Linear(weight=weights(inputs, outputs), bias=weights(outputs))

    def norm() -> Norm:
        return Norm(scale=weights(_HIDDEN) + np.float32(1), bias=weights(_HIDDEN), epsilon=1e-5)

    def layer(heads: int, head_size: int, width: int) -> Layer:
        return Layer(
            query=linear(_HIDDEN, heads * head_size),
            key=linear(_HIDDEN, heads * head_size),
            value=linear(_HIDDEN, heads * head_size),
            attention_output=linear(heads * head_size, _HIDDEN),
            attention_norm=norm(),
            intermediate=linear(_HIDDEN, width),
            output=linear(width, _HIDDEN),
            output_norm=norm(),
            heads=heads,
        )

    encoder = Encoder(
        word=weights(VOCABULARY, _HIDDEN),
        position=weights(POSITIONS, _HIDDEN),
        token_type=weights(TOKEN_TYPES, _HIDDEN),
        embedding_norm=norm(),
        layers=(layer(3, 4, 20), layer(2, 4, 16)),
        activation="gelu",
        pad_token_id=0,
    )
    pooler = linear(_HIDDEN, _HIDDEN)
    heads: dict[str, Head] = {
        "sequence": SequenceHead(
            pooler=pooler, pooler_activation="tanh", output=linear(_HIDDEN, LABELS)
        ),
        "token": TokenHead(output=linear(_HIDDEN, LABELS)),
        "span": SpanHead(output=linear(_HIDDEN, 2)),
        "pointer": PointerHead(output=linear(_HIDDEN, 2)),
        "vector": VectorHead(pooling="mean", pooler=None, pooler_activation="identity"),
        "masked": MaskedHead(
            transform=linear(_HIDDEN, _HIDDEN),
            activation="gelu",
            norm=norm(),
            output=linear(_HIDDEN, VOCABULARY),
            mask_id=VOCABULARY - 1,
        ),
        "choice": ChoiceHead(pooler=pooler, pooler_activation="tanh", output=linear(_HIDDEN, 1)),
        "lexical": LexicalHead(output=linear(_HIDDEN, 1)),
        "token_vector": TokenVectorHead(output=linear(_HIDDEN, 6), skipped=1),
    }
    return Model(encoder=encoder, head=heads[task_named(task).head])


def engine_settings(
    engine: str = "openvino",
    layout: str = "packed",
    task: str = "seq_cls",
    *,
    pair: bool = False,
) -> EngineSettings:
    return EngineSettings(
        task=task,
        pair=pair,
        engine=engine,
        precision="fp32",
        layout=layout,
        threads=1,
        max_length=POSITIONS,
        pad_token_id=0,
        vocabulary_size=VOCABULARY,
        token_types=TOKEN_TYPES,
    )


def write_tiny_engine(model: Model, settings: EngineSettings, folder: Path) -> None:
    write_engine(export_onnx(model, settings.layout), settings.engine, folder)


def random_batch(lengths: Sequence[int], seed: int = 3) -> TokenBatch:
    """Rows of these lengths, without the padding token."""
    generator = np.random.default_rng(seed)
    total = sum(lengths)
    return TokenBatch(
        input_ids=generator.integers(1, VOCABULARY, total).astype(np.int32),
        token_type_ids=generator.integers(0, TOKEN_TYPES, total).astype(np.int32),
        lengths=np.array(lengths, np.int32),
    )


def rows_of(batch: TokenBatch) -> list[tuple[Int32, Int32]]:
    """Each row's token ids and token type ids."""
    cuts = np.cumsum(batch.lengths)[:-1]
    return list(
        zip(np.split(batch.input_ids, cuts), np.split(batch.token_type_ids, cuts), strict=True)
    )


def expected_outputs(model: Model, batch: TokenBatch) -> dict[str, npt.NDArray[np.float64]]:
    """The formulas in NumPy and float64, row by row: [rows, …], or [tokens, …] without padding."""
    rows = [model_outputs(model, row) for row in rows_of(batch)]
    join = np.concatenate if isinstance(model.head, (TokenHead, SpanHead)) else np.stack
    return {name: join([row[name] for row in rows]) for name in rows[0]}


def expected_logits(model: Model, batch: TokenBatch) -> npt.NDArray[np.float64]:
    """The scores of `expected_outputs`."""
    return expected_outputs(model, batch)["logits"]
