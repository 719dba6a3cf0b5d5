"""Which files beside a log are older parts of it, by their names alone."""

from __future__ import annotations

import re

_ROTATED = re.compile(r"[.-](?:\d[\d.:T_Z-]*|old)")
"""What rotation puts behind a name: a number, a date, ``old``. Other endings (``.debug``) are other logs."""

PACKINGS = (".gz", ".bz2", ".xz", ".zst")
"""What we can unpack, by the ending of a name."""

_COMPRESSED = (*PACKINGS, ".lz4", ".Z", ".zip")


def is_compressed(path: str) -> bool:
    """Whether the name says that the content is compressed; its bytes are then not records."""
    return path.endswith(_COMPRESSED)


def packing(path: str) -> str:
    """The ending of a compressed file's name if we can unpack it, or nothing.

    >>> packing("/l/a.log.1.gz"), packing("/l/a.log.1"), packing("/l/a.zip")
    ('.gz', '', '')
    """
    return next((ending for ending in PACKINGS if path.endswith(ending)), "")


def packed_homes(path: str) -> list[str]:
    """The logs that a compressed file may be a part of, by its name; none when it is not one we can unpack.

    >>> packed_homes("/l/a.log.1.gz"), packed_homes("/l/a.log.gz")
    (['/l/a.log.1', '/l/a.log'], ['/l/a.log'])
    """
    if not (ending := packing(path)):
        return []
    plain = path.removesuffix(ending)
    return [plain, *bases(plain)]


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
