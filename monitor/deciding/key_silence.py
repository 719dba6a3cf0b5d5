"""Which keys of a stream have fallen silent though they are there all the time: told once, many of them as one.

Only keys that have shown to be there all the time are missed, so whoever comes and goes is not. While nobody speaks it
is the stream that is silent (see ``silence``), and no key is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from monitor.core.accounting import Memory
from monitor.core.arrays import F64, I64, Bools
from monitor.core.clock import DAY_SECONDS
from monitor.core.errors import StateError
from monitor.core.protocols import KeyedChanges
from monitor.core.records import RecordBatch
from monitor.deciding.episode import id_of, id_parts
from monitor.deciding.key_policy import KeyPolicy
from monitor.deciding.presence import EXPECTED, ID, SINCE, TOLD_AT, Presence
from monitor.deciding.silence import MARGIN

GONE_SECONDS = 7 * DAY_SECONDS
"""Who has been silent for so long is not expected any more."""

SWEEP_SECONDS = 1.0
"""How often it is looked who is silent."""


class Away(NamedTuple):
    """A key that is silent: since when, by the clock (seconds since 1970), for how long, and how long it may be."""

    key: str
    since: float
    seconds: float
    limit: float


class Fallen(NamedTuple):
    """Keys that fell silent, told as one by the alert ``id``; ``rule`` suppresses it, if there is one."""

    id: str
    keys: Sequence[Away]
    rule: str = ""


class Risen(NamedTuple):
    """What the alert ``id`` told is over: of so many ``keys`` some are ``silent`` still, and are told each.

    ``limit`` is how long the one that fell silent first may be silent. ``gone``: nobody spoke, but they are not
    expected any more. ``joined``: the alert that tells it from now on.
    """

    id: str
    key: str | None
    since: float
    seconds: float
    limit: float
    keys: int = 1
    silent: int = 0
    gone: bool = False
    joined: str = ""


@dataclass(slots=True)
class KeyNews:
    """What is to be told, in order: first who fell silent, then what is over."""

    fallen: list[Fallen] = field(default_factory=list[Fallen])
    risen: list[Risen] = field(default_factory=list[Risen])


Rules = Callable[[Sequence[str]], Sequence[str]]
"""Names what suppresses the silence of each of some keys; empty: nothing."""


class KeySilence:
    """The silences of a stream's keys; what is remembered belongs to the checkpoint, so that none is told twice.

    ``rules`` are asked whenever somebody is silent for too long: a rule that is over hides nothing. ``accepted`` are
    the ids of alerts that people called benign: who is silent by one of these is not expected any more.
    """

    def __init__(
        self,
        stream: str,
        policy: KeyPolicy,
        presence: Presence,
        rules: Rules,
        accepted: Callable[[], Set[str]] = frozenset[str],
    ) -> None:
        self.policy = policy
        self.presence = presence
        self.made_by = presence.made_by
        self._stream = stream
        self._rules = rules
        self._accepted = accepted
        self._came = self._swept_at = presence.now()

    @property
    def silent(self) -> int:
        """Keys of which was told that they are silent."""
        return int((self.presence.table[:, TOLD_AT] > 0).sum())

    def hear(self, records: RecordBatch, *, complete: bool = True) -> KeyNews:
        """Records came; not ``complete``: others were passed over, and nobody knows whose."""
        news = KeyNews()
        if not self.policy.on:
            return news
        self._pass_over(complete=complete)
        places = self.presence.hear(records)
        rows = self.presence.table[places]
        if (away := self.policy.away(rows)).any():
            self.presence.begin_anew(places[away])
        back = (rows[:, TOLD_AT] > 0) | ((rows[:, SINCE] > 0) & ~rows[:, ID].any(axis=1))
        if back.any():
            self._rise(places[back], news)
        if self.presence.now() - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = self.presence.now()
            self._sweep(news)
        return news

    def _pass_over(self, *, complete: bool) -> None:
        """Time in which nobody spoke counts for a third of what a key may be silent: then it is all of them."""
        presence, now = self.presence, self.presence.now()
        passed = np.maximum(now - self._came - self.policy.limits(presence) / MARGIN, 0.0)
        presence.heard = np.minimum(presence.heard + passed, now) if complete else np.full(len(presence.keys), now)
        self._came = now

    def _sweep(self, news: KeyNews) -> None:
        """Look who is silent for too long."""
        presence = self.presence
        table, limits, quiet = presence.table, self.policy.limits(presence), presence.quiet()
        shown = self.policy.shown(presence) & (table[:, EXPECTED] == 0)
        if shown.any():
            presence.write(shown, EXPECTED, 1.0)
        late = (table[:, EXPECTED] > 0) & (table[:, TOLD_AT] == 0) & (quiet > limits)
        late &= self._unsuppressed(late, quiet, limits, news)
        if (quiet > limits + self.policy.hold_seconds)[late].any():
            self._fall(np.flatnonzero(late), quiet, news)
        told = table[:, TOLD_AT] > 0
        gone = told & (presence.now() - table[:, SINCE] > GONE_SECONDS)
        if told.any() and (accepted := self._accepted()):
            gone[told] |= [id_of(parts) in accepted for parts in table[told, ID].tolist()]
        if gone.any():
            self._rise(np.flatnonzero(gone), news, gone=True)
            presence.forget(gone)

    def _unsuppressed(self, late: Bools, quiet: F64, limits: F64, news: KeyNews) -> Bools:
        """Which of the ``late`` ones no rule hides, [k]; the silence of others is noted once."""
        presence, shown = self.presence, late.copy()
        places = np.flatnonzero(late)
        for place, rule in zip(places.tolist(), self._rules([presence.keys[place] for place in places]), strict=True):
            if rule:
                shown[place] = False
                if not presence.table[place, SINCE]:
                    presence.write(np.array([place]), SINCE, presence.now() - quiet[place])
                    away = self._away(place, float(limits[place]))
                    news.fallen.append(Fallen(self._id(away.key, away.since), [away], rule))
        return shown

    # -- silent ------------------------------------------------------------------------------------------------

    def _fall(self, places: I64, quiet: F64, news: KeyNews) -> None:
        """These are silent for too long: each is told, or they are part of what is told of many."""
        presence, now = self.presence, self.presence.now()
        table, new = presence.table, places[presence.table[places, SINCE] == 0]
        presence.write(new, SINCE, now - quiet[new])
        near = (table[:, TOLD_AT] > 0) & (now - table[:, TOLD_AT] <= self.policy.gap_seconds)
        many = next((place for place in np.flatnonzero(near) if self._members(table[place, ID]).sum() > 1), None)
        again = table[places, ID].any(axis=1)  # it belongs to what was told of many, and spoke in between
        presence.write(places[again], TOLD_AT, now)
        places = places[~again]
        if many is not None:
            self._mark(places, table[many, ID])
        elif self.policy.storm_keys and len(places) + int(near.sum()) >= self.policy.storm_keys:
            self._fall_together(places, np.flatnonzero(near), news)
        else:
            self._fall_apart(places, news)

    def _fall_apart(self, places: I64, news: KeyNews) -> None:
        limits = self.policy.limits(self.presence)
        for place in places.tolist():
            away = self._away(place, float(limits[place]))
            told_by = self._id(away.key, away.since)
            self._mark(np.array([place]), np.array(id_parts(told_by)))
            news.fallen.append(Fallen(told_by, [away]))

    def _fall_together(self, places: I64, told: I64, news: KeyNews) -> None:
        """All of them are one, also those who were ``told`` each, just now."""
        limits, everyone = self.policy.limits(self.presence), np.concatenate([told, places])
        aways = [self._away(place, float(limits[place])) for place in everyone.tolist()]
        told_by = self._id(None, min(away.since for away in aways))
        for place, away in zip(told.tolist(), aways, strict=False):
            before = id_of(self.presence.table[place, ID].tolist())
            news.risen.append(Risen(before, away.key, away.since, away.seconds, away.limit, joined=told_by))
        self._mark(everyone, np.array(id_parts(told_by)))
        news.fallen.append(Fallen(told_by, aways))

    def _mark(self, places: I64, told_by: F64) -> None:
        self.presence.write(places, ID, told_by)
        self.presence.write(places, TOLD_AT, self.presence.now())

    # -- and no longer -----------------------------------------------------------------------------------------

    def _rise(self, places: I64, news: KeyNews, *, gone: bool = False) -> None:
        """These are silent no longer, or ``gone``: what was told of them is over, unless many others still are."""
        presence = self.presence
        told = presence.table[places, ID].any(axis=1)
        presence.write(places[~told], SINCE, 0.0)
        presence.write(places, TOLD_AT, 0.0)
        for told_by in np.unique(presence.table[places[told], ID], axis=0):
            members = self._members(told_by)
            silent = np.flatnonzero(members & (presence.table[:, TOLD_AT] > 0))
            if members.sum() > 1 and len(silent) >= max(1, self.policy.storm_keys):
                continue
            news.risen.append(self._risen(members, len(silent), gone=gone))
            presence.write(members, ID, 0.0)
            over = members.copy()
            over[silent] = False
            presence.write(over, SINCE, 0.0)
            self._fall_apart(silent, news)

    def _risen(self, members: Bools, silent: int, *, gone: bool) -> Risen:
        presence, places = self.presence, np.flatnonzero(members)
        first = int(places[presence.table[places, SINCE].argmin()])
        away = self._away(first, float(self.policy.limits(presence)[first]))
        key = presence.keys[places[0]] if len(places) == 1 else None
        told_by = id_of(presence.table[places[0], ID].tolist())
        return Risen(told_by, key, away.since, away.seconds, away.limit, len(places), silent, gone)

    def _members(self, told_by: F64) -> Bools:
        """Who is in what that alert told, [k]."""
        members: Bools = (self.presence.table[:, ID] == told_by).all(axis=1)
        return members

    def _away(self, place: int, limit: float) -> Away:
        since = float(self.presence.table[place, SINCE])
        return Away(self.presence.keys[place], since, self.presence.now() - since, limit)

    def _id(self, key: str | None, since: float) -> str:
        """The same for the same silence, whoever tells of it when; without a key of many."""
        name = "\0many" if key is None else key
        text = f"{self._stream}\0key silence\0{name}\0{since!r}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=16).hexdigest()

    # -- the checkpoint ----------------------------------------------------------------------------------------

    def keyed_state(self) -> Mapping[str, Any]:
        return self.presence.keyed_state()

    def keyed_changes(self) -> KeyedChanges:
        return self.presence.keyed_changes()

    def take_over(self, memory: Memory) -> str | None:
        """Go on with what was remembered; why that cannot be, if it cannot, or if nothing is told of keys any more."""
        self._came = self.presence.now()
        if self.policy.on:
            return self.presence.take_over(memory)
        try:
            held = memory.state().get("keys")
        except StateError as error:
            return str(error)
        return "nothing is told of the silence of keys" if held else None
