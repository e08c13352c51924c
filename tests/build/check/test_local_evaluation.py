"""The metric measured in this process is the one that a server's `--evaluate` prints."""

import json
from pathlib import Path

import pytest

from ernie_triton.build.check.local_answers import local_evaluator
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.errors import DatasetError
from tests.build.samples import METRICS, Sample

# tests/live/test_clients.py holds the server's figures against the same records.
EXAMPLES = {
    "tnews": 600,
    "afqmc": 600,
    "multi_label": 400,
    "similarity": 400,
    "msra_ner": 300,
    "cmrc2018": 421,
    "sentence_pairs": 400,
}


@pytest.mark.parametrize("name", METRICS)
def test_each_sample_s_metric_is_that_of_its_own_framework(name: str, tmp_path: Path) -> None:
    sample = Sample(name)
    graph = export_onnx(sample.model, "packed")
    engine = sample.engine(graph, tmp_path, "onnxruntime", "fp32")
    found = local_evaluator(sample.parts, engine).evaluate_file(sample.data)
    assert found.points == pytest.approx(sample.points, abs=0.006)
    assert found.examples == EXAMPLES[name]
    assert found.metric == EVALUATION_METHODS[sample.spec.task].metric.name


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "has no examples; name a labelled file"),
        ('{"sentence": "今天"}\n', "line 1: no label, expected label or label_desc"),
        ('{"label": "100"}\n', r"line 1: the object has label, expected text or sentence"),
        ("not json\n", "line 1: no JSON"),
        ('{"sentence": "今天", "label_desc": "news_odd"}\n', "line 1: the gold label news_odd"),
        (json.dumps({"sentence": "\ud800", "label_desc": "news_car"}) + "\n", "line 1: .*U.D800"),
    ],
)
def test_data_of_no_use_are_one_error_with_the_line(
    content: str, fault: str, tmp_path: Path
) -> None:
    sample = Sample("tnews")
    engine = sample.engine(export_onnx(sample.model, "packed"), tmp_path, "onnxruntime", "fp32")
    data = tmp_path / "dev.json"
    data.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=fault):
        local_evaluator(sample.parts, engine).evaluate_file(data)
    with pytest.raises(DatasetError, match=r"absent\.json cannot be read"):
        local_evaluator(sample.parts, engine).evaluate_file(tmp_path / "absent.json")
