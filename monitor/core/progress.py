"""How a long computation says how far it has come, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int, str], None]
"""Called with (what, done, total, remark), counted in units of its own; total 0 means it is not known."""
