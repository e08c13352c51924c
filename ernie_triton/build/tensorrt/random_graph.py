"""The graph of a model of the family with random weights: compiling depends on sizes alone."""

import onnx

from ernie_triton.build.graph.export import export_onnx, quantizable_linears
from ernie_triton.build.graph.numerics import Numerics
from ernie_triton.build.load.settings import CheckpointConfig
from ernie_triton.build.load.state import model_from_state
from ernie_triton.build.load.weights import TRANSFORMERS
from ernie_triton.build.model.models import Model, trim_model
from ernie_triton.build.random_models.weights import random_state
from ernie_triton.model_shapes import Shape

_LABELS = 15
_SCALE = 0.05
"""Of every int8 input; what it is changes no kernel."""


def random_encoder(shape: Shape) -> Model:
    """A sequence classifier of 15 labels."""
    config = CheckpointConfig(
        model_type="ernie",
        heads=shape.heads,
        hidden=shape.hidden,
        activation="gelu",
        pooler_activation="tanh",
        layer_norm_eps=1e-12,
        pad_token_id=0,
        task_type_row=0,
        labels=None,
    )
    state = random_state(shape, labels=_LABELS, seed=0)
    return model_from_state(state, TRANSFORMERS, config, "the random model")


def random_graph(shape: Shape, precision: str, layout: str, *, max_length: int) -> onnx.ModelProto:
    """The graph of a sequence classifier for single texts, as a build writes it.

    Args:
        shape: of the encoder.
        precision: `fp32`, `fp16` or `int8`.
        layout: `packed` or `padded`.
        max_length: most tokens of a row.
    """
    model = trim_model(random_encoder(shape), max_length=max_length, pair=False)
    names = quantizable_linears(model, layout) if precision == "int8" else ()
    compute = "fp32" if precision == "fp32" else "fp16"
    return export_onnx(
        model, layout, Numerics(compute=compute, input_scales=dict.fromkeys(names, _SCALE))
    )
