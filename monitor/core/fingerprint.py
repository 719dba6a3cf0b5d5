"""By what the beginning of a file is known again without being kept: hashes of its lines, each with all before it.

What may not be stored is so often in the first lines of a log that they are not stored at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

MAX_PREFIXES = 128
"""Of one file, of 10 bytes each; a log has that many lines in its first kilobyte if they are 8 bytes long."""


class Prefix(NamedTuple):
    """The first ``size`` bytes of a file, as their BLAKE2b-64."""

    size: int
    digest: bytes


def prefixes(head: bytes) -> tuple[Prefix, ...]:
    """Where the lines of ``head`` end, and it itself; nothing of nothing.

    >>> [prefix.size for prefix in prefixes(b"ab\\ncd\\nef")]
    [3, 6, 8]
    """
    ends = [place + 1 for place, byte in enumerate(head) if byte == ord("\n")][: MAX_PREFIXES - 1]
    hashed, found, start = hashlib.blake2b(digest_size=8), list[Prefix](), 0
    for end in dict.fromkeys([*ends, len(head)] if head else []):
        hashed.update(head[start:end])
        found.append(Prefix(end, hashed.digest()))
        start = end
    return tuple(found)


def repeated(known: Sequence[Prefix], beginning: bytes) -> int | None:
    """How many of the first bytes of a file are surely those of a known one; None where it is another, or may be.

    All that is known, where the beginning has so much; otherwise the last line of it that is whole.
    """
    within = [prefix for prefix in known if prefix.size <= len(beginning)]
    if not within:
        return None
    size, digest = within[-1]
    return size if hashlib.blake2b(beginning[:size], digest_size=8).digest() == digest else None
