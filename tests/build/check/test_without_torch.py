"""A checkpoint has the same outcome with and without PyTorch: the same scores or the same line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from tests.build.check.outcomes import outcome
from tests.build.load.test_families import tiny
from tests.build.models import save_paddlenlp, save_transformers
from tests.paths import ROOT

CLASSES = ("Bert", "Ernie", "Roberta", "Camembert", "Data2VecText", "Electra", "Albert")


def changed(classes: str, **values: Any) -> Callable[[Path], object]:
    return lambda folder: save_transformers(tiny(classes), folder, **values)


def renamed(rename: Callable[[str], str]) -> Callable[[Path], object]:
    def save(folder: Path) -> object:
        model = tiny("Bert")
        state: dict[str, Tensor] = {rename(name): one for name, one in model.state_dict().items()}
        return save_transformers(model, folder, state=state)

    return save


FOLDERS: dict[str, Callable[[Path], object]] = {
    **{classes: changed(classes) for classes in (*CLASSES, "DistilBert")},
    "small ELECTRA": lambda folder: save_transformers(tiny("Electra", embedding_size=8), folder),
    "no model_type": changed("Bert", model_type=None, architectures=None),
    "pre-training's class": changed("Bert", architectures=["BertForMaskedLM"]),
    "fewer layers": changed("Bert", num_hidden_layers=1),
    "old names": renamed(
        lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        )
    ),
    "a prefix": renamed(lambda name: f"module.{name}"),
    "PaddleNLP": lambda folder: save_paddlenlp(tiny("Ernie"), folder),
    "no scores named": changed("Bert", id2label=None, label2id=None),
    "another type": changed("Bert", model_type="big_bird"),
    "a decoder": changed("Bert", is_decoder=True),
    "a head of one's own": renamed(lambda name: name.replace("classifier", "fc")),
    "too many layers": changed("Bert", num_hidden_layers=3),
    "quantized": changed("Bert", quantization_config={"quant_method": "awq"}),
    "labels that differ": changed("Bert", num_labels=2, id2label={"0": "a", "1": "b"}),
}


def test_the_outcome_is_the_same_where_torch_is_hidden(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(len(FOLDERS))]
    for folder, write in zip(folders, FOLDERS.values(), strict=True):
        write(folder)
    command = [sys.executable, "-m", "tests.build.check.outcomes", *map(str, folders)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    refused = 0
    for name, folder, hidden in zip(FOLDERS, folders, json.loads(run.stdout), strict=True):
        found = outcome(folder)
        assert found.get("refused") == hidden.get("refused"), name
        if "refused" in found:
            refused += 1
            assert "\n" not in found["refused"], name
            continue
        assert hidden["reference"].startswith("NumPy"), name
        assert found["reference"].startswith("transformers") or name == "PaddleNLP", name
        assert (found["kind"], found["note"]) == (hidden["kind"], hidden["note"]), name
        np.testing.assert_allclose(found["logits"], hidden["logits"], atol=1e-5, err_msg=name)
    assert refused == 6
