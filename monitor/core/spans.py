"""Hashes any number of byte ranges of one buffer at once, 8 bytes at a time and without a loop over the ranges.

The hashes are 64 bits wide and fixed for ever: models are stored with them, so the constants must not change. They are
no protection against somebody who computes collisions on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import I64, Bools
from monitor.core.strings import U64

# Odd numbers whose bits are spread evenly; each has one use.
_MIX_FIRST = np.uint64(0xD6E8FEB86659FD93)
_MIX_SECOND = np.uint64(0xA3AAACD8C9D2E6B5)
_BY_LENGTH = np.uint64(0x8CB92BA72F3D8DD7)
_BY_PLACE = np.uint64(0x9C4E7A16F8B2D1E5)

_KEEP = np.array([(1 << 8 * count) - 1 for count in range(9)], dtype=np.uint64)  # the lowest `count` bytes


def mix(x: U64) -> U64:
    """Spread every bit of each number over all 64, in place, and return the array; one to one.

    In place because here, as in the rest of this module, fresh memory costs more than the arithmetic.
    """
    moved = x >> np.uint64(32)
    x ^= moved
    x *= _MIX_FIRST
    x ^= np.right_shift(x, np.uint64(29), out=moved)
    x *= _MIX_SECOND
    x ^= np.right_shift(x, np.uint64(32), out=moved)
    return x


@dataclass(frozen=True, slots=True)
class Spans:
    """Byte ranges as little-endian numbers: the first 8 bytes of each, and all further ones of those that are longer.

    Bytes beyond the end of a range are 0. ``rest[firsts[j]]`` begins what follows the head of range ``owners[j]``.
    """

    lengths: I64  # [k]
    head: U64  # [k]
    owners: I64  # [m] ranges longer than 8 bytes
    firsts: I64  # [m]
    places: I64  # [r] 1 for bytes 8 to 15, 2 for the next, ...
    rest: U64  # [r]
    rest_lengths: I64  # [r] how many of the 8 bytes belong to the range

    def hash(self) -> U64:
        """A number that depends on every byte and on the length; ``mix`` it before its bits are used one by one."""
        hashes = self.head * _BY_LENGTH
        hashes += self.lengths.view(np.uint64)
        if len(self.owners):
            parts = mix(self.rest + self.places.view(np.uint64) * _BY_PLACE)
            hashes[self.owners] = mix(hashes[self.owners]) + np.add.reduceat(parts, self.firsts)
        return hashes

    def some(self, test: Callable[[U64], Bools]) -> Bools:
        """Which ranges have a number for which the test holds, [k]. The test also sees the zeros beyond the end."""
        found = test(self.head)
        if len(self.owners):
            found[self.owners] |= np.logical_or.reduceat(test(self.rest), self.firsts)
        return found

    def filled_with(self, byte: int) -> Bools:
        """Which ranges hold nothing but this byte (also the empty ones), [k]."""
        eight = np.uint64(byte * 0x0101010101010101)
        found: Bools = self.head == (_keep(self.lengths) & eight)
        if len(self.owners):
            equal = self.rest == (_keep(self.rest_lengths) & eight)
            found[self.owners] &= np.logical_and.reduceat(equal, self.firsts)
        return found


def read_spans(words: U64, starts: I64, lengths: I64) -> Spans:
    """Read ranges out of a buffer that goes on for at least 16 bytes behind the last of them.

    Args:
        words: the buffer as little-endian 8-byte numbers.
        starts: where each range begins, in bytes, [k].
        lengths: bytes of each range, [k].
    """
    owners = np.flatnonzero(lengths > 8)
    counts = (lengths[owners] - 1) >> 3
    firsts = np.cumsum(counts) - counts
    places = np.arange(counts.sum()) - np.repeat(firsts, counts) + 1
    rest_lengths = np.repeat(lengths[owners], counts) - (places << 3)
    rest = _read(words, np.repeat(starts[owners], counts) + (places << 3), rest_lengths)
    return Spans(lengths, _read(words, starts, lengths), owners, firsts, places, rest, rest_lengths)


def _keep(lengths: I64) -> U64:
    """The bits of the bytes that belong to a range, of 8 read."""
    return _KEEP.take(lengths, mode="clip")


def _read(words: U64, starts: I64, lengths: I64) -> U64:
    """The first 8 bytes of each range. Two aligned reads and shifts take 3/4 of the time of one unaligned read."""
    block = starts >> 3
    shift = ((starts & 7) << 3).view(np.uint64)
    low: U64 = words[block]
    low >>= shift
    block += 1
    high = words[block]
    high <<= np.uint64(1)
    high <<= np.subtract(np.uint64(63), shift, out=shift)
    low |= high
    low &= _KEEP.take(lengths, mode="clip", out=high)
    return low
