"""Replay: what the new model would have told of the newest day is what it promises, and where it differs is shown."""

from __future__ import annotations

import msgspec
import numpy as np

from monitor.app.gates.contest import Contest
from monitor.app.places import Places
from monitor.core.arrays import I64
from monitor.core.clock import SystemClock
from monitor.core.limit import Limit, two_digits
from monitor.core.printable import printable
from monitor.core.rows import take
from monitor.deciding.episode import Policy
from monitor.deciding.episodes import Episodes
from monitor.deciding.promise import expected, most
from monitor.model.trials import Gate

MOST_FALSE = 0.2
"""A model that alerts on more of the replayed benign records is of no use to anyone, whatever it promises."""

SHOWN = 5
"""Records of each kind that are named."""


class Disagreement(msgspec.Struct, frozen=True):
    """A replayed record on which only one of both models alerts; ``new`` and ``old`` are its scores."""

    path: str
    line: int
    new: float
    old: float

    def text(self) -> str:
        """For a person."""
        return f"{printable(self.path)}:{self.line}: scores {self.new:.3g} now, {self.old:.3g} with the one in use"


class Disagreements(msgspec.Struct, frozen=True):
    """How many replayed records alert with both models or with one alone, and the plainest of the latter."""

    both: int
    only_new: int
    only_old: int
    shown: tuple[Disagreement, ...]


def gate(contest: Contest) -> Gate:
    """Alerts of the replayed records, near ones of a key being one where days are known, against the promise."""
    replay, count = contest.replay, len(contest.day)
    share = float(replay.alerts.mean())
    if share > MOST_FALSE:
        told = f"it alerts on {share:.0%} of {count:,} benign records replayed; raise alert.threshold"
        return Gate("replay", False, told, share, MOST_FALSE)
    promise = contest.candidate.promise
    if promise is None:
        told = f"it alerts on {share:.2%} of {count:,} benign records replayed; nothing is promised of this threshold"
        return Gate("replay", True, told, share, MOST_FALSE)
    came = _came(contest, promise)
    allowed = most(promise, count)
    unit = "alerts" if promise.daily is None else "episodes"
    told = (
        f"{came:,} {unit} in {count:,} benign records replayed, {two_digits(expected(promise, count))} expected, "
        f"{allowed:,} at most"
    )
    return Gate("replay", came <= allowed, told, came, allowed)


def _came(contest: Contest, promise: Limit) -> int:
    rows = np.flatnonzero(contest.replay.alerts)
    if promise.daily is None or not len(rows):
        return len(rows)
    return Episodes(Policy(contest.stream.alert.episode_gap_seconds), SystemClock()).begun(take(contest.day, rows))


def disagreements(contest: Contest, places: Places) -> Disagreements | None:
    """Where both models differ; None without one in use."""
    old = contest.champions_replay
    if old is None:
        return None
    new = contest.replay
    only_new, only_old = np.flatnonzero(new.alerts & ~old.alerts), np.flatnonzero(old.alerts & ~new.alerts)
    apart = np.abs(new.scores - old.scores)

    def told(rows: I64) -> list[Disagreement]:
        shown = rows[np.argsort(-apart[rows], kind="stable")[:SHOWN]]
        return [_placed(contest, places, int(row), float(new.scores[row]), float(old.scores[row])) for row in shown]

    both = int((new.alerts & old.alerts).sum())
    return Disagreements(both, len(only_new), len(only_old), (*told(only_new), *told(only_old)))


def _placed(contest: Contest, places: Places, row: int, new: float, old: float) -> Disagreement:
    place = places.of(int(contest.newest[row]), len(contest.records))
    return Disagreement(place.path, place.line, new, old)
