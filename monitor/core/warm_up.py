"""How much of its past a memory must have seen before it reads as if it had seen all of it."""

from __future__ import annotations

from typing import NamedTuple


class WarmUp(NamedTuple):
    """So many ``records`` of a key, and its records of so many ``seconds``, must have come before.

    ``pause``: and it must have been silent once for longer than so many seconds; None: it need not. ``recovery``: so
    many records suffice behind a few that are missing, since what is remembered from before them still holds, and as
    many as are missing behind more; None: as in the beginning.
    """

    records: int = 0
    seconds: float = 0.0
    pause: float | None = None
    recovery: int | None = None
