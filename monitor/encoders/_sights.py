"""What is looked for in a text besides its wording, before anything is learned: counts, a category, odd characters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import I64
from monitor.core.strings import U64, Texts
from monitor.core.tokens import Tokens, tokenise
from monitor.encoders._characters import PERCENT, Characters, invisible
from monitor.encoders._escapes import unescape

INVISIBLE, ESCAPE, CATEGORY = "invisible characters", "unseen escape", "unseen extension"

NO_CATEGORY = np.uint64(0)


@dataclass(frozen=True, slots=True)
class Kind:
    """What sorts texts: ``categories`` gives each a number, NO_CATEGORY for none, and ``name`` names its column."""

    categories: Callable[[Texts, Tokens], U64] | None
    name: Callable[[int], str] = str

    @property
    def oddities(self) -> tuple[str, ...]:
        """The items of a sight that may be new, in order."""
        return (INVISIBLE, ESCAPE, CATEGORY) if self.categories else (INVISIBLE, ESCAPE)


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen in n texts.

    ``characters`` are the texts, their escapes undone. ``items`` are hashes and the texts they stand in, [m] and [m],
    for each of the kind's oddities.
    """

    characters: Characters
    tokens: Tokens
    counts: I64  # [n, len(COUNTS)]
    categories: U64  # [n]
    items: tuple[tuple[U64, I64], ...]


def look(kind: Kind, raw: Texts) -> Sight:
    """Look at texts as they came."""
    piece, escapes, escaped = unescape(raw)
    tokens, characters = tokenise(piece), Characters.of(piece)
    counts = characters.counts()
    counts[:, PERCENT] += np.bincount(escaped, minlength=len(piece))
    items = (invisible(piece), (escapes, escaped))
    if kind.categories is None:
        return Sight(characters, tokens, counts, np.full(len(piece), NO_CATEGORY), items)
    categories = kind.categories(piece, tokens)
    return Sight(characters, tokens, counts, categories, (*items, (categories, np.arange(len(piece)))))
