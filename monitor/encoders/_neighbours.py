"""Which characters follow each other in benign texts, and how rare the ones of a text are.

Whatever an injection says, it says it in characters that stand together as in no benign text: this needs no list of
attacks. The rarity of a character is its *surprisal* given the one before, in hundredths of a ban (0.01 log10), so that
rarities add up: over a whole text, per character, and over its rarest passage.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from monitor.core.arrays import F64, I64
from monitor.core.novelty import never
from monitor.core.printable import printable
from monitor.core.strings import U64, Texts
from monitor.encoders._characters import CLASS_BITS, DIGIT, FIRST_LETTER, HIGH, Characters
from monitor.encoders._tallies import Tallies
from monitor.encoders._vocabulary import Vocabulary, restored, stored

U16: TypeAlias = npt.NDArray[np.uint16]
I16: TypeAlias = npt.NDArray[np.int16]

MEASURES = ("rarity of characters", "rarest passage")
_PASSAGES = MEASURES.index("rarest passage")

PASSAGE = 8
"""Characters of a passage, a power of two: about the length of the shortest injections."""

QUOTED = 60
"""Characters shown of a passage, escapes and all."""

_WORD_END, _WORD_START = re.compile(rb"\w{1,16}\Z"), re.compile(rb"\w{1,16}")

_CLASSES = 1 << CLASS_BITS
_PAIRS = 1 << 2 * CLASS_BITS
_RAREST = 4000  # even; the sum over a passage stays within 16 bits
_NEW = np.int16(1)

_EACH = np.arange(_CLASSES, dtype=np.uint64)
_ALIKE = np.where((_EACH >= FIRST_LETTER) & (_EACH < DIGIT), np.uint64(FIRST_LETTER), _EACH)
_KIND = (_ALIKE[:, None] << np.uint64(CLASS_BITS) | _ALIKE).ravel()
"""What a pair of characters is when letters are all alike, as a number, [_PAIRS]."""
_MARKED = ((_EACH[:, None] >= HIGH) | (_EACH >= HIGH)).ravel()
"""Which pairs have a mark, a control character or a non-ASCII byte in them: few enough to know every one."""


class Measured(NamedTuple):
    """The rarities of n texts in the order of MEASURES, and their new kinds of pairs with the texts they stand in."""

    rarities: I64  # [n, 2]
    kinds: U64  # [m]
    rows: I64  # [m]


@dataclass(frozen=True)
class Neighbours:
    """How often benign texts showed each pair, [_PAIRS], and the kinds of marked pairs; None where they say nothing.

    ``rarities`` are the benign texts' own.
    """

    counts: I64
    kinds: Vocabulary | None
    rarities: Tallies

    @classmethod
    def learn(cls, pieces: Sequence[Characters], records: int) -> Neighbours:
        """From benign texts, at least one."""
        counts, (first, last) = np.zeros(_PAIRS, dtype=np.int64), np.full((2, _PAIRS), -1)
        before = 0
        for characters in pieces:
            pairs = _pairs(characters)
            counts += np.bincount(pairs, minlength=_PAIRS)
            rows = before + _rows(characters.piece, np.arange(len(pairs)))
            new = np.flatnonzero(first[pairs] < 0)[::-1]  # of several assignments the last one counts
            first[pairs[new]] = rows[new]
            last[pairs] = rows
            before += len(characters.piece)
        bare = cls(counts, _learn_kinds(first, last, records), Tallies((), (), (), (), (), records))
        measured = np.concatenate([bare.measure(characters).rarities for characters in pieces])
        return replace(bare, rarities=Tallies.learn(MEASURES, measured))

    def measure(self, characters: Characters) -> Measured:
        piece, pairs = characters.piece, _pairs(characters)
        rarity = self._surprisals.take(pairs)
        lengths = piece.stops - piece.starts + 1  # the end of a text is one of its characters
        total = np.add.reduceat(rarity, piece.starts, dtype=np.int64)
        passages = np.where(lengths <= PASSAGE, total, _rarest_passages(rarity, piece))
        new = np.flatnonzero((rarity & _NEW).astype(np.bool_))
        return Measured(np.stack((total // lengths, passages), axis=1), _KIND[pairs[new]], _rows(piece, new))

    def surprise(self, measured: Measured) -> F64:
        """How surprising the rarest passage of each text is, [n].

        One that is rarer than every benign one by a ban is ten times as unlikely, as far as any evidence goes.
        """
        beyond = np.maximum(measured.rarities[:, _PASSAGES] - self.rarities.high[_PASSAGES], 0)
        bans, bound = beyond / 100.0, never(self.rarities.records)
        return bans * bound / (bans + bound)

    def rarest_passage(self, characters: Characters) -> str:
        """The passage of the first text that is rarest, with the whole of the words at its ends, as it may be shown."""
        text = characters.piece.data[: characters.piece.stops[0]]
        rarity = self._surprisals.take(_pairs(characters))[: len(text)].astype(np.int64)
        sums = np.cumsum(np.concatenate((np.zeros(1, dtype=np.int64), rarity)))
        start = int((sums[PASSAGE:] - sums[:-PASSAGE]).argmax()) if len(text) > PASSAGE else 0
        stop = start + PASSAGE
        before, behind = _WORD_END.search(text, 0, start), _WORD_START.match(text, stop)
        start, stop = before.start() if before else start, behind.end() if behind else stop
        return printable(text[start:stop].decode("utf-8", errors="ignore"), QUOTED)

    def state(self) -> dict[str, Any]:
        known = np.flatnonzero(self.counts)
        many = np.minimum(self.counts[known], 2**32 - 1)
        return {
            "pairs": base64.b64encode(known.astype("<u2").tobytes()).decode("ascii"),
            "counts": base64.b64encode(many.astype("<u4").tobytes()).decode("ascii"),
            "kinds": stored(self.kinds),
            "rarities": self.rarities.state(),
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Neighbours:
        counts = np.zeros(_PAIRS, dtype=np.int64)
        known = np.frombuffer(base64.b64decode(state["pairs"], validate=True), dtype="<u2")
        counts[known] = np.frombuffer(base64.b64decode(state["counts"], validate=True), dtype="<u4")
        return cls(counts, restored(state["kinds"]), Tallies.restore(state["rarities"]))

    @cached_property
    def _surprisals(self) -> I16:
        """Of each pair, [_PAIRS], in hundredths of a ban: -log10 of the second one's chance behind the first.

        Witten and Bell (1991), method C: what was never seen behind a character is as likely as new things were there,
        and goes by how frequent it is anywhere. All are even but those of a kind never seen: one look tells both.
        """
        seen = self.counts.reshape(_CLASSES, _CLASSES).astype(np.float64)
        anywhere = (seen.sum(axis=0) + 1) / (seen.sum() + _CLASSES)
        different = (seen > 0).sum(axis=1, keepdims=True) + 1
        chance = (seen + different * anywhere) / (seen.sum(axis=1, keepdims=True) + different)
        surprisals: I16 = np.minimum(np.rint(-50 * np.log10(chance)) * 2, _RAREST).astype(np.int16).ravel()
        if self.kinds:
            surprisals[_MARKED & ~self.kinds.contains(_KIND)] |= _NEW
        return surprisals


def _pairs(characters: Characters) -> U16:
    """Each character with the one before it, as a number, [size]; the edge of a text is a neighbour, too."""
    classes = characters.classes
    pairs = np.zeros(len(classes), dtype=np.uint16)
    np.left_shift(classes[:-1], CLASS_BITS, out=pairs[1:], dtype=np.uint16)
    pairs |= classes
    return pairs


def _rows(piece: Texts, places: I64) -> I64:
    """The text to which each place belongs, the zero byte behind it included, [m]."""
    return np.searchsorted(piece.stops, places)


def _rarest_passages(rarity: I16, piece: Texts) -> I64:
    """The largest sum of PASSAGE neighbours in each text that has more than so many, [n]."""
    sums, reach = np.concatenate((rarity, np.zeros(PASSAGE, dtype=np.int16))), 1
    while reach < PASSAGE:
        sums = sums[:-reach] + sums[reach:]
        reach *= 2
    bounds = np.stack((piece.starts, np.maximum(piece.starts + 1, piece.stops + 2 - PASSAGE)), axis=1)
    return np.maximum.reduceat(sums, bounds.ravel())[::2].astype(np.int64)


def _learn_kinds(first: I64, last: I64, records: int) -> Vocabulary | None:
    """From the first and the last benign record that has each pair, [_PAIRS], -1 for none.

    That is all a vocabulary asks: was it there at all, and in more than one record.
    """
    found = np.flatnonzero((first >= 0) & _MARKED)
    rows = np.concatenate((first[found], last[found]))
    order = np.argsort(rows, kind="stable")
    return Vocabulary.learn(np.tile(_KIND[found], 2)[order], rows[order], records=records, most=_PAIRS)
