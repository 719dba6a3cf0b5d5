"""Splits every text of a column into words and hashes them, by array operations alone.

A *word* is a run of letters, digits, underscores and bytes above 127; what stands between words is the text's shape.
A word that holds a digit is a value and is *masked*: all masked words are alike, so a log message keeps one *template*
whatever numbers, times, addresses and ids it carries. Masked words joined by one of ``. , : - +`` are one value
(``10.0.0.1:80``, ``1.5e-3``, ``12:00:01.5``), and a group of hexadecimal letters tied by ``-`` or ``:`` to a masked one
is masked too (the ``abcd`` of a UUID). A run of blanks between words counts as one blank. Every other byte counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import I64, U8, Bools
from monitor.core.spans import mix, read_spans
from monitor.core.strings import U64, Texts

_BY_PLACE = np.uint64(0x9F3B5C6D27E1A84B)  # odd; stored models depend on these
_MASKED = np.uint64(0x5A17C0DE8E3B9F21)
_BY_BYTE = np.uint64(0xC2F1A8D34B7E6095)

_BLANK = 0x20
_ONE_BLANK = np.uint64((_BLANK + 1) * int(_BY_BYTE) & (1 << 64) - 1)  # the hash of one blank as a gap
_TOP_BITS = np.uint64(0x8080808080808080)
_TENS = np.uint64(0x0A0A0A0A0A0A0A0A)
_ZEROS = np.uint64(0x3030303030303030)  # "00000000"

_WORD = bytes(int(code > 127 or code == 0x5F or chr(code).isalnum()) for code in range(256))

_TIES = b":-"  # tie groups of hexadecimal letters together, and join masked words to one value
_JOINS = b".,+"  # join masked words

_HEX_LETTER = np.isin(np.arange(256), list(b"abcdefABCDEF"))
_LONGEST_HEX = 12
_HEX_LENGTHS = np.isin(np.arange(_LONGEST_HEX + 2), (2, 4, 8, 12))
"""Which lengths groups of UUIDs, hardware and IPv6 addresses have; the last place stands for all that are longer."""
_HEX_ROUNDS = 7
"""How far such a group may stand from a masked one: an IPv6 address has seven more groups than one."""


@dataclass(frozen=True, slots=True)
class Words:
    """Where the words of texts stand: word ``k`` is ``data[starts[k]:ends[k]]``, in order of the texts.

    The words of text ``i`` are ``bounds[i]`` to ``bounds[i + 1]``. ``gaps[k]`` bytes lie between word ``k`` and the
    next one or the end of its text. ``glue[k]`` is the byte between two words that stand one byte apart, else 0.
    """

    starts: I64  # [k]
    ends: I64  # [k]
    hashes: U64  # [k]
    masked: Bools  # [k]
    gaps: I64  # [k]
    glue: U8  # [k]
    bounds: I64  # [n + 1]


@dataclass(frozen=True, slots=True)
class Tokens:
    """What texts consist of: the template of each, and the words that are not masked."""

    templates: U64  # [n]
    words: U64  # [w] hashes, in order of the texts; their upper bits are spread evenly
    rows: I64  # [w] the text each of them stands in
    found: Words  # masked or not

    def bag(self, buckets: int) -> I64:
        """How often words of each bucket occur, [n, buckets]; ``buckets`` is a power of two."""
        cells = (self.words >> np.uint64(65 - buckets.bit_length())).view(np.int64)
        cells += self.rows * buckets
        return np.bincount(cells, minlength=len(self.templates) * buckets).reshape(-1, buckets)


def tokenise(texts: Texts) -> Tokens:
    """Split and hash texts; half a microsecond for a log message of 15 words."""
    words = find_words(texts)
    plain = np.flatnonzero(~words.masked)
    rows = np.repeat(np.arange(len(texts)), np.diff(words.bounds))
    return Tokens(_templates(texts, words), words.hashes[plain], rows[plain], words)


def text_hashes(texts: Texts) -> U64:
    """A hash of each text as it stands, values and all, [n]."""
    return mix(read_spans(texts.words, texts.starts, texts.stops - texts.starts).hash())


def masked_text(texts: Texts, row: int) -> str:
    """A text as people read its template, every value written ``<*>``. Slow: for the few that are shown."""
    words = find_words(texts)
    first, stop = int(words.bounds[row]), int(words.bounds[row + 1])
    parts, at = list[bytes](), int(texts.starts[row])
    for k in range(first, stop):
        joined = k > first and words.masked[k] and words.masked[k - 1] and words.glue[k - 1] in _TIES + _JOINS
        if not joined:
            parts += [texts.data[at : words.starts[k]]]
            parts += [b"<*>" if words.masked[k] else texts.data[words.starts[k] : words.ends[k]]]
        at = int(words.ends[k])
    parts.append(texts.data[at : int(texts.stops[row])])
    return b"".join(parts).decode("utf-8", errors="replace")


def find_words(texts: Texts) -> Words:
    """Find, hash and mask the words of all texts."""
    inside = texts.classes(_WORD)
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    edges += 1
    starts, ends = edges[::2].copy(), edges[1::2].copy()
    if inside[0]:  # there is no edge before the first byte
        starts, ends = np.concatenate(([0], ends)), starts
    bounds = np.searchsorted(starts, np.append(texts.starts, len(texts.data)))
    gaps, glue = _gaps(texts, starts, ends, bounds)
    spans = read_spans(texts.words, starts, ends - starts)
    masked = _hex_groups(texts, starts, ends, glue, spans.some(_has_digit))
    hashes = spans.hash()
    hashes[masked] = _MASKED
    return Words(starts, ends, hashes, masked, gaps, glue, bounds)


def _gaps(texts: Texts, starts: I64, ends: I64, bounds: I64) -> tuple[I64, U8]:
    """Length of the gap behind each word, and the byte that stands there if it is alone."""
    worded = np.diff(bounds) > 0
    last = bounds[1:][worded] - 1
    gaps = np.empty_like(starts)
    np.subtract(starts[1:], ends[:-1], out=gaps[:-1])
    gaps[last] = texts.stops[worded] - ends[last]
    glue = texts.codes[ends]
    glue *= gaps == 1
    glue[last] = 0
    return gaps, glue


def _one_of(some: bytes, among: U8) -> Bools:
    """Which bytes are one of a few: comparing five times is four times faster than looking up a table."""
    found: Bools = among == some[0]
    for byte in some[1:]:
        found |= among == byte
    return found


def _has_digit(x: U64) -> Bools:
    """Whether one of the 8 bytes is a digit: ``^ "0"`` brings digits below ten, and what is below ten has a borrow."""
    x = x ^ _ZEROS
    less = x - _TENS
    np.invert(x, out=x)
    x &= less
    x &= _TOP_BITS
    found: Bools = x != 0
    return found


def _hex_groups(texts: Texts, starts: I64, ends: I64, glue: U8, masked: Bools) -> Bools:
    """The masked words and those that are masked with them: hexadecimal letters tied to one of them."""
    masked = masked.copy()
    tied = _one_of(_TIES, glue[:-1])
    for _ in range(_HEX_ROUNDS):
        pairs = np.flatnonzero((masked[:-1] ^ masked[1:]) & tied)
        plain = pairs + masked[pairs]  # the one of the two that is not masked
        plain = plain[_is_hex(texts, starts[plain], ends[plain] - starts[plain])]
        if not len(plain):
            break
        masked[plain] = True
    return masked


def _is_hex(texts: Texts, starts: I64, lengths: I64) -> Bools:
    fits = np.flatnonzero(_HEX_LENGTHS.take(lengths, mode="clip"))
    place = np.arange(_LONGEST_HEX)
    letters = _HEX_LETTER[texts.codes[starts[fits, None] + place]]  # [fits, 12]; the padding allows to read on
    result = np.zeros(len(starts), dtype=np.bool_)
    result[fits] = (letters | (place >= lengths[fits, None])).all(axis=1)
    return result


def _templates(texts: Texts, words: Words) -> U64:
    """Per text a hash of its words, values masked and joined, and of the gaps between them, in order."""
    hashes, gaps, bounds = words.hashes, _hash_gaps(texts, words.ends, words.gaps), words.bounds
    joined = np.flatnonzero(words.masked[:-1] & words.masked[1:] & _one_of(_TIES + _JOINS, words.glue[:-1]))
    if len(joined):  # of values that are joined the first one stands for all, with the gap behind the last
        first, last = np.ones((2, len(hashes)), dtype=np.bool_)
        first[joined + 1] = last[joined] = False
        hashes, gaps = hashes[first], gaps[last]
        bounds = np.concatenate(([0], np.cumsum(first)))[bounds]
    gaps += hashes
    gaps += np.arange(len(hashes), dtype=np.uint64) * _BY_PLACE  # the place in the column, less that of the first word
    gaps -= np.repeat(bounds[:-1].view(np.uint64) * _BY_PLACE, np.diff(bounds))
    sums = np.zeros(len(hashes) + 1, dtype=np.uint64)
    np.cumsum(mix(gaps), out=sums[1:])  # wraps, and so do the differences
    return mix(sums[bounds[1:]] - sums[bounds[:-1]] + _leading_gaps(texts, words))


def _leading_gaps(texts: Texts, words: Words) -> U64:
    """The hash of what stands before the first word of each text, of the whole text where there is no word."""
    stops = texts.stops.copy()
    worded = np.diff(words.bounds) > 0
    stops[worded] = words.starts[words.bounds[:-1][worded]]
    return mix(_hash_gaps(texts, texts.starts, stops - texts.starts))


def _hash_gaps(texts: Texts, starts: I64, lengths: I64) -> U64:
    hashes = (texts.codes[starts] + np.uint64(1)) * _BY_BYTE
    hashes[np.flatnonzero(lengths == 0)] = 0
    long = np.flatnonzero(lengths > 1)
    spans = read_spans(texts.words, starts[long], lengths[long])
    longer = spans.hash()
    longer[spans.filled_with(_BLANK)] = _ONE_BLANK
    hashes[long] = longer
    return hashes
