"""What the tests of whole builds share: a model, its checkpoint, and the command."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
import transformers

from ernie_triton.cli import main
from tests.build.load.exports import MaskFromIds, export
from tests.build.models import LABELS, save_transformers, vocabulary_lines

STEP = re.compile(
    r" *\d+\.\d\d s  (read|vocabulary|graph|source|calibrate|quantize|fp16|engine|compare|evaluate"
    r"|speed|plan|write|publish) .*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command gave."""

    code: int
    stdout: str
    stderr: str

    @property
    def steps(self) -> list[str]:
        """The steps that were reported, in order."""
        found = (STEP.fullmatch(line) for line in self.stderr.splitlines())
        return [match[1] for match in found if match]

    @property
    def other_lines(self) -> list[str]:
        """Whatever stderr holds besides steps."""
        return [line for line in self.stderr.splitlines() if not STEP.fullmatch(line)]


Run = Callable[..., Outcome]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """`run(*arguments)` is `python -m build_scripts` in this process; libraries' output counts."""

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Outcome(code=code, stdout=captured.out, stderr=captured.err)

    return run


@pytest.fixture(scope="session")
def ernie() -> Any:
    """An ERNIE classifier long enough for a pipeline's defaults, with logits of about 1."""
    torch.manual_seed(0)
    config = transformers.ErnieConfig(
        vocab_size=len(vocabulary_lines()),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=40,
        max_position_embeddings=160,
        type_vocab_size=4,
        task_type_vocab_size=3,
        use_task_id=True,
        initializer_range=0.1,
        id2label=dict(enumerate(LABELS)),
    )
    return transformers.ErnieForSequenceClassification(config).train(mode=False)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, ernie: Any) -> Path:
    """The classifier in transformers' format; not to be changed."""
    return save_transformers(ernie, tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, ernie: Any) -> Path:
    """The classifier as an ONNX file with nothing beside it; not to be changed."""
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    onnx.save(export(MaskFromIds(ernie)), path)
    return path
