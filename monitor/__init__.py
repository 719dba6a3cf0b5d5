"""aemonitor: learns what benign records look like and says, field by field, what is not."""

from __future__ import annotations

__version__ = "0.1.0"
