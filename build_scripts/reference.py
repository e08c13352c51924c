"""What the source itself answers, to compare an engine with.

An exported graph is its own reference, run by ONNX Runtime. A checkpoint's reference is its
framework where that is installed (transformers on torch), and otherwise the encoder's formulas in
NumPy with float64, one text at a time: slow, and without a line in common with the graph.
"""

import importlib.util
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from build_scripts.encoder import Encoder, Layer, Linear, Model, Norm
from build_scripts.load.source import Source
from ernie_triton.batch import TokenBatch
from ernie_triton.errors import CheckpointError

Float64 = npt.NDArray[np.float64]
Row = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]
"""Token ids and token type ids of one text, int32 [tokens] each."""

_WARNINGS_AND_WORSE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A way to get the source's own logits.

    Attributes:
        name: what computed them, for people.
        logits: of one row of tokens, float [labels].
    """

    name: str
    logits: Callable[[Row], npt.NDArray[np.floating]]  # type: ignore[type-arg]


def reference_for(source: Source) -> Reference:
    """The best reference that can be had on this machine.

    Raises:
        CheckpointError: the source's own framework does not take it.
    """
    if source.graph is not None:
        return _exported_graph(source.graph)
    installed = all(importlib.util.find_spec(name) for name in ("torch", "transformers"))
    if installed and source.kind.startswith("transformers"):
        return _transformers(source.path)
    if source.model is None:
        raise ValueError(f"{source.path} has neither a graph nor weights")
    model = source.model
    return Reference(name="NumPy in float64", logits=lambda row: model_logits(model, row))


def rows_of(batch: TokenBatch) -> Iterator[Row]:
    """The rows of a batch one by one."""
    start = 0
    for length in batch.lengths.tolist():
        rows = slice(start, start + length)
        yield batch.input_ids[rows], batch.token_type_ids[rows]
        start += length


def _exported_graph(graph: onnx.ModelProto) -> Reference:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _WARNINGS_AND_WORSE
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    types = {
        item.name: np.int32 if item.type == "tensor(int32)" else np.int64
        for item in session.get_inputs()
    }

    def logits(row: Row) -> npt.NDArray[np.float32]:
        ids, token_types = row
        values = {
            "input_ids": ids,
            "token_type_ids": token_types,
            "attention_mask": np.ones_like(ids),
        }
        feed = {name: values[name][None].astype(kind) for name, kind in types.items()}
        return np.asarray(session.run(None, feed)[0][0])

    return Reference(
        name=f"the exported graph in ONNX Runtime {onnxruntime.__version__}", logits=logits
    )


def _transformers(folder: Path) -> Reference:
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    # Its report on a checkpoint is a table of many lines.
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        # The folder is the user's own and is read as weights; nothing is fetched, no code is run.
        model, loaded = transformers.AutoModelForSequenceClassification.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"transformers cannot load {folder}: {reason}") from error
    if loaded["missing_keys"]:  # it would go on with random weights
        raise CheckpointError(
            f"transformers looks for {min(loaded['missing_keys'])!r} in {folder}, which the "
            f"weights have not; is the model_type of its config.json right?"
        )
    model.eval()

    def logits(row: Row) -> npt.NDArray[np.float32]:
        ids, token_types = (torch.from_numpy(values[None].astype(np.int64)) for values in row)
        with torch.inference_mode():
            output = model(input_ids=ids, token_type_ids=token_types)
        return np.asarray(output.logits[0].numpy())

    name = f"transformers {transformers.__version__} on torch {torch.__version__}"
    return Reference(name=name, logits=logits)


def model_logits(model: Model, row: Row) -> Float64:
    """Logits of one text by the formulas of BERT (arxiv.org/abs/1810.04805), float64 [labels]."""
    encoder = model.encoder
    ids, token_types = row
    x = encoder.word[ids] + encoder.position[: len(ids)] + encoder.token_type[token_types]
    x = _norm(x.astype(np.float64), encoder.embedding_norm)
    visible = ids != encoder.pad_token_id
    for layer in encoder.layers:
        x = _layer(x, layer, encoder, visible)
    first = x[:1]
    if model.head.pooler is not None:
        first = _activate(_linear(first, model.head.pooler), model.head.pooler_activation)
    return np.asarray(_linear(first, model.head.output)[0])


def _layer(x: Float64, layer: Layer, encoder: Encoder, visible: npt.NDArray[np.bool_]) -> Float64:
    size = layer.head_size
    q, k, v = (_linear(x, part) for part in (layer.query, layer.key, layer.value))
    contexts = []
    for head in range(layer.heads):
        columns = slice(head * size, (head + 1) * size)
        scores = q[:, columns] @ k[:, columns].T / math.sqrt(size)
        scores[:, ~visible] = -np.inf
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        contexts.append(weights @ v[:, columns])
    attended = _linear(np.concatenate(contexts, axis=1), layer.attention_output)
    x = _norm(x + attended, layer.attention_norm)
    wide = _activate(_linear(x, layer.intermediate), encoder.activation)
    return _norm(x + _linear(wide, layer.output), layer.output_norm)


def _linear(x: Float64, linear: Linear) -> Float64:
    return np.asarray(x @ linear.weight.astype(np.float64) + linear.bias)


def _norm(x: Float64, norm: Norm) -> Float64:
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + norm.epsilon)
    return np.asarray(centred / deviation * norm.scale + norm.bias)


def _activate(x: Float64, kind: str) -> Float64:
    if kind == "gelu":
        erf = np.vectorize(math.erf, otypes=[np.float64])
        return np.asarray(0.5 * x * (1.0 + erf(x / math.sqrt(2.0))))
    if kind == "gelu_tanh":
        inner = math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)
        return np.asarray(0.5 * x * (1.0 + np.tanh(inner)))
    return {"relu": np.maximum(x, 0.0), "tanh": np.tanh(x), "identity": x}[kind]
