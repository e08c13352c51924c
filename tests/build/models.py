"""Tiny models of transformers: saved in each format, and their outputs."""

import json
import pickle
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from safetensors.torch import save_file

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.sample_texts import SAMPLE_TEXTS
from ernie_triton.build.load.settings import CheckpointConfig
from ernie_triton.build.model.encoder import Encoder, Layer, Linear, Norm
from ernie_triton.build.model.heads import SequenceHead
from ernie_triton.build.model.models import Model
from ernie_triton.engines.onnx_runtime import exact_options
from ernie_triton.pipeline import PipelineSpec
from tests.build.load.exports import HEADS, VOCABULARY
from tests.paths import FIXTURES

Array = npt.NDArray[np.float32]
Outputs = dict[str, npt.NDArray[Any]]
"""Outputs of one row by name."""

PADDLE_EXAMPLE = FIXTURES / "paddle_example"
SPECIAL_TOKENS = ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]")
LABELS = ("财经", "体育", "娱乐", "科技", "其他")

# Written by hand, independently of the names in `build.load`.
_PADDLE_LAYER_PARTS = {
    "attention.self.query": "self_attn.q_proj",
    "attention.self.key": "self_attn.k_proj",
    "attention.self.value": "self_attn.v_proj",
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}


def vocabulary_lines(size: int = VOCABULARY, special: Sequence[str] = SPECIAL_TOKENS) -> list[str]:
    """Special tokens and the characters that the sample texts use most."""
    counted = Counter(SAMPLE_TEXTS.read_text(encoding="utf-8").lower())
    common = [c for c, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]
    characters = [c for c in common if not c.isspace()]
    return [*special, *characters][:size]


def write_vocabulary(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def save_transformers(
    model: Any,
    folder: Path,
    *,
    state: Mapping[str, torch.Tensor] | None = None,
    weights_file: str = "model.safetensors",
    vocabulary: Sequence[str] | None = None,
    **config: Any,
) -> Path:
    """The folder that transformers' `save_pretrained` makes, with what `config` changes."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {**model.config.to_dict(), "architectures": [type(model).__name__], **config}
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    arrays = dict(model.state_dict() if state is None else state)
    if weights_file == "model.safetensors":
        contiguous = {name: tensor.contiguous() for name, tensor in arrays.items()}
        save_file(contiguous, folder / weights_file, metadata={"format": "pt"})
    else:
        torch.save(arrays, folder / weights_file)
    write_vocabulary(folder / "vocab.txt", vocabulary or vocabulary_lines())
    return folder


def paddle_state(model: Any) -> dict[str, Array]:
    """An ERNIE, BERT or RoBERTa model's weights by PaddleNLP's names, linear weights [in, out]."""
    modules = dict(model.named_modules())
    base = model.base_model_prefix
    dot = f"{base}." if base in modules else ""
    names = {
        f"{dot}embeddings.LayerNorm": f"{dot}embeddings.layer_norm",
        f"{dot}pooler.dense": f"{dot}pooler.dense",
        "classifier": "classifier",
        "classifier.dense": "classifier.dense",
        "classifier.out_proj": "classifier.out_proj",
        "qa_outputs": "classifier",
    }
    for table in ("word", "position", "token_type", "task_type"):
        name = f"{dot}embeddings.{table}_embeddings"
        names[name] = name
    for layer in range(model.config.num_hidden_layers):
        for part, theirs in _PADDLE_LAYER_PARTS.items():
            names[f"{dot}encoder.layer.{layer}.{part}"] = f"{dot}encoder.layers.{layer}.{theirs}"
    state = {}
    for name, theirs in names.items():
        if name not in modules:
            continue
        module = modules[name]
        if not hasattr(module, "weight"):
            continue
        weight = module.weight.detach().numpy()
        is_linear = isinstance(module, torch.nn.Linear)
        state[f"{theirs}.weight"] = np.ascontiguousarray(weight.T if is_linear else weight)
        if getattr(module, "bias", None) is not None:
            state[f"{theirs}.bias"] = module.bias.detach().numpy()
    return state


def paddle_config(model: Any) -> dict[str, Any]:
    """The `config.json` that PaddleNLP 2.8 writes for such a model."""
    values = model.config.to_dict()
    kept = (
        "model_type",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "max_position_embeddings",
        "type_vocab_size",
        "vocab_size",
        "hidden_act",
        "layer_norm_eps",
        "pad_token_id",
        "id2label",
    )
    own = {
        "architectures": [type(model).__name__],
        "pool_act": "tanh",
        "task_id": 0,
        "use_task_id": values.get("use_task_id", False),
    }
    return {name: values[name] for name in kept} | own


def save_paddlenlp(
    model: Any, folder: Path, *, state: Mapping[str, Array] | None = None, **config: Any
) -> Path:
    """The folder that PaddleNLP's `save_pretrained` makes."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {**paddle_config(model), **config}
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    state = paddle_state(model) if state is None else state
    content = {**state, "StructuredToParameterName@@": {name: name for name in state}}
    (folder / "model_state.pdparams").write_bytes(pickle.dumps(content, protocol=4))
    write_vocabulary(folder / "vocab.txt", vocabulary_lines())
    return folder


def checkpoint_config(model: Any) -> CheckpointConfig:
    """Translate the configuration of a transformers model by hand."""
    config = model.config
    activations = {"gelu": "gelu", "gelu_new": "gelu_tanh", "relu": "relu"}
    return CheckpointConfig(
        model_type=config.model_type,
        heads=config.num_attention_heads,
        hidden=config.hidden_size,
        activation=activations[config.hidden_act],
        pooler_activation="tanh",
        layer_norm_eps=config.layer_norm_eps,
        pad_token_id=config.pad_token_id,
        task_type_row=0 if getattr(config, "use_task_id", False) else None,
        labels=None,
        head=next(head for head, name in HEADS.items() if type(model).__name__.endswith(name)),
    )


def arrays_of(model: Any) -> dict[str, Array]:
    return {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}


def pruned_model(source: Any) -> Model:
    """The canonical model of a `PrunedClassifier`, array for array."""

    def linear(part: Any) -> Linear:
        return Linear(weight=part.weight.detach().numpy().T, bias=part.bias.detach().numpy())

    def norm(part: Any) -> Norm:
        scale, bias = part.weight.detach().numpy(), part.bias.detach().numpy()
        return Norm(scale=scale, bias=bias, epsilon=part.eps)

    def layer(part: Any) -> Layer:
        names = ("query", "key", "value", "attention_output", "intermediate", "output")
        return Layer(
            **{name: linear(getattr(part, name)) for name in names},
            attention_norm=norm(part.attention_norm),
            output_norm=norm(part.output_norm),
            heads=part.heads,
        )

    word = source.word.weight.detach().numpy()
    encoder = Encoder(
        word=word,
        position=source.position.weight.detach().numpy(),
        token_type=np.zeros((1, word.shape[1]), np.float32),
        embedding_norm=norm(source.norm),
        layers=tuple(layer(part) for part in source.layers),
        activation="gelu",
        pad_token_id=3,
    )
    head = SequenceHead(pooler=None, pooler_activation="tanh", output=linear(source.classifier))
    return Model(encoder=encoder, head=head)


def random_rows(
    lengths: Sequence[int], *, types: int = 1, first_id: int = 5, seed: int = 0
) -> TokenBatch:
    """Rows of random tokens, none of them special."""
    random = np.random.default_rng(seed)
    tokens = sum(lengths)
    return TokenBatch(
        input_ids=random.integers(first_id, VOCABULARY, tokens, dtype=np.int32),
        token_type_ids=random.integers(0, types, tokens, dtype=np.int32),
        lengths=np.array(lengths, np.int32),
    )


def single_rows(batch: TokenBatch) -> list[tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]]:
    ends = np.cumsum(batch.lengths)[:-1]
    ids, types = np.split(batch.input_ids, ends), np.split(batch.token_type_ids, ends)
    return list(zip(ids, types, strict=True))


def transformers_logits(model: Any, batch: TokenBatch) -> npt.NDArray[Any]:
    """Compute the logits of a transformers classifier for each row."""
    return np.array([output["logits"] for output in transformers_outputs(model, batch)])


def transformers_outputs(model: Any, batch: TokenBatch) -> list[Outputs]:
    """Compute the outputs of transformers row by row, with a mask for `[PAD]`."""
    answers = []
    with torch.inference_mode():
        for ids, types in single_rows(batch):
            tokens = torch.from_numpy(ids.astype(np.int64))[None]
            inputs = {
                "input_ids": tokens,
                "token_type_ids": torch.from_numpy(types.astype(np.int64))[None],
                "attention_mask": (tokens != model.config.pad_token_id).long(),
            }
            if model.config.model_type == "distilbert":
                del inputs["token_type_ids"]
            output = model(**inputs)
            answers.append({name: values[0].numpy() for name, values in output.items()})
    return answers


def expected_outputs(model: Any, batch: TokenBatch, pooling: str = "cls") -> list[Outputs]:
    """Compute an engine's expected outputs for each row with transformers, vectors pooled."""
    answers = transformers_outputs(model, batch)
    if "last_hidden_state" not in answers[0]:
        return answers
    hidden = [answer["last_hidden_state"] for answer in answers]
    if pooling == "pooler":
        return [{"vector": answer["pooler_output"]} for answer in answers]
    parts = pooling.split("+")
    return [
        {"vector": np.concatenate([_pooled(states, part) for part in parts])} for states in hidden
    ]


def _pooled(states: Array, part: str) -> Array:
    """One of sentence-transformers' poolings, written by hand from its documentation."""
    places = np.arange(1, len(states) + 1, dtype=np.float32)[:, None]
    by_name = {
        "cls": states[0],
        "max": states.max(axis=0),
        "mean": states.sum(axis=0) / len(states),
        "mean_sqrt_len": states.sum(axis=0) / len(states) ** 0.5,
        "weightedmean": (states * places).sum(axis=0) / places.sum(),
        "lasttoken": states[len(states) - 1],
    }
    return np.asarray(by_name[part])


def assert_rows_equal(
    found: Mapping[str, npt.NDArray[Any]], expected: Sequence[Outputs], *, per_token: bool
) -> None:
    """Check that outputs of a batch, [rows, …] or [tokens, …], equal those of its rows."""
    join = np.concatenate if per_token else np.stack
    assert_row_equal(found, {name: join([row[name] for row in expected]) for name in expected[0]})


def assert_row_equal(found: Mapping[str, npt.NDArray[Any]], expected: Outputs) -> None:
    assert set(found) == set(expected)
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-5, err_msg=name)


def graph_logits(graph: Any, inputs: Mapping[str, npt.NDArray[Any]]) -> Array:
    """Run a graph in ONNX Runtime with the inputs that it has; return the first output."""
    return next(iter(graph_outputs(graph, inputs).values()))


def graph_outputs(graph: Any, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, Array]:
    """Run a graph in ONNX Runtime with the inputs that it has; return its outputs by name."""
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), exact_options(), providers=["CPUExecutionProvider"]
    )
    feed = {item.name: inputs[item.name] for item in session.get_inputs()}
    names = [item.name for item in session.get_outputs()]
    return {name: np.asarray(one) for name, one in zip(names, session.run(None, feed), strict=True)}


def padded_inputs(batch: TokenBatch, pad_token_id: int) -> dict[str, npt.NDArray[np.int32]]:
    """The batch as rectangles as long as its longest row."""
    shape = (batch.rows, int(batch.lengths.max()))
    inputs = {
        "input_ids": np.full(shape, pad_token_id, np.int32),
        "token_type_ids": np.zeros(shape, np.int32),
    }
    for row, (ids, types) in enumerate(single_rows(batch)):
        inputs["input_ids"][row, : len(ids)] = ids
        inputs["token_type_ids"][row, : len(ids)] = types
    return inputs


def spec_of(**values: Any) -> PipelineSpec:
    """A pipeline of `seq_cls` with some values replaced; its paths need not exist."""
    paths = {"checkpoint": Path("checkpoint"), "repository": Path("repository")}
    usual = {"task": "seq_cls", "max_length": 128, "engine": "openvino", "joined": False}
    given = {**usual, **paths, **values}
    return PipelineSpec(**given)


def tree_of(folder: Path) -> dict[str, bytes | str]:
    """Every file with its content, every link with its target, every folder by name alone."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = path.read_bytes() if path.is_file() else "folder"
    return found
