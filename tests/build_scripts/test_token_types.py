"""A model for single texts answers as the model it was made of does with token type 0."""

from __future__ import annotations

import numpy as np
import pytest

from build_scripts.graph import export_onnx
from build_scripts.numerics import Numerics
from build_scripts.token_types import without_token_types
from ernie_triton.tasks import LAYOUTS
from tests.build_scripts.test_graph_precision import run
from tests.ernie_triton.tiny_model import random_batch, random_model


@pytest.mark.parametrize("compute", ["fp32", "fp16"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_token_type_0_moves_into_the_positions(layout: str, compute: str) -> None:
    model = random_model()
    batch = random_batch((2, 9, 17, 5))
    feed = batch.packed() if layout == "packed" else batch.padded(0, 40)
    feed.pop("attention_mask", None)
    feed["token_type_ids"] = np.zeros_like(feed["token_type_ids"])
    numerics = Numerics(compute=compute)
    expected = run(export_onnx(model, layout, numerics), feed)
    graph = export_onnx(without_token_types(model), layout, numerics)
    names = {item.name for item in graph.graph.input}
    assert names == feed.keys() - {"token_type_ids"}
    found = run(graph, {name: feed[name] for name in names})
    tolerance = 1e-5 if compute == "fp32" else 2e-2
    np.testing.assert_allclose(found["logits"], expected["logits"], atol=tolerance)
