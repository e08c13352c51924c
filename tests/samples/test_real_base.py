"""A base of four-bit weights becomes a checkpoint; the weights here are our own."""

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertModel

from ernie_triton.build.torch_models.checkpoints import load_model, load_tokenizer
from samples.cli import main
from samples.errors import DataError
from samples.real.four_bit import read_four_bit_model
from tests.samples.real_package import (
    FEED_FORWARD,
    HEADS,
    HIDDEN,
    PIECES,
    POSITIONS,
    Floats,
    packed,
    write_base_package,
    write_package,
)

KEPT = [piece for piece in PIECES if piece != "世界"]
MODULES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def test_a_packed_base_answers_as_its_weights_in_transformers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_package(tmp_path, monkeypatch)
    arrays = write_base_package(tmp_path, monkeypatch)
    assert main(["real", "--output", str(tmp_path), "--base", "5"]) == 0
    told = capsys.readouterr().out.splitlines()[-1]
    assert told == f"{tmp_path / 'base'}: 5 of 12 layers, {len(KEPT)} of {len(PIECES)} pieces"
    text = "买了，很好～。"
    row = load_tokenizer(tmp_path / "base", max_length=16).encode([text])
    names = [KEPT[piece] for piece in row.input_ids]
    assert names == ["<s>", "\u2581", "买", "了", ",", "很好", "～", "<unk>", "</s>"]
    encoding = AutoTokenizer.from_pretrained(tmp_path / "base")(text)
    assert encoding.input_ids == row.input_ids.tolist()
    ids = torch.tensor(row.input_ids, dtype=torch.long)[None]
    theirs = torch.tensor([[PIECES.index(name) for name in names]])
    with torch.no_grad():
        found = load_model(tmp_path / "base", task="embedding")(ids).last_hidden_state
        wanted = in_transformers(arrays)(theirs).last_hidden_state
    assert torch.allclose(found, wanted, atol=1e-5)


def in_transformers(arrays: dict[str, Floats]) -> BertModel:
    """The model of the arrays, put together by hand."""
    model = BertModel(
        BertConfig(
            vocab_size=len(PIECES),
            hidden_size=HIDDEN,
            num_hidden_layers=5,
            num_attention_heads=HEADS,
            intermediate_size=FEED_FORWARD,
            max_position_embeddings=POSITIONS,
        ),
        add_pooling_layer=False,
    )
    state = {"embeddings.word_embeddings.weight": arrays["emb.word"]}
    state |= {"embeddings.position_embeddings.weight": arrays["emb.pos"]}
    state |= {"embeddings.token_type_embeddings.weight": arrays["emb.type"]}
    for letter, kind in (("w", "weight"), ("b", "bias")):
        state[f"embeddings.LayerNorm.{kind}"] = arrays[f"emb.ln.{letter}"]
        for layer in range(5):
            for ours, name in MODULES.items():
                state[f"encoder.layer.{layer}.{name}.{kind}"] = arrays[f"l{layer}.{ours}.{letter}"]
    model.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    return model.eval()


def test_a_damaged_file_is_told() -> None:
    with pytest.raises(DataError, match=r"e5\.bin begins with b'E5S2'; expected b'E5S1'"):
        read_four_bit_model(b"E5S2" + bytes(100), "e5.bin")
    with pytest.raises(DataError, match=r"e5\.bin is cut short or damaged"):
        read_four_bit_model(packed({})[:200], "e5.bin")
