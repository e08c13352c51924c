"""UIE checkpoints of every form are read: their probabilities are those of PaddleNLP."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn

from ernie_triton.build.check.reference import model_outputs
from ernie_triton.build.commands.task_inference import infer_task
from ernie_triton.build.load import read_source
from ernie_triton.build.load.paddle.checkpoint import read_pdparams
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.model.heads import PointerHead
from ernie_triton.build.model.models import Model
from ernie_triton.decoders.labels import sigmoid
from ernie_triton.errors import OtherTaskError
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from tests.build.load.exports import (
    HIDDEN,
    IDS,
    MASK,
    PLACES,
    TYPES,
    VOCABULARY,
    export,
    randomised,
    transformers_model,
)
from tests.paths import FIXTURES

UIE = FIXTURES / "uie"
POINTER = WantedHead(head="pointer")
TORCH_NAMES = {
    "encoder.layers.": "encoder.layer.",
    "self_attn.q_proj": "attention.self.query",
    "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.out_proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "linear1": "intermediate.dense",
    "linear2": "output.dense",
    "norm2": "output.LayerNorm",
    "embeddings.layer_norm": "embeddings.LayerNorm",
}


def assert_probabilities(model: Any, *, count: int = 6) -> None:
    """The first pairs have PaddleNLP's probabilities, within 1e-4."""
    assert isinstance(model, Model)
    assert isinstance(model.head, PointerHead)
    expected = np.load(UIE / "pairs.npz")
    vocabulary = load_vocabulary(UIE / "vocab.txt")
    encoder = TextEncoder(vocabulary, max_length=256, lower_case=True)
    pairs = json.loads((UIE / "pairs.json").read_text(encoding="utf-8"))
    for number, pair in enumerate(pairs[:count]):
        rows = encoder.encode([pair["prompt"]], [pair["text"]])
        found = model_outputs(model, (rows.input_ids, rows.token_type_ids))
        for name in ("start", "end"):
            probabilities = sigmoid(found[f"{name}_logits"].astype(np.float32))
            np.testing.assert_allclose(
                probabilities, expected[f"{name}_prob{number}"], rtol=0, atol=1e-4
            )


def changed_config(folder: Path, **values: object) -> None:
    """A folder's configuration with other values; None takes one out."""
    config = {**json.loads((UIE / "config.json").read_text(encoding="utf-8")), **values}
    kept = {key: value for key, value in config.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(kept), encoding="utf-8")
    (folder / "vocab.txt").write_bytes((UIE / "vocab.txt").read_bytes())


def renamed(base: str, *, torch_names: bool) -> dict[str, Any]:
    """The weights under another prefix, by PaddleNLP's names or those of a port to torch."""
    state = {}
    for name, array in read_pdparams(UIE / "model_state.pdparams").items():
        new = name.replace("ernie.", base, 1)
        if torch_names:
            for paddle, port in TORCH_NAMES.items():
                new = new.replace(paddle, port)
            if array.ndim == 2 and "embeddings" not in name:
                array = np.ascontiguousarray(array.T)
        state[new] = np.array(array)
    return state


def test_a_checkpoint_of_paddlenlp_has_its_probabilities() -> None:
    assert_probabilities(read_source(UIE).model, count=12)
    assert infer_task(UIE).task == "extraction"


@pytest.mark.parametrize("base", ["encoder.", "ernie.", "module.encoder."])
@pytest.mark.parametrize("torch_names", [False, True])
def test_ports_and_older_names_are_read(tmp_path: Path, base: str, *, torch_names: bool) -> None:
    changed_config(tmp_path, architectures=["UIEModel"])
    state = renamed(base, torch_names=torch_names)
    outer = base.removesuffix("encoder.").removesuffix("ernie.")
    state = {n if n.startswith(outer) else f"{outer}{n}": array for n, array in state.items()}
    if torch_names:  # torch embeds the padding token, PaddleNLP takes zeros for it
        word = next(name for name in state if name.endswith("word_embeddings.weight"))
        state[word][0] = 0
    save_file(state, tmp_path / "model.safetensors")
    assert_probabilities(read_source(tmp_path).model, count=2)
    assert infer_task(tmp_path).task == "extraction"


def test_without_a_class_the_arrays_tell_the_task(tmp_path: Path) -> None:
    changed_config(tmp_path, architectures=None)
    save_file(renamed("encoder.", torch_names=False), tmp_path / "model.safetensors")
    inferred = infer_task(tmp_path)
    assert (inferred.task, inferred.reason) == ("extraction", "the names in model.safetensors")
    assert_probabilities(read_source(tmp_path, POINTER).model, count=2)


@pytest.mark.parametrize("head", ["sequence", "token", "span"])
def test_another_task_is_refused_by_name(head: str) -> None:
    with pytest.raises(OtherTaskError, match=r"is a model of extraction, .*; found --task of"):
        read_source(UIE, WantedHead(head=head))


class TorchUie(nn.Module):
    """The network of UIE with random weights, and the inputs of PaddleNLP's export."""

    inputs = (IDS, TYPES, PLACES, MASK)

    def __init__(self) -> None:
        super().__init__()
        self.encoder = transformers_model("ernie", head="vector")
        self.linear_start, self.linear_end = nn.Linear(HIDDEN, 1), nn.Linear(HIDDEN, 1)

    def forward(self, ids: Tensor, types: Tensor, positions: Tensor, mask: Tensor) -> Any:
        hidden = self.encoder(ids, mask, types, position_ids=positions, return_dict=False)[0]
        heads = (self.linear_start, self.linear_end)
        return tuple(head(hidden).squeeze(-1).sigmoid() for head in heads)


def test_an_exported_graph_is_read_without_its_sigmoids(tmp_path: Path) -> None:
    source = randomised(TorchUie())
    path = tmp_path / "uie.onnx"
    onnx.save(export(source), path)
    found = read_source(path)
    assert "without its Sigmoid" in found.kind
    assert isinstance(found.model, Model)
    assert infer_task(path).task == "extraction"
    ids = torch.randint(5, VOCABULARY, (2, 9), generator=torch.Generator().manual_seed(1))
    types = (ids > 20).long()
    with torch.inference_mode():
        expected = source(ids, types, torch.arange(9).expand(2, 9), torch.ones_like(ids))
    for row in range(2):
        tokens = ids[row].numpy().astype(np.int32), types[row].numpy().astype(np.int32)
        outputs = model_outputs(found.model, tokens)
        for name, values in zip(("start_logits", "end_logits"), expected, strict=True):
            probabilities = 1 / (1 + np.exp(-outputs[name]))
            np.testing.assert_allclose(probabilities, values[row].numpy(), atol=1e-5)
    with pytest.raises(OtherTaskError, match=r"through a sigmoid; build it with --task extraction"):
        read_source(path, WantedHead(head="span"))
