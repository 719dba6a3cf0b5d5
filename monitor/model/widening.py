"""Widths that matrix kernels treat alike: with them no kernel treats the last columns or rows specially."""

from __future__ import annotations

LANES = 8
"""Columns are padded to a multiple of this."""


def padded(columns: int) -> int:
    """The next multiple of ``LANES``."""
    return -(-columns // LANES) * LANES
