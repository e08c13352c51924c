"""The files beside the configurations are those that Triton and the stages read."""

import ast
import struct
from pathlib import Path

import numpy as np
import pytest

from ernie_triton.build.publish.model_files import write_stage_files
from ernie_triton.build.publish.repository import StagedPipeline
from ernie_triton.decoders.labels import load_labels
from tests.build.models import spec_of

SPEC = spec_of(pair=True, name="p", version=3)
LABELS = ("财经", "体育 综合")
ROW = (np.array([1, 7, 2, 8, 2], np.int32), np.array([0, 0, 0, 1, 1], np.int32))
WARM_UP = {"short": (("好", ""), ROW), "long": (("1 2", "甲\u3000乙😀"), ROW)}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    models = [SPEC.name, *(SPEC.stage(part) for part in ("tokenizer", "engine", "postprocess"))]
    with StagedPipeline(tmp_path, models, SPEC.version) as staged:
        write_stage_files(SPEC, staged, LABELS, WARM_UP)
        staged.publish()
    return tmp_path


@pytest.mark.parametrize("part", ["tokenizer", "engine", "postprocess"])
def test_model_py_is_a_docstring_and_one_import(repository: Path, part: str) -> None:
    source = (repository / f"p_{part}/3/model.py").read_text(encoding="utf-8")
    docstring, imported, exported = ast.parse(source).body
    assert isinstance(docstring, ast.Expr)
    assert isinstance(imported, ast.ImportFrom)
    assert imported.module == f"ernie_triton.backends.{part}"
    assert [name.name for name in imported.names] == ["TritonPythonModel"]
    assert isinstance(exported, ast.Assign)
    assert all(len(line) <= 100 for line in source.splitlines())


def test_labels_lie_where_the_stage_and_the_classification_extension_look(
    repository: Path,
) -> None:
    for model in ("p", "p_postprocess"):
        assert load_labels(repository / model / "labels.txt") == list(LABELS)


def test_warm_up_texts_are_length_prefixed_utf8(repository: Path) -> None:
    folder = repository / "p_tokenizer/warmup"
    for sample, (texts, _) in WARM_UP.items():
        for name, text in zip(("text", "text_pair"), texts, strict=True):
            content = (folder / f"{sample}_{name}").read_bytes()
            assert struct.unpack("<I", content[:4]) == (len(content) - 4,)
            assert content[4:].decode("utf-8") == text
    assert len(list(folder.iterdir())) == 4


TOKENS = {"input_ids": [1, 7, 2, 8, 2], "token_type_ids": [0, 0, 0, 1, 1]}


def warm_up_tokens(folder: Path) -> dict[str, list[int]]:
    return {
        path.name: np.frombuffer(path.read_bytes(), "<i4").tolist() for path in folder.iterdir()
    }


def test_warm_up_tokens_are_little_endian_int32(repository: Path) -> None:
    assert warm_up_tokens(repository / "p_engine/warmup") == {
        f"{sample}_{name}": values for sample in WARM_UP for name, values in TOKENS.items()
    }


def test_warm_up_of_single_texts_has_no_token_types(tmp_path: Path) -> None:
    spec = spec_of(name="s")
    warm_up = {sample: (texts[:1], row) for sample, (texts, row) in WARM_UP.items()}
    models = [spec.name, *(spec.stage(part) for part in ("tokenizer", "engine", "postprocess"))]
    with StagedPipeline(tmp_path, models, spec.version) as staged:
        write_stage_files(spec, staged, LABELS, warm_up)
        staged.publish()
    assert warm_up_tokens(tmp_path / "s_engine/warmup") == {
        f"{sample}_input_ids": TOKENS["input_ids"] for sample in WARM_UP
    }
