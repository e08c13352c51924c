"""A trimmed model gives the outputs of the full model."""

from __future__ import annotations

import numpy as np
import pytest

from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.graph.numerics import Numerics
from ernie_triton.build.model.models import trim_model
from ernie_triton.tasks import LAYOUTS
from tests.build.graph.test_precision import run
from tests.engines.tiny_model import random_batch, random_model

LONGEST = 17


@pytest.mark.parametrize("compute", ["fp32", "fp16"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_token_type_0_moves_into_the_words(layout: str, compute: str) -> None:
    model = random_model()
    batch = random_batch((2, 9, LONGEST, 5))
    feed = batch.packed() if layout == "packed" else batch.padded(0, LONGEST)
    feed.pop("attention_mask", None)
    feed["token_type_ids"] = np.zeros_like(feed["token_type_ids"])
    numerics = Numerics(compute=compute)
    expected = run(export_onnx(model, layout, numerics), feed)
    graph = export_onnx(trim_model(model, max_length=LONGEST, pair=False), layout, numerics)
    names = {item.name for item in graph.graph.input}
    assert names == feed.keys() - {"token_type_ids"}
    found = run(graph, {name: feed[name] for name in names})
    tolerance = 1e-5 if compute == "fp32" else 2e-2
    np.testing.assert_allclose(found["logits"], expected["logits"], atol=tolerance)


def test_a_model_for_pairs_keeps_its_token_types_and_loses_positions_alone() -> None:
    model = random_model()
    made = trim_model(model, max_length=LONGEST, pair=True)
    batch = random_batch((2, 9, LONGEST, 5))
    expected = run(export_onnx(model, "packed"), batch.packed())
    found = run(export_onnx(made, "packed"), batch.packed())
    np.testing.assert_array_equal(found["logits"], expected["logits"])
    assert made.encoder.max_positions == LONGEST
