"""Students without attention answer through the real server as their formulas do."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ernie_triton.build.check.sample_texts import SampleTexts
from ernie_triton.build.check.slim_reference import slim_outputs
from ernie_triton.cli import main as build_scripts
from ernie_triton.client.tasks.seq_cls import SeqClsClient
from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from tests.build.models import LABELS, single_rows
from tests.build.slim_students import model_of, save_checkpoint, student
from tests.conftest import options_for

pytestmark = pytest.mark.live

TEXTS = ["今天的股市大涨", "", "好", "1 2 3 4 5", "不" * 300, "[SEP] 你好 [PAD] 中国"] * 6
PAIRS = ["好", "今天", "", "的" * 300, "是不是", "[PAD]"] * 6
STUDENTS = {
    "bow": ("bigrams", False, "onnxruntime"),
    "cnn": ("windows", False, "openvino"),
    "bow_pairs": ("bigrams", True, "openvino"),
    "cnn_pairs": ("windows", True, "onnxruntime"),
}
"""By pipeline: the student, whether it reads pairs, its engine."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with every student."""
    folder = tmp_path_factory.mktemp("slim")
    for name, (shape, pair, engine) in STUDENTS.items():
        checkpoint = save_checkpoint(student(shape, pair=pair), folder / name)
        command = ["build", "--checkpoint", str(checkpoint), "--task", "seq_cls", "--name", name]
        options = ["--repository", str(folder / "models"), "--engine", engine]
        assert build_scripts([*command, *options, *(["--pair"] if pair else [])]) == 0
    with EmbeddedServer(options_for(folder / "models")) as running:
        yield running.url


@pytest.mark.parametrize("name", STUDENTS)
def test_served_scores_are_those_of_the_formulas(name: str, url: str, tmp_path: Path) -> None:
    shape, pair, _ = STUDENTS[name]
    module = student(shape, pair=pair)
    vocabulary = load_vocabulary(save_checkpoint(module, tmp_path / name) / "vocab.txt")
    encoder = TextEncoder(vocabulary, max_length=128, lower_case=True)
    rows = SampleTexts(columns=(tuple(TEXTS), tuple(PAIRS))[: 1 + pair]).encode(encoder)
    logits = np.array([slim_outputs(model_of(module), row)["logits"] for row in single_rows(rows)])
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = exponents / exponents.sum(axis=1, keepdims=True)
    with SeqClsClient(url, name) as client:
        found = client.classify(TEXTS, PAIRS if pair else None, top_k=len(LABELS))
    for answer, scores in zip(found, expected, strict=True):
        by_name = {label.name: label.score for label in answer.labels}
        np.testing.assert_allclose([by_name[label] for label in LABELS], scores, atol=2e-5)
