"""A linear model over the vectors that a base, not fine-tuned, has of texts."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ernie_triton.arrays import Array, Float32
from ernie_triton.batch import TokenBatch
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.model.models import Model
from ernie_triton.build.progress import progress_bar
from ernie_triton.build.torch_models.checkpoints import load_tokenizer
from ernie_triton.build.torch_models.modules import import_torch
from ernie_triton.engines import Engine
from ernie_triton.errors import CheckpointError
from ernie_triton.settings import EngineSettings
from ernie_triton.tasks import EMBEDDING
from ernie_triton.training.compression.slim.soft_scores import engine_of_model
from samples.real.base import PREFIXES

_TEXTS_OF_A_PART = 2048
_PENALTY = 0.01
_STEPS = 60


def text_vectors(base: Path, texts: Sequence[str], *, max_length: int, kept: Path) -> Float32:
    """Return the mean vector of each text's tokens, float32 [texts, features], by a BF16 engine.

    Args:
        base: an encoder of pieces.
        texts: the texts.
        max_length: most tokens of a text.
        kept: folder that keeps the vectors, for another run with the same texts.

    Raises:
        CheckpointError: the folder does not hold an encoder.
        MissingExtraError: OpenVINO is not installed.
    """
    digest = hashlib.blake2b("\n".join([str(base), *texts]).encode(), digest_size=16).hexdigest()
    path = kept / f"vectors-{digest}.npy"
    if path.is_file():
        return np.asarray(np.load(path), np.float32)
    engine = _vector_engine(base, max_length)
    rows = load_tokenizer(base, max_length=max_length).encode(
        [f"{PREFIXES[0]}{text}" for text in texts]
    )
    ends = np.cumsum(rows.lengths)
    places = [np.arange(end - length, end) for end, length in zip(ends, rows.lengths, strict=True)]
    order = np.argsort(rows.lengths, kind="stable")
    parts = [order[at : at + _TEXTS_OF_A_PART] for at in range(0, len(order), _TEXTS_OF_A_PART)]
    found: list[Float32] = []
    for part in progress_bar(parts, "vectors of texts"):
        tokens = np.concatenate([places[text] for text in part])
        batch = TokenBatch(
            input_ids=rows.input_ids[tokens],
            token_type_ids=rows.token_type_ids[tokens],
            lengths=rows.lengths[part].astype(np.int32),
        )
        found.append(engine.run(batch)["vector"])
    joined = np.concatenate(found)
    vectors = np.empty_like(joined)
    vectors[order] = joined
    kept.mkdir(parents=True, exist_ok=True)
    np.save(path, vectors)
    return vectors


class LinearScorer:
    """Score vectors by logistic regression, on features of mean 0 and deviation 1."""

    def __init__(self, vectors: Float32, labels: Sequence[int], classes: int) -> None:
        """Train on vectors, float32 [texts, features], and the numbers of their labels."""
        torch = import_torch()
        self._mean, self._deviation = vectors.mean(axis=0), vectors.std(axis=0)
        known, wanted = torch.from_numpy(self._standard(vectors)), torch.tensor(labels)
        weights = torch.zeros(vectors.shape[1], classes, requires_grad=True)
        bias = torch.zeros(classes, requires_grad=True)
        optimizer = torch.optim.LBFGS([weights, bias], max_iter=_STEPS)

        def loss() -> float:
            optimizer.zero_grad()
            found = torch.nn.functional.cross_entropy(known @ weights + bias, wanted)
            found = found + _PENALTY * weights.square().sum()
            found.backward()
            return float(found.detach())

        optimizer.step(loss)
        self._weights, self._bias = weights.detach().numpy(), bias.detach().numpy()

    def scores(self, vectors: Float32) -> Float32:
        """Return the logits of vectors, float32 [texts, classes]."""
        found: Float32 = self._standard(vectors) @ self._weights + self._bias
        return found

    def _standard(self, vectors: Array) -> Float32:
        found: Float32 = ((vectors - self._mean) / self._deviation).astype(np.float32)
        return found


def _vector_engine(base: Path, max_length: int) -> Engine:
    model = read_source(base, WantedHead(head="vector", pooling="mean")).model
    if not isinstance(model, Model):
        raise CheckpointError(f"{base} holds no encoder; name the base that `real --base` wrote")
    settings = EngineSettings(
        task=EMBEDDING.name,
        pair=False,
        engine="openvino",
        precision="bf16",
        layout="packed",
        threads=0,
        max_length=max_length,
        pad_token_id=model.pad_token_id,
        vocabulary_size=model.vocabulary_size,
        token_types=model.token_types,
    )
    return engine_of_model(model, settings)
