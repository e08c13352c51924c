"""Token vectors: those of each text's tokens, scaled to length 1 if the build asks for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Array, Float32, Int32, Tensors
from ernie_triton.decoders.vectors import normalized
from ernie_triton.settings import StageSettings
from ernie_triton.tasks import COLBERT, ROW_TOKENS

_TOKEN_VECTORS = COLBERT.engine_outputs[0].name
_VECTORS, _COUNT = (tensor.name for tensor in COLBERT.results)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenVectorSettings(StageSettings):
    """The postprocess stage's parameters.

    Attributes:
        task: its name.
        normalize: scale each vector to length 1.
        skipped: tokens at the beginning of a text whose vectors are left out.
    """

    task: str
    normalize: bool
    skipped: int


class TokenVectorDecoder:
    """Return the vectors of the tokens of each text of a batch of requests."""

    inputs = (_TOKEN_VECTORS, ROW_TOKENS.name)

    def __init__(self, parameters: Mapping[str, str], labels: Sequence[str]) -> None:  # noqa: ARG002
        """Keep the settings; there are no labels.

        Raises:
            PipelineError: a parameter is missing or unknown.
        """
        self._settings = TokenVectorSettings.from_parameters(parameters)

    def read(self, tensors: Tensors) -> tuple[Float32, Int32]:
        """Take the vectors [texts, longest, hidden] and the numbers of tokens [texts]."""
        return tensors[_TOKEN_VECTORS], tensors[ROW_TOKENS.name].ravel()

    def run(self, items: Sequence[tuple[Float32, Int32]]) -> list[dict[str, Array]]:
        """Give each text its vectors and their number.

        The texts of a request have the rows of the one with most tokens; what is left is zero.
        """
        return [self._answer(*item) for item in items]

    def _answer(self, vectors: Float32, tokens: Int32) -> dict[str, Array]:
        skipped = self._settings.skipped
        counts = tokens - skipped
        kept = vectors[:, skipped : int(tokens.max())]
        if self._settings.normalize:
            kept = normalized(kept)
        is_real = np.arange(kept.shape[1]) < counts[:, None]
        zero = np.float32(0)
        return {_VECTORS: np.where(is_real[..., None], kept, zero), _COUNT: counts[:, None]}
