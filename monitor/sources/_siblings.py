"""Which files beside a log are older parts of it, by their names alone."""

from __future__ import annotations

import re

_ROTATED = re.compile(r"[.-](?:\d[\d.:T_Z-]*|old)")
"""What rotation puts behind a name: a number, a date, ``old``. Other endings (``.debug``) are other logs."""

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".Z", ".zip")


def is_compressed(path: str) -> bool:
    """Whether the name says that the content is compressed; its bytes are then not records."""
    return path.endswith(_COMPRESSED)


def bases(path: str) -> list[str]:
    """What ``path`` may be a rotated part of, by its name.

    >>> bases("/l/a.log-20240131")
    ['/l/a.log']
    """
    places = [place for place, letter in enumerate(path) if letter in ".-" and "/" not in path[place:]]
    return [path[:place] for place in places if _ROTATED.fullmatch(path, place) and path[place - 1] != "/"]


def is_rotated_name(path: str, base: str) -> bool:
    """Whether ``path`` is what rotation makes of ``base``.

    >>> is_rotated_name("/l/a.log.1", "/l/a.log"), is_rotated_name("/l/a.log-20240131", "/l/a.log")
    (True, True)
    >>> is_rotated_name("/l/a.log.debug", "/l/a.log")
    False
    """
    return path.startswith(base) and _ROTATED.fullmatch(path, len(base)) is not None
