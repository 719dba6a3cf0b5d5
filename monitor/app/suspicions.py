"""The records that a training left out because they are probably not benign: for a person who can look them up."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from monitor.app.places import Places
from monitor.core.printable import printable
from monitor.training.trimming import Suspect

SHOWN = 10
"""So many are listed for a person, the worst first; ``--json`` has all of them."""


class Suspicion(msgspec.Struct, frozen=True):
    """Where the record stands, what it would have been used for, and why it was not.

    ``times`` is its error in units of the median one, ``feature`` where most of that lies.
    """

    path: str
    line: int
    offset: int
    part: str
    times: float
    feature: str

    def text(self) -> str:
        """For a person."""
        return f"{printable(self.path)}:{self.line}: {self.times:.3g} times the usual error, most in {self.feature}"


def suspicions(suspects: Sequence[Suspect], places: Places, count: int) -> tuple[Suspicion, ...]:
    """The suspects among the newest ``count`` records, with the places where they stand."""
    return tuple(_placed(suspect, places, count) for suspect in suspects)


def listing(suspects: Sequence[Suspicion]) -> list[str]:
    """Lines of a report for a person; none without suspects."""
    if not suspects:
        return []
    held_out = sum(suspect.part != "train" for suspect in suspects)
    lines = [f"  suspected  records left out (model.trim): {len(suspects):,}, of them held out: {held_out:,}"]
    lines += [f"             {suspect.text()}" for suspect in suspects[:SHOWN]]
    return lines + (
        [f"             and {len(suspects) - SHOWN:,} more; --json lists all"] if len(suspects) > SHOWN else []
    )


def _placed(suspect: Suspect, places: Places, count: int) -> Suspicion:
    place = places.of(suspect.row, count)
    return Suspicion(place.path, place.line, place.offset, suspect.part, suspect.times, suspect.feature)
