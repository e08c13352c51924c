"""ERNIE-M as PaddleNLP and transformers save it: their tokens, places and outputs."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.exported_reference import exported_reference
from ernie_triton.build.check.preconditions import check_vocabulary
from ernie_triton.build.check.reference import model_outputs
from ernie_triton.build.commands.task_inference import infer_task
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.load import read_source
from ernie_triton.build.load.onnx_graph.model import model_from_onnx
from ernie_triton.build.load.settings import vocabulary_beside
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.load.tokenizers.tokenizer_files import read_vocabulary
from ernie_triton.build.model.encoder import named_arrays
from ernie_triton.build.model.models import Model
from ernie_triton.build.torch_models.checkpoints import load_model
from ernie_triton.errors import ErnieTritonError, UnrecognisedGraphError
from ernie_triton.tasks import LAYOUTS, task_named
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.rules import TokenRules
from ernie_triton.tokenizer.vocabulary import stage_vocabulary, write_stage_vocabulary
from tests.build.load.pieces.ernie_m_folders import (
    HEADS,
    PAIRS,
    paddle_folder,
    port_folder,
    tokenizer_folder,
)
from tests.build.load.pieces.folders import encoder_of
from tests.build.models import graph_outputs, padded_inputs, spec_of
from tests.paths import FIXTURES

EXPORT = FIXTURES / "uie_m_export"
RECORDED = {
    framework: json.loads(
        Path(__file__).with_name(f"ernie_m_{framework}.json").read_text(encoding="utf-8")
    )
    for framework in ("paddlenlp", "transformers")
}
FOLDERS = {"paddlenlp": paddle_folder, "transformers": port_folder}
TASKS = {
    **{"sequence": "seq_cls", "token": "token_cls", "span": "qa", "choice": "choice"},
    **{"vector": "embedding", "pointer": "extraction"},
}
CASES = [
    (framework, head) for framework, found in RECORDED.items() for head in HEADS if head in found
]


def rows_of(folder: Path, head: str) -> tuple[Model, TextEncoder]:
    """The model in a folder, and the encoder of its pipeline."""
    source = read_source(folder, WantedHead(head=head, pooling="cls" if head == "vector" else ""))
    assert isinstance(source.model, Model)
    assert source.vocabulary is not None
    spec = spec_of(task=TASKS[head], max_length=128, pair=head in ("sequence", "pointer"))
    vocabulary = check_vocabulary(source.vocabulary, source, spec)
    return source.model, TextEncoder(vocabulary, max_length=128, lower_case=False)


def assert_recorded(framework: str, head: str, expected: list[Any], outputs: Any) -> None:
    """One row's outputs are the framework's; PaddleNLP's of prompted spans are probabilities."""
    found = list(outputs.values())
    if head == "vector":  # of the first token
        expected, found = [np.array(expected[0])[0]], [np.reshape(found[0], -1)]
    if head == "pointer" and framework == "paddlenlp":
        found = [1 / (1 + np.exp(-np.asarray(one, np.float64))) for one in found]
    for one, other in zip(found, map(np.array, expected), strict=True):
        # Behind the framework's tokens stands the one for padding.
        own = np.reshape(one, (-1, *other.shape[1:]))[: len(other)]
        np.testing.assert_allclose(own, other, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["tokens", "lower_tokens"])
@pytest.mark.parametrize("framework", RECORDED)
def test_tokens_and_places_are_those_of_the_framework(
    framework: str, kind: str, tmp_path: Path
) -> None:
    folder = tokenizer_folder(tmp_path, do_lower_case=kind == "lower_tokens")
    if framework == "transformers":
        (folder / "config.json").write_text('{"transformers_version": "4"}', encoding="utf-8")
    texts, ids, places = zip(*RECORDED[framework][kind], strict=True)
    tokens = encoder_of(folder).tokens_with_spans(texts)
    for text, expected, where, found in zip(texts, ids, places, tokens, strict=True):
        assert found.ids.tolist() == expected, text
        if where is not None:
            assert found.spans[:, :2].tolist() == where, text


@pytest.mark.parametrize(("framework", "head"), CASES)
def test_outputs_are_those_of_the_framework(framework: str, head: str, tmp_path: Path) -> None:
    folder = FOLDERS[framework](tmp_path, head)
    model, encoder = rows_of(folder, head)
    for pair, expected in zip(PAIRS, RECORDED[framework][head], strict=True):
        row = encoder.encode(*([one] for one in pair))
        outputs = model_outputs(model, (row.input_ids, row.token_type_ids))
        assert_recorded(framework, head, expected, outputs)
    if head != "vector":
        assert infer_task(folder).task == TASKS[head]


def test_a_static_export_of_uie_m_is_read_as_its_checkpoint(tmp_path: Path) -> None:
    folder = tokenizer_folder(tmp_path / "export")
    for file in EXPORT.glob("inference.*"):
        shutil.copy(file, folder)
    model, encoder = rows_of(folder, "pointer")
    _assert_same_arrays(
        model, rows_of(paddle_folder(tmp_path / "checkpoint", "pointer"), "pointer")[0]
    )
    source = read_source(folder, WantedHead(head="pointer"))
    assert source.graph is not None
    reference = exported_reference(source, source.graph, task_named("extraction"))
    for pair, expected in zip(PAIRS, RECORDED["paddlenlp"]["pointer"], strict=True):
        row = encoder.encode(*([one] for one in pair))
        own = (row.input_ids, row.token_type_ids)
        for outputs in (model_outputs(model, own), reference.outputs(own)):
            assert_recorded("paddlenlp", "pointer", expected, outputs)


def test_an_export_of_another_head_that_hides_the_first_token_is_refused(tmp_path: Path) -> None:
    folder = tokenizer_folder(tmp_path)
    for file in EXPORT.glob("inference.*"):
        shutil.copy(file, folder)
    graph = read_source(folder, WantedHead(head="pointer")).graph
    assert graph is not None
    hidden = next(node.input[0] for node in reversed(graph.graph.node) if node.op_type == "MatMul")
    del graph.graph.output[:]
    graph.graph.output.append(helper.make_tensor_value_info(hidden, TensorProto.FLOAT, None))
    with pytest.raises(UnrecognisedGraphError, match=r"mask of token 0, which is \[CLS\]"):
        model_from_onnx(graph, "vector")


def _assert_same_arrays(found: Model, expected: Model) -> None:
    arrays = dict(named_arrays(expected))
    assert found.encoder.padding == expected.encoder.padding
    for name, array in named_arrays(found):
        if name == "encoder.token_type":  # zeros: the model has no types
            continue
        np.testing.assert_array_equal(array, arrays[name], err_msg=name)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_graph_attends_to_padding_as_taskflow_does(layout: str, tmp_path: Path) -> None:
    model, encoder = rows_of(paddle_folder(tmp_path, "pointer"), "pointer")
    prompts, texts = zip(*PAIRS, strict=True)
    rows = encoder.encode(prompts, texts)
    batch = TokenBatch(
        input_ids=rows.input_ids, token_type_ids=rows.token_type_ids, lengths=rows.lengths
    )
    packed = layout == "packed"
    inputs = batch.packed() if packed else padded_inputs(batch, model.pad_token_id)
    found = graph_outputs(export_onnx(model, layout), inputs)
    ends = np.cumsum(rows.lengths)
    for number, expected in enumerate(RECORDED["paddlenlp"]["pointer"]):
        own = slice(ends[number] - rows.lengths[number], ends[number]) if packed else number
        outputs = {name: one[own] for name, one in found.items()}
        assert_recorded("paddlenlp", "pointer", expected, outputs)


def test_rows_have_two_separators_and_the_second_of_equals_is_cut_first(tmp_path: Path) -> None:
    encoder = encoder_of(tokenizer_folder(tmp_path), 9)
    [text] = encoder.tokens_with_spans(["北京的涮肉"])
    rows = encoder.encode(["北京的涮肉"], ["北京的涮肉"])
    ids = text.ids.tolist()
    assert rows.input_ids.tolist() == [0, *ids[:3], 2, 2, *ids[:2], 2]
    assert not rows.token_type_ids.any()


def test_a_stage_reads_back_what_a_build_writes(tmp_path: Path) -> None:
    folder = tokenizer_folder(tmp_path / "c")
    path = vocabulary_beside(folder)
    assert path is not None
    vocabulary = read_vocabulary(path, folder)
    assert read_vocabulary(folder / "vocab.txt", folder) == vocabulary
    stage = tmp_path / "stage"
    stage.mkdir()
    write_stage_vocabulary(vocabulary, stage)
    assert stage_vocabulary(stage, TokenRules.from_text(vocabulary.rules.to_text())) == vocabulary


def test_training_is_refused_by_one_line(tmp_path: Path) -> None:
    folder = paddle_folder(tmp_path, "sequence")
    with pytest.raises(ErnieTritonError, match=r"^[^\n]* can be built and served, but not trained"):
        load_model(folder, task="seq_cls")


@pytest.mark.parametrize("text", ["北京 " * 3000, "北京" * 9000, " " * 9000 + "北京", "a" * 40000])
def test_a_long_text_has_the_leading_tokens_of_the_whole(text: str, tmp_path: Path) -> None:
    encoder = encoder_of(tokenizer_folder(tmp_path), 16)
    [whole] = encoder.tokens_with_spans([text])
    expected = [0, *whole.ids[:14].tolist(), 2]
    assert encoder.encode([text]).input_ids.tolist() == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"do_lower_case": "no"}, "do_lower_case is 'no'; expected true or false"),
        ({"additional_special_tokens": ["[new]"]}, "the added token '[new]' is not in the"),
        ({"sp_model_kwargs": {"enable_sampling": True}}, "sp_model_kwargs is"),
    ],
)
def test_a_setting_that_is_not_read_is_refused(
    settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = tokenizer_folder(tmp_path, **settings)
    with pytest.raises(ErnieTritonError) as caught:
        read_vocabulary(folder / "vocab.txt", folder)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_with_other_settings_than_the_defaults_is_refused(tmp_path: Path) -> None:
    folder = tokenizer_folder(tmp_path)
    model = folder / "sentencepiece.bpe.model"
    model.write_bytes(model.read_bytes() + b"\x1a\x02\x18\x00")  # add_dummy_prefix: false
    with pytest.raises(ErnieTritonError, match="add_dummy_prefix false; expected a model as"):
        read_vocabulary(folder / "vocab.txt", folder)
