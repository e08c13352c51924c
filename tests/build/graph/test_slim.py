"""A student's graph gives the outputs of its torch module and of float64 formulas."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from ernie_triton.batch import TokenBatch, packed_width
from ernie_triton.build.check.slim_reference import slim_outputs
from ernie_triton.build.convert.engine_file import write_engine
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.graph.numerics import Numerics
from ernie_triton.build.model.models import trim_model
from ernie_triton.build.model.slim import SlimModel
from ernie_triton.engines import load_engine
from ernie_triton.errors import PrecisionError
from ernie_triton.settings import EngineSettings
from ernie_triton.tasks import LAYOUTS
from tests.build.models import graph_logits, padded_inputs, random_rows, single_rows
from tests.build.slim_students import SHAPES, model_of, pair_types, student, torch_logits

LENGTHS = (7, 2, 30, 1, 13, 40)
LONGEST = 40

CASES = [(name, pair) for name in SHAPES for pair in (False, True)]


def batch_of(*, pair: bool) -> TokenBatch:
    """Rows of several lengths, one of a single token, with `[PAD]` inside two of them."""
    batch = random_rows(LENGTHS)
    batch.input_ids[[3, 12, 13, 40]] = 0
    types = pair_types(batch.lengths) if pair else np.zeros_like(batch.input_ids)
    return TokenBatch(input_ids=batch.input_ids, token_type_ids=types, lengths=batch.lengths)


def answers(model: SlimModel, layout: str, batch: TokenBatch) -> npt.NDArray[np.float32]:
    inputs = batch.packed() if layout == "packed" else padded_inputs(batch, model.pad_token_id)
    return graph_logits(export_onnx(model, layout), inputs)


@pytest.mark.parametrize(("name", "pair"), CASES)
def test_the_graph_gives_the_logits_of_torch_and_of_the_formulas(name: str, pair: bool) -> None:
    module = student(name, pair=pair)
    model, batch = model_of(module), batch_of(pair=pair)
    expected = torch_logits(module, batch)
    by_formula = [slim_outputs(model, row)["logits"] for row in single_rows(batch)]
    np.testing.assert_allclose(expected, by_formula, rtol=0, atol=2e-5)
    assert np.ptp(expected, axis=0).min() > 0.1
    for layout in LAYOUTS:
        found = answers(trim_model(model, max_length=LONGEST, pair=pair), layout, batch)
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize(("name", "pair"), CASES)
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_both_runtimes_answer_alike_with_filling_tokens_and_rows(
    tmp_path: Path, name: str, pair: bool, engine: str, layout: str
) -> None:
    model = trim_model(model_of(student(name, pair=pair)), max_length=LONGEST, pair=pair)
    write_engine(export_onnx(model, layout), engine, tmp_path)
    settings = EngineSettings(
        task="seq_cls",
        pair=pair,
        engine=engine,
        precision="fp32",
        layout=layout,
        threads=1,
        max_length=LONGEST,
        pad_token_id=0,
        vocabulary_size=model.vocabulary_size,
        token_types=model.token_types,
    )
    runtime = load_engine(tmp_path, settings)
    batch = batch_of(pair=pair)
    expected = [slim_outputs(model, row)["logits"] for row in single_rows(batch)]
    for rows in ([0, 1, 2, 3, 4, 5], [3], [5, 5, 5, 5, 0], [2, 1]):
        found = runtime.run(batch.select(np.array(rows)))["logits"]
        np.testing.assert_allclose(found, [expected[row] for row in rows], rtol=0, atol=2e-5)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_bigrams_of_a_large_vocabulary_find_their_buckets(tmp_path: Path, engine: str) -> None:
    # Integers of this size were rounded where a runtime computed them in floating point.
    buckets = 2**24 + 9973
    module = student("bigrams", vocab_size=40_000, embedding_size=1, bigram_buckets=buckets)
    model = trim_model(model_of(module), max_length=LONGEST, pair=False)
    random = np.random.default_rng(5)
    ids = random.integers(30_000, 40_000, 900, dtype=np.int32)
    batch = TokenBatch(
        input_ids=ids, token_type_ids=np.zeros_like(ids), lengths=np.full(30, 30, np.int32)
    )
    write_engine(export_onnx(model, "packed"), engine, tmp_path)
    settings = EngineSettings(
        task="seq_cls",
        pair=False,
        engine=engine,
        precision="fp32",
        layout="packed",
        threads=1,
        max_length=LONGEST,
        pad_token_id=0,
        vocabulary_size=model.vocabulary_size,
        token_types=1,
    )
    found = load_engine(tmp_path, settings).run(batch)["logits"]
    expected = [slim_outputs(model, row)["logits"] for row in single_rows(batch)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize(("name", "pair"), CASES)
def test_padding_that_the_lengths_count_changes_nothing(name: str, pair: bool) -> None:
    # As Triton's own ragged batching makes batches: rows of one request have its longest length.
    model = trim_model(model_of(student(name, pair=pair)), max_length=LONGEST, pair=pair)
    batch = batch_of(pair=pair)
    padded = {key: np.pad(x, ((0, 0), (0, 0))) for key, x in padded_inputs(batch, 0).items()}
    items, length = padded["input_ids"].shape
    inputs = {key: values.ravel() for key, values in padded.items()}
    inputs["lengths"] = np.full(items, length, np.int32)
    inputs["width"] = packed_width(inputs["lengths"])
    found = graph_logits(export_onnx(model, "packed"), inputs)
    np.testing.assert_allclose(found, answers(model, "packed", batch), rtol=0, atol=2e-5)
    wider = {key: np.pad(values, ((0, 0), (0, 11))) for key, values in padded.items()}
    found = graph_logits(export_onnx(model, "padded"), wider)
    np.testing.assert_allclose(found, answers(model, "packed", batch), rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_pair_without_a_second_text_has_an_answer_of_its_own(name: str, layout: str) -> None:
    module = student(name, pair=True)
    batch = random_rows((9, 4, 12))
    found = answers(model_of(module), layout, batch)
    np.testing.assert_allclose(found, torch_logits(module, batch), rtol=0, atol=2e-5)


def test_the_second_token_of_a_bigram_matters_and_so_does_a_window_s() -> None:
    for name in ("bigrams", "windows"):
        module = student(name)
        batch = random_rows((6,))
        turned = TokenBatch(
            input_ids=batch.input_ids[::-1].copy(),
            token_type_ids=batch.token_type_ids,
            lengths=batch.lengths,
        )
        difference = torch_logits(module, batch) - torch_logits(module, turned)
        assert np.abs(difference).max() > 0.05, name
    module = student("words")
    np.testing.assert_allclose(torch_logits(module, batch), torch_logits(module, turned), atol=1e-5)


@pytest.mark.parametrize(("name", "pair"), CASES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_graphs_are_valid_and_of_standard_operators_of_opset_20(
    name: str, pair: bool, layout: str
) -> None:
    graph = export_onnx(model_of(student(name, pair=pair)), layout)
    onnx.checker.check_model(graph, full_check=True)
    assert [(item.domain, item.version) for item in graph.opset_import] == [("", 20)]
    assert {node.domain for node in graph.graph.node} == {""}
    names = {item.name for item in graph.graph.input}
    assert names == {
        "input_ids",
        *(["token_type_ids"] if pair else []),
        *(["lengths", "width"] if layout == "packed" else []),
    }


def test_other_numbers_than_fp32_are_refused() -> None:
    model = model_of(student("bigrams"))
    with pytest.raises(PrecisionError, match="a bow student has a graph in FP32 only; found fp16"):
        export_onnx(model, "packed", Numerics(compute="fp16"))
    with pytest.raises(PrecisionError, match="with 1 layers in int8"):
        export_onnx(model, "packed", Numerics(input_scales={"pooler": 1.0}))
    with pytest.raises(ValueError, match="layout 'sparse'"):
        export_onnx(model, "sparse")
