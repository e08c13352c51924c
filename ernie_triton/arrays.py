"""Names of the array types that modules hand to each other."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Bool: TypeAlias = npt.NDArray[np.bool_]
Int32: TypeAlias = npt.NDArray[np.int32]
Int64: TypeAlias = npt.NDArray[np.int64]
Float32: TypeAlias = npt.NDArray[np.float32]
Float64: TypeAlias = npt.NDArray[np.float64]

Tensors: TypeAlias = Mapping[str, Array]
"""Tensors of a request or an answer, by name."""

Outputs: TypeAlias = Mapping[str, Float32]
"""An engine's outputs, by name."""
