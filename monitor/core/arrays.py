"""Names for the array types that travel between stages; shapes stand beside each use."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

F32: TypeAlias = npt.NDArray[np.float32]
F64: TypeAlias = npt.NDArray[np.float64]
I64: TypeAlias = npt.NDArray[np.int64]
U8: TypeAlias = npt.NDArray[np.uint8]
Bools: TypeAlias = npt.NDArray[np.bool_]

Column: TypeAlias = Any
"""A ``pyarrow.Array`` of n values. pyarrow ships no type stubs, so checkers see ``Any``."""
