"""pyarrow with its functions and its readers of CSV and Parquet, loaded when first used.

A configuration is checked without them, and most of what runs needs only some of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["pa", "pc", "pq", "pv"]


class _Late:
    """A module by its name; whatever was asked of it once is kept."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        found = getattr(import_module(self._name), name)
        setattr(self, name, found)
        return found


if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as pv
    import pyarrow.parquet as pq
else:
    pa, pc, pq, pv = map(_Late, ("pyarrow", "pyarrow.compute", "pyarrow.parquet", "pyarrow.csv"))
