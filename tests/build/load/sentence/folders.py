"""Tiny random folders, written as sentence-transformers writes them; NumPy alone, for any version.

`make_answers` asks sentence-transformers itself for their vectors and scores.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

TEXTS = (
    "央行降息",
    "今天天气真好,股市大涨!",
    "Hello World",
    "国足客场逆转取胜" * 6,
    "花呗怎么还款",
)
PAIRS = (("花呗怎么还款", "花呗可以还清吗"), ("今天天气真好", "国足客场取胜"), ("央行", "央行降息"))
HIDDEN, POSITIONS = 8, 40
VERSIONS = {"old": "2.2.2", "new": "6.2.0"}
_CHARACTERS = sorted(set("".join(TEXTS) + "".join(a + b for a, b in PAIRS)) - {" "})
_LATIN = ("hello", "world", "h", "w")
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_CHARACTERS, *_LATIN)
_CLASSES = {
    "old": {
        **{name: f"sentence_transformers.models.{name}" for name in ("Transformer", "Pooling")},
        **{name: f"sentence_transformers.models.{name}" for name in ("Dense", "LayerNorm")},
        "Normalize": "sentence_transformers.models.Normalize",
        "Dropout": "sentence_transformers.models.Dropout",
    },
    "new": {
        "Transformer": "sentence_transformers.base.modules.transformer.Transformer",
        "Pooling": "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
        "Dense": "sentence_transformers.base.modules.dense.Dense",
        "Normalize": "sentence_transformers.base.modules.normalize.Normalize",
        "LayerNorm": "sentence_transformers.sentence_transformer.modules.layer_norm.LayerNorm",
        "Dropout": "sentence_transformers.sentence_transformer.modules.dropout.Dropout",
    },
}
_SWITCHES = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}
EVERY_POOLING = tuple(_SWITCHES)


def _json(path: Path, values: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")


def _random(seed: int) -> Callable[..., Any]:
    generator = np.random.default_rng(seed)
    return lambda *shape: (0.5 * generator.standard_normal(shape)).astype(np.float32)


def write_bert(folder: Path, *, labels: int = 0, **config: Any) -> None:
    """Write a BERT of two layers, an encoder alone or a classifier, and its tokenizer."""
    draw = _random(7)
    arrays = {
        "embeddings.word_embeddings.weight": draw(len(VOCABULARY), HIDDEN),
        "embeddings.position_embeddings.weight": draw(POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": draw(2, HIDDEN),
    }
    linears = {"pooler.dense": (HIDDEN, HIDDEN)}
    norms = ["embeddings.LayerNorm"]
    for layer in ("encoder.layer.0", "encoder.layer.1"):
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            linears[f"{layer}.attention.{part}"] = (HIDDEN, HIDDEN)
        linears[f"{layer}.intermediate.dense"] = (16, HIDDEN)
        linears[f"{layer}.output.dense"] = (HIDDEN, 16)
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for name, shape in linears.items():
        arrays |= {f"{name}.weight": draw(*shape), f"{name}.bias": draw(shape[0])}
    for name in norms:
        arrays |= {f"{name}.weight": 1 + draw(HIDDEN), f"{name}.bias": draw(HIDDEN)}
    values = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": HIDDEN,
        "intermediate_size": 16,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": POSITIONS,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "pad_token_id": 0,
        "type_vocab_size": 2,
        "vocab_size": len(VOCABULARY),
    }
    if labels:
        arrays = {f"bert.{name}": array for name, array in arrays.items()}
        arrays |= {"classifier.weight": draw(labels, HIDDEN), "classifier.bias": draw(labels)}
        values["architectures"] = ["BertForSequenceClassification"]
        values["id2label"] = {str(index): f"LABEL_{index}" for index in range(labels)}
        values["label2id"] = {f"LABEL_{index}": index for index in range(labels)}
    _json(folder / "config.json", {**values, **config})
    save_file(arrays, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "vocab.txt").write_text("".join(f"{line}\n" for line in VOCABULARY), "utf-8")
    tokenizer = {"tokenizer_class": "BertTokenizer", "do_lower_case": False}
    _json(folder / "tokenizer_config.json", {**tokenizer, "model_max_length": 512})


def write_sentence_model(
    folder: Path,
    *modules: tuple[str, Mapping[str, Any]],
    form: str = "old",
    pooling: tuple[str, ...] = ("mean",),
    transformer: str = "",
    settings: Mapping[str, Any] | None = None,
    model: Mapping[str, Any] | None = None,
) -> Path:
    """Write a folder of a format: `old` as version 2.2.2, `new` as 6.2.0 writes it.

    Args:
        folder: to write.
        modules: behind the pooling: names, and what their `config.json` says.
        form: the format.
        pooling: the modes that are put side by side.
        transformer: the subfolder of the weights.
        settings: of `sentence_bert_config.json`.
        model: of `config_sentence_transformers.json`, beside the versions.
    """
    write_bert(folder / transformer)
    _json(folder / transformer / "sentence_bert_config.json", settings or {})
    versions = {"__version__": {"sentence_transformers": VERSIONS[form]}}
    _json(folder / "config_sentence_transformers.json", {**versions, **(model or {})})
    listed = [("Transformer", transformer), ("Pooling", "1_Pooling")]
    _json(folder / "1_Pooling" / "config.json", _pooling(form, pooling))
    for number, (name, values) in enumerate(modules, 2):
        listed.append((name, f"{number}_{name}"))
        _write_module(folder / f"{number}_{name}", name, values, number)
    entries = [
        {"idx": index, "name": str(index), "path": path, "type": _CLASSES[form][name]}
        for index, (name, path) in enumerate(listed)
    ]
    _json(folder / "modules.json", entries)
    return folder


def _pooling(form: str, modes: tuple[str, ...]) -> dict[str, Any]:
    if form == "old":
        switches = {switch: mode in modes for mode, switch in _SWITCHES.items()}
        return {"word_embedding_dimension": HIDDEN, **switches}
    mode = modes[0] if len(modes) == 1 else list(modes)
    return {"embedding_dimension": HIDDEN, "pooling_mode": mode, "include_prompt": True}


def _write_module(folder: Path, name: str, values: Mapping[str, Any], seed: int) -> None:
    draw, arrays = _random(seed), {}
    folder.mkdir()
    if name == "Dense":
        inputs, outputs = values["in_features"], values["out_features"]
        arrays["linear.weight"] = draw(outputs, inputs)
        if values["bias"]:
            arrays["linear.bias"] = draw(outputs)
    elif name == "LayerNorm":
        size = values["dimension"]
        arrays = {"norm.weight": 1 + draw(size), "norm.bias": draw(size)}
    if values:
        _json(folder / "config.json", values)
    if arrays:
        save_file(arrays, folder / "model.safetensors", metadata={"format": "pt"})


def dense(inputs: int, outputs: int, activation: str, *, bias: bool = True) -> dict[str, Any]:
    """Describe a dense module as its `config.json` does."""
    return {
        "in_features": inputs,
        "out_features": outputs,
        "bias": bias,
        "activation_function": f"torch.nn.modules.{activation}",
    }


_LENGTH = {"max_seq_length": POSITIONS, "do_lower_case": False}
_TASK = {"transformer_task": "feature-extraction", "module_output_name": "token_embeddings"}
_FORWARD = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
_NEW = {**_TASK, "modality_config": _FORWARD}


def _bge(folder: Path) -> None:
    write_sentence_model(folder, ("Normalize", {}), pooling=("cls",), settings=_LENGTH)


def _text2vec(folder: Path) -> None:
    write_sentence_model(folder, settings=_LENGTH)


def _m3e(folder: Path) -> None:
    short = {"max_seq_length": 12, "do_lower_case": True}
    write_sentence_model(folder, settings=short, transformer="0_Transformer")


def _every_module(folder: Path) -> None:
    write_sentence_model(
        folder,
        ("Dense", dense(6 * HIDDEN, 10, "activation.Tanh")),
        ("LayerNorm", {"dimension": 10}),
        ("Dropout", {"dropout": 0.5}),
        ("Dense", dense(10, 7, "linear.Identity", bias=False)),
        pooling=EVERY_POOLING,
        settings=_LENGTH,
    )


def _new_modules(folder: Path) -> None:
    names = {"module_input_name": "sentence_embedding", "module_output_name": "sentence_embedding"}
    write_sentence_model(
        folder,
        ("Dense", {**dense(2 * HIDDEN, 9, "activation.GELU"), **names}),
        ("Normalize", names),
        form="new",
        pooling=("lasttoken", "max"),
        settings=_NEW,
        model={
            "model_type": "SentenceTransformer",
            "default_prompt_name": "query",
            "prompts": {"query": "今天", "document": ""},
            "similarity_fn_name": "dot",
            "truncate_dim": 5,
        },
    )


VECTOR_FOLDERS: Mapping[str, Callable[[Path], None]] = {
    "bge": _bge,
    "text2vec": _text2vec,
    "m3e": _m3e,
    "every_module": _every_module,
    "new_modules": _new_modules,
}
"""Writers of folders that `encode` gives vectors of, by name."""


def _reranker_3(folder: Path) -> None:
    write_bert(folder, labels=1, sbert_ce_default_activation_function=None)


def _reranker_identity(folder: Path) -> None:
    identity = "torch.nn.modules.linear.Identity"
    write_bert(folder, labels=1, sbert_ce_default_activation_function=identity)


def _reranker_4(folder: Path) -> None:
    own = {"activation_fn": "torch.nn.modules.activation.Sigmoid", "version": "4.1.0"}
    write_bert(folder, labels=1, sentence_transformers=own)


def _reranker_6(folder: Path) -> None:
    write_bert(folder, labels=1)
    task = {"transformer_task": "sequence-classification", "module_output_name": "scores"}
    forward = {"text": {"method": "forward", "method_output_name": "logits"}}
    _json(folder / "sentence_bert_config.json", {**task, "modality_config": forward})
    model = {
        "__version__": {"sentence_transformers": VERSIONS["new"]},
        "activation_fn": "torch.nn.modules.activation.Sigmoid",
        "default_prompt_name": None,
        "model_type": "CrossEncoder",
        "prompts": {},
    }
    _json(folder / "config_sentence_transformers.json", model)
    entry = {"idx": 0, "name": "0", "path": "", "type": _CLASSES["new"]["Transformer"]}
    _json(folder / "modules.json", [entry])


SCORE_FOLDERS: Mapping[str, Callable[[Path], None]] = {
    "reranker_3": _reranker_3,
    "reranker_identity": _reranker_identity,
    "reranker_4": _reranker_4,
    "reranker_6": _reranker_6,
}
"""Writers of cross-encoders that `predict` gives scores of, by name."""
