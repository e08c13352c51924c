"""The proof of an engine: what it answered where it was built, to be repeated elsewhere.

INT8 and BF16 are computed by other instructions on other processors. A proof holds a few rows of
tokens, the outputs expected for them, and the instruction sets of the processor that gave them. A
server on a processor with others runs the rows again before it is ready.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ernie_triton.arrays import Float32
from ernie_triton.batch import TokenBatch
from ernie_triton.engines import load_engine
from ernie_triton.errors import EngineError, ExactnessError, PipelineError
from ernie_triton.settings import EngineSettings

PROOF_FILE = "proof.json"
"""Beside the engine file."""

_DIGITS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The answers of an engine, and their processor.

    Attributes:
        instructions: instruction sets of the processor; see `ernie_triton.processor`.
        settings: of the engine.
        rows: the texts, as tokens.
        outputs: expected for all rows together, float32 by name, as `Engine.run` gives them.
        limit: the largest difference of an output that still is the same answer.
    """

    instructions: tuple[str, ...]
    settings: EngineSettings
    rows: TokenBatch
    outputs: Mapping[str, Float32]
    limit: float

    def repeat(self, folder: Path) -> float:
        """Run the rows in the engine in a folder on this processor; return the largest difference.

        Raises:
            EngineError: the engine is missing, or its runtime refuses it.
            ExactnessError: an output differs by more than the limit, or is not a number.
        """
        found = load_engine(folder, self.settings).run(self.rows)
        largest = max(_difference(found[name], self.outputs[name]) for name in self.outputs)
        if not largest <= self.limit:
            raise ExactnessError(
                f"the {self.settings.engine} {self.settings.precision} engine in {folder} differs "
                f"by {largest:.2e} from its answers on the processor that it was built on "
                f"({', '.join(self.instructions)}), more than {self.limit:.0e}"
            )
        return largest

    def write(self, folder: Path) -> Path:
        """Write the proof beside its engine, and return its path."""
        content = {
            "instructions": self.instructions,
            "settings": self.settings.to_parameters(),
            "limit": self.limit,
            "lengths": self.rows.lengths.tolist(),
            "input_ids": self.rows.input_ids.tolist(),
            "token_type_ids": self.rows.token_type_ids.tolist(),
            "outputs": {name: _rounded(values) for name, values in self.outputs.items()},
        }
        path = folder / PROOF_FILE
        path.write_text(json.dumps(content) + "\n", encoding="utf-8")
        return path


def read_proof(folder: Path) -> Proof | None:
    """The proof of the engine in a folder; None where it has none.

    Raises:
        EngineError: the file is damaged.
    """
    path = folder / PROOF_FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        ids, types, lengths = (
            np.array(content[name], np.int32) for name in ("input_ids", "token_type_ids", "lengths")
        )
        return Proof(
            instructions=tuple(content["instructions"]),
            settings=EngineSettings.from_parameters(content["settings"]),
            rows=TokenBatch(input_ids=ids, token_type_ids=types, lengths=lengths),
            outputs={
                name: np.array(values, np.float32) for name, values in content["outputs"].items()
            },
            limit=float(content["limit"]),
        )
    except (OSError, ValueError, KeyError, TypeError, PipelineError) as error:
        raise EngineError(f"{path} is damaged; build the pipeline again") from error


def _difference(found: Float32, expected: Float32) -> float:
    if found.shape != expected.shape:
        return math.inf
    differences = np.abs(found - expected)
    return float(differences.max()) if np.isfinite(differences).all() else math.inf


def _rounded(values: Float32) -> object:
    """Nested lists of the values with as many digits as float32 has."""

    def shortened(value: float | Sequence[object]) -> object:
        if isinstance(value, float):
            return float(f"{value:.{_DIGITS}g}")
        return [shortened(item) for item in value]  # type: ignore[arg-type]

    return shortened(values.tolist())
