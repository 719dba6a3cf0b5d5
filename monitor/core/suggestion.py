"""What a parser says of a sample it was shown: how to read it, and how much of it that would read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LEAST_SHARE = 0.5
"""A parser that reads less of a sample than this does not suggest itself: it met its format by chance."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A format that fits a sample.

    ``options`` are the parser's configuration; ``share`` is the share of the sample's rows it reads fully, 0 to 1;
    ``rank`` says how specific the format is: of two parsers that read as much, the higher one is meant.
    """

    options: dict[str, Any]
    share: float
    rank: int
