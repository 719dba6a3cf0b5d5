"""How much a character of a text tells of the next one: much in words, names and addresses, nothing in random ids."""

from __future__ import annotations

import numpy as np

from monitor.core.arrays import I64, Column
from monitor.core.strings import pieces
from monitor.encoders._characters import CLASS_BITS, Characters
from monitor.encoders._neighbours import Neighbours

MOST_TEXTS, MOST_BYTES = 2000, 1024
"""So many texts, and of each so many bytes, tell it to a percent."""

_CLASSES = 1 << CLASS_BITS


def predictability(present: Column) -> float:
    """The share of the rarity of a character that the one before it takes away; 1: all of it, 0 or less: nothing.

    Learned from every other text and judged on the rest, so that it is no matter of chance.

    Args:
        present: texts [n], none missing; fewer than two tell nothing.
    """
    if len(present) < 2:
        return 0.0
    some = present.slice(0, MOST_TEXTS)
    rows = np.arange(len(some))
    learned, judged = _characters(some.take(rows[::2])), _characters(some.take(rows[1::2]))
    pairs = Neighbours.learn(learned, len(rows[::2]))
    alone = -np.log10((_counts(learned) + 1) / (_counts(learned).sum() + _CLASSES)) @ _counts(judged)
    behind = sum(int((pairs.measure(part).rarities[:, 0] * _lengths(part)).sum()) for part in judged) / 100
    return 1.0 - behind / float(alone)


def _characters(texts: Column) -> list[Characters]:
    return [Characters.of(piece) for _, piece in pieces(texts, MOST_BYTES)]


def _counts(parts: list[Characters]) -> I64:
    """How often each class of characters occurs, [_CLASSES]."""
    return sum((np.bincount(part.classes, minlength=_CLASSES) for part in parts), np.zeros(_CLASSES, dtype=np.int64))


def _lengths(part: Characters) -> I64:
    """Characters of each text, its end included, [n]."""
    return part.piece.stops - part.piece.starts + 1
