"""PaddleNLP's UIE of the fixtures, as a stage in this process, and the comparison of answers."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ernie_triton.build.convert.engine_file import write_engine
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.model.models import Model
from ernie_triton.engines import load_engine
from ernie_triton.settings import EngineSettings
from ernie_triton.stages.asked_texts import ExtractionSettings
from ernie_triton.stages.engine import EngineStage
from ernie_triton.stages.extraction import JoinedExtraction
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from tests.paths import FIXTURES

UIE = FIXTURES / "uie"
CASES: list[dict[str, Any]] = json.loads((UIE / "taskflow.json").read_text(encoding="utf-8"))
MAX_LENGTH = 256


@cache
def uie_model() -> Model:
    """The weights of the checkpoint."""
    model = read_source(UIE, WantedHead(head="pointer")).model
    assert isinstance(model, Model)
    return model


def engine_settings(**changed: Any) -> EngineSettings:
    """Settings of the model's engine."""
    values = {
        "task": "extraction",
        "pair": True,
        "engine": "onnxruntime",
        "precision": "fp32",
        "layout": "packed",
        "threads": 1,
        "max_length": MAX_LENGTH,
        "pad_token_id": 0,
        "vocabulary_size": uie_model().vocabulary_size,
        "token_types": uie_model().token_types,
    }
    return EngineSettings(**{**values, **changed})


def extraction_settings(**changed: Any) -> ExtractionSettings:
    """Settings of the stages around it."""
    values = {
        "task": "extraction",
        "pair": True,
        "max_length": MAX_LENGTH,
        "lower_case": True,
        "overlap": changed.get("max_length", MAX_LENGTH) // 4,
        "max_windows": 256,
        "engine_rows": 64,
        "max_prompts": 1000,
        "max_schema_names": 64,
        "max_schema_depth": 4,
    }
    return ExtractionSettings(**{**values, **changed})


def write_uie_engine(folder: Path) -> None:
    """The model's engine file, in a version's folder."""
    write_engine(export_onnx(uie_model(), "packed"), "onnxruntime", folder)


def joined_extraction(folder: Path, **changed: Any) -> JoinedExtraction:
    """The stage, with the engine in a folder."""
    settings = extraction_settings(**changed)
    engine = load_engine(folder, engine_settings(max_length=settings.max_length))
    encoder = TextEncoder(
        load_vocabulary(UIE / "vocab.txt"), max_length=settings.max_length, lower_case=True
    )
    return JoinedExtraction(settings, encoder, EngineStage(engine))


def asked(texts: Sequence[str], schema: object) -> dict[str, Any]:
    """A request's tensors."""
    spelled = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    return {
        "text": np.array([[text.encode()] for text in texts], np.object_),
        "schema": np.array([[spelled]] * len(texts), np.object_),
    }


def case_named(name: str) -> dict[str, Any]:
    """A case of the fixtures; its texts are a list."""
    case = next(case for case in CASES if case["name"] == name)
    texts = case["texts"]
    return {**case, "texts": [texts] if isinstance(texts, str) else texts}


def same_answer(expected: Any, found: Any) -> bool:
    """Return whether answers are the same, with probabilities within 1e-4.

    Spans are compared in the order of the text: Taskflow's order is that of a set.
    """
    if isinstance(expected, dict):
        return expected.keys() == set(found) and all(
            same_answer(expected[key], found[key]) for key in expected
        )
    if isinstance(expected, list):
        pairs = zip(sorted(expected, key=_place), sorted(found, key=_place), strict=False)
        return len(expected) == len(found) and all(same_answer(*pair) for pair in pairs)
    if isinstance(expected, float):
        return bool(abs(expected - found) < 1e-4)
    return bool(expected == found)


def _place(span: dict[str, Any]) -> tuple[int, int]:
    return span.get("start", -1), span.get("end", -1)
