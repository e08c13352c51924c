"""Write multilingual-e5-small as a checkpoint with the pieces that some texts need.

It is a BERT encoder with XLM-RoBERTa's vocabulary of 250,000 pieces, nearly all of other languages.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, normalizers

from ernie_triton.arrays import Array
from ernie_triton.build.load.pieces.sentencepiece_model import unigram_document
from ernie_triton.build.load.safetensors_file import write_safetensors
from ernie_triton.build.load.weight_files import SAFETENSORS_FILE
from samples.errors import DataError
from samples.real.four_bit import FourBitModel

SPECIALS = 4
"""Special pieces before the others; the mask is behind them."""

PREFIXES = ("query: ", "passage: ")
"""Words before a text, which the model was trained with."""

_SPACE = "\u2581"
_WAVE, _PRIVATE = "\uff5e", "\ue000"
_CHARACTER = re.compile(rf"{_SPACE}?[!-~\u3000-\u303f\u4e00-\u9fff\uff01-\uff5e]|{_SPACE}")
# With XLM-RoBERTa's own class, transformers 5 leaves out the normalizer of a `tokenizer.json`.
_TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    **dict.fromkeys(("bos_token", "cls_token"), "<s>"),
    **dict.fromkeys(("eos_token", "sep_token"), "</s>"),
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}
_LAYER_ARRAYS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def write_pruned_base(
    model: FourBitModel, texts: Iterable[str], folder: Path, *, layers: int
) -> str:
    """Write `config.json`, `model.safetensors` and the tokenizer's files into a folder.

    Args:
        model: the packed model.
        texts: the pieces that they consist of are kept, and those of `PREFIXES`, and single Chinese
            and ASCII characters.
        folder: made where it is missing; its files are replaced.
        layers: the lowest ones that are kept.

    Returns:
        A line about it.

    Raises:
        DataError: an array is missing, or the model has fewer layers.
    """
    if not 1 <= layers <= model.layers:
        raise DataError(f"{layers} layers are wanted; expected 1 to {model.layers}")
    kept = kept_pieces(model.pieces, [*texts, *PREFIXES])
    ids = np.array([*range(SPECIALS), *kept, len(model.pieces) - 1])
    arrays = dict(_arrays(model, ids, layers))
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(arrays, folder / SAFETENSORS_FILE)
    pieces = [model.pieces[piece] for piece in kept]
    (folder / "tokenizer.json").write_text(document_of(pieces), encoding="utf-8")
    positions = len(arrays["embeddings.position_embeddings.weight"])
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": model.hidden,
        "intermediate_size": len(arrays["encoder.layer.0.intermediate.dense.bias"]),
        "layer_norm_eps": round(model.epsilon, 15),
        "max_position_embeddings": positions,
        "num_attention_heads": model.heads,
        "num_hidden_layers": layers,
        "pad_token_id": 1,
        "type_vocab_size": 2,
        "vocab_size": len(ids),
    }
    tokenizer = {**_TOKENIZER, "model_max_length": positions}
    for name, content in (("config.json", config), ("tokenizer_config.json", tokenizer)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return f"{folder}: {layers} of {model.layers} layers, {len(ids)} of {len(model.pieces)} pieces"


def kept_pieces(pieces: Sequence[tuple[str, float]], texts: Iterable[str]) -> list[int]:
    """Return the ids of the pieces that texts consist of and of single characters, in order."""
    ordinary = pieces[SPECIALS:-1]
    tokenizer = Tokenizer.from_str(document_of(ordinary))
    kept = {
        number
        for number, (piece, _) in enumerate(ordinary, SPECIALS)
        if _CHARACTER.fullmatch(piece)
    }
    for row in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False):
        kept.update(row.ids)
    return sorted(kept - {*range(SPECIALS), len(pieces) - 1})


def document_of(pieces: Sequence[tuple[str, float]]) -> str:
    """Make the `tokenizer.json` of ordinary pieces; texts are normalised as SentencePiece does."""
    # SentencePiece's table keeps this one sign, which NFKC would change.
    hide, show = (
        normalizers.Replace(sign, other) for sign, other in ((_WAVE, _PRIVATE), (_PRIVATE, _WAVE))
    )
    steps = [hide, normalizers.Nmt(), normalizers.NFKC(), show]
    return unigram_document(pieces, normalizers.Sequence(steps))


def _arrays(model: FourBitModel, ids: Array, layers: int) -> Iterator[tuple[str, Array]]:
    """Yield the arrays by transformers' names."""
    yield "embeddings.word_embeddings.weight", model.word_vectors(ids)
    for ours, theirs in (("position", "pos"), ("token_type", "type")):
        table = model.array(f"emb.{theirs}").reshape(-1, model.hidden)
        yield f"embeddings.{ours}_embeddings.weight", table
    for kind, letter in (("weight", "w"), ("bias", "b")):
        yield f"embeddings.LayerNorm.{kind}", model.array(f"emb.ln.{letter}")
        for layer in range(layers):
            for theirs, ours in _LAYER_ARRAYS.items():
                array = model.array(f"l{layer}.{theirs}.{letter}")
                if kind == "weight" and "LayerNorm" not in ours:
                    outputs = len(model.array(f"l{layer}.{theirs}.b"))
                    array = array.reshape(outputs, -1)
                yield f"encoder.layer.{layer}.{ours}.{kind}", array
