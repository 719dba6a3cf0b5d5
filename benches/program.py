"""The program that is measured."""

from __future__ import annotations

import sys
from pathlib import Path


def aemonitor(*arguments: str | Path) -> list[str]:
    """Its command line: that of the environment which runs the benchmark."""
    return [str(Path(sys.executable).parent / "aemonitor"), *map(str, arguments)]
