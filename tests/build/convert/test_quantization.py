"""A layer that INT8 would ruin is found by its damage and kept; what cannot fit is refused."""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from ernie_triton.build.check.local_answers import PipelineParts
from ernie_triton.build.check.precision_check import Limits, PrecisionCheck
from ernie_triton.build.config import ModelSizes
from ernie_triton.build.convert.conversion import calibrated_scales
from ernie_triton.build.convert.engine_file import write_engine
from ernie_triton.build.convert.quantization import Int8Graphs, damage_of, quantize
from ernie_triton.build.graph.cpu_int8 import WORD_TABLE
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.graph.numerics import EXACT_INT8_STEPS, INT8_STEPS
from ernie_triton.build.model.encoder import Linear
from ernie_triton.build.model.heads import SequenceHead
from ernie_triton.build.model.models import Model
from ernie_triton.build.random_models.torch_export import model_from_classifier
from ernie_triton.engines import Engine, load_engine
from ernie_triton.errors import ExactnessError
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.settings import EngineSettings
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from tests.build.models import LABELS, random_rows, vocabulary_lines, write_vocabulary

BATCH = random_rows(tuple(range(2, 34)), types=2)
SENSITIVE = "layer_0/output"


def with_outlier(model: Model) -> Model:
    """A model with one feature between two linear layers a thousand times as large.

    A ReLU commutes with it. The largest step of INT8 is then that feature's, and the others, which
    carry the answers, all round to 0. The layer's output is fourfold, so that answers depend on it.
    """
    first, *rest = model.encoder.layers
    scale = np.ones(first.intermediate.outputs, np.float32)
    scale[3] = 1000.0
    wide = first.intermediate
    layer = dataclasses.replace(
        first,
        intermediate=Linear(weight=wide.weight * scale, bias=wide.bias * scale),
        output=Linear(weight=4 * first.output.weight / scale[:, None], bias=first.output.bias),
    )
    encoder = dataclasses.replace(model.encoder, layers=(layer, *rest), activation="relu")
    return dataclasses.replace(model, encoder=encoder)


class Bench:
    """A model with its parts, as the build puts them together."""

    def __init__(self, model: Model, folder: Path, changes: float, **spec: Any) -> None:
        self.folder = folder
        self.spec = PipelineSpec(
            checkpoint=folder, task="seq_cls", repository=folder, precision="int8", **spec
        )
        vocabulary = load_vocabulary(write_vocabulary(folder / "vocab.txt", vocabulary_lines()))
        encoder = TextEncoder(vocabulary, max_length=128, lower_case=True)
        sizes = ModelSizes(
            labels=LABELS,
            hidden=24,
            lower_case=True,
            pad_token_id=0,
            vocabulary_size=60,
            token_types=4,
        )
        self.graphs = Int8Graphs(
            model=model, spec=self.spec, scales=calibrated_scales(model, BATCH, "minmax")
        )
        self.check = PrecisionCheck(
            parts=PipelineParts(self.spec, sizes, encoder),
            fp32=self.load(export_onnx(model, "packed"), "fp32"),
            batch=BATCH,
            data=None,
            limits=Limits(loss=None, changes=changes),
        )

    def load(self, graph: onnx.ModelProto, precision: str) -> Engine:
        settings = EngineSettings(
            task="seq_cls",
            pair=False,
            engine=self.spec.engine,
            precision=precision,
            layout="packed",
            threads=1,
            max_length=128,
            pad_token_id=0,
            vocabulary_size=60,
            token_types=4,
        )
        # A folder each: a runtime may have mapped the files of the one before.
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        write_engine(graph, settings.engine, folder)
        return load_engine(folder, settings)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_sensitive_layer_is_kept_and_no_other(tmp_path: Path, ernie: Any, engine: str) -> None:
    bench = Bench(with_outlier(model_from_classifier(ernie)), tmp_path, 0.0, engine=engine)
    assert not bench.check.quality(bench.load(bench.graphs.graph(()), "int8")).fits
    made = quantize(bench.graphs, bench.check, bench.load, BATCH)
    assert list(made.kept) == [SENSITIVE]
    assert made.kept[SENSITIVE] > 0.05
    assert made.quality.same_decisions == made.quality.decisions == BATCH.rows
    assert made.layers == 12  # eleven linear layers and the word embeddings
    names = {item.name for item in made.graph.graph.initializer}
    assert f"{SENSITIVE}/weight/int8" not in names
    assert "layer_1/output/weight/int8" in names


def test_nothing_is_kept_where_everything_fits(tmp_path: Path, ernie: Any) -> None:
    bench = Bench(model_from_classifier(ernie), tmp_path, 0.05, engine="onnxruntime")
    made = quantize(bench.graphs, bench.check, bench.load, BATCH)
    assert (made.kept, made.layers) == ({}, 13)


def test_what_cannot_fit_is_refused_with_the_figure(tmp_path: Path, ernie: Any) -> None:
    model = model_from_classifier(ernie)
    bench = Bench(model, tmp_path, 0.0, engine="onnxruntime")
    # Held against the decisions of the opposite classifier, no choice of layers helps.
    assert isinstance(model.head, SequenceHead)
    output = Linear(weight=-model.head.output.weight, bias=-model.head.output.bias)
    opposite = dataclasses.replace(model, head=dataclasses.replace(model.head, output=output))
    bench.check.fp32 = bench.load(export_onnx(opposite, "packed"), "fp32")
    with pytest.raises(ExactnessError) as caught:
        quantize(bench.graphs, bench.check, bench.load, BATCH)
    message = str(caught.value)
    assert "int8 loses too much, whichever of the 13 layers stay in floating point" in message
    assert "at best 0 of 32 decisions the same" in message
    assert "accept it with --allowed-changes 1.000" in message


def test_gpu_graphs_are_int8_on_fp16_with_the_table_as_it_is(tmp_path: Path, ernie: Any) -> None:
    bench = Bench(model_from_classifier(ernie), tmp_path, 0.0, engine="onnxruntime", device="gpu")
    assert WORD_TABLE not in bench.graphs.layers
    graph = bench.graphs.graph(("layer_0/output",))
    types = {item.name: item.data_type for item in graph.graph.initializer}
    assert types["layer_0/output/weight"] == onnx.TensorProto.FLOAT16
    assert types["layer_1/output/weight/int8"] == onnx.TensorProto.INT8
    assert types["embeddings/word/weight"] == onnx.TensorProto.FLOAT16


@pytest.mark.parametrize(("device", "steps"), [("cpu", EXACT_INT8_STEPS), ("gpu", INT8_STEPS)])
def test_weights_for_cpus_have_the_steps_that_are_exact_on_all_of_them(
    tmp_path: Path, ernie: Any, device: str, steps: int
) -> None:
    bench = Bench(model_from_classifier(ernie), tmp_path, 0.0, engine="onnxruntime", device=device)
    arrays = {
        item.name: np.abs(numpy_helper.to_array(item).astype(np.int64)).max()
        for item in bench.graphs.graph(()).graph.initializer
        if item.name.endswith("/weight/int8")
    }
    assert len(arrays) == 12
    assert set(arrays.values()) == {steps}


def test_damage_is_noise_over_signal() -> None:
    expected = np.array([1.0, -1.0, 3.0, -3.0])
    assert damage_of(expected, expected) == 0
    assert damage_of(expected + 0.5, expected) == pytest.approx(0.5 / np.sqrt(5))
