"""One episode: alerts of a key that are close in time, and the rule by which a person is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np

from monitor.core.arrays import F64, I64, Bools

CRITICAL_RATIO = 3.0
"""A score this many times its limit is critical, not a warning."""

NOT_TOLD, WARNING, CRITICAL = 0, 1, 2

ID_DIGITS = 8
"""Hex digits of an id that one number holds."""

ID_NUMBERS = 4

NOBODY = "0" * 32
"""Stands for the id of an alert that is not told."""


def worths(scores: F64, limits: F64) -> I64:
    """How bad scores above their limits are, [m]: WARNING or CRITICAL."""
    return np.where(scores >= CRITICAL_RATIO * limits, CRITICAL, WARNING)


def severity(score: float, limit: float) -> str:
    """The same of one score, in a word: ``warning`` or ``critical``."""
    return "critical" if worths(np.array([score]), np.array([limit]))[0] == CRITICAL else "warning"


class Episode(NamedTuple):
    """Alerts of one key so far, or of one that is over: ``alerts`` is 0 then.

    Times in seconds since 1970; records may come late, so ``last``, the time of the newest alert, need not be ``end``.
    ``peak`` is the highest score. ``told`` is the severity it was told with. ``bar`` is the highest score that was told
    of the key before, at the time ``bar_at``. ``waits_until``, if it is not 0, is when the sinks get that alert, unless
    it turns out before that it is one of many. ``spells`` episodes of the key were told since ``spell_at``; ``changed``
    is 1 where these, or this one, last for so long that this is how things are now. ``id`` is that of the alert that
    told it, in numbers of 32 bits.
    """

    start: float = 0.0
    end: float = 0.0
    last: float = 0.0
    alerts: float = 0
    peak: float = 0.0
    told: float = NOT_TOLD
    bar: float = 0.0
    bar_at: float = 0.0
    waits_until: float = 0.0
    spells: float = 0
    spell_at: float = 0.0
    changed: float = 0
    id: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)

    @property
    def going_on(self) -> bool:
        """Whether somebody was told of it, and not yet that it is over."""
        return self.alerts > 0 and self.told > NOT_TOLD

    @property
    def may_change(self) -> bool:
        """Whether it was told, and not yet as a change of regime."""
        return self.told > NOT_TOLD and not self.changed

    @property
    def alert_id(self) -> str:
        """The id of the alert that told it."""
        return id_of(self.id)

    def joined(self, times: F64, scores: F64) -> Episode:
        """The same with some more alerts, [m] > 0."""
        first = self.alerts == 0
        return self._replace(
            start=float(times.min()) if first else min(self.start, float(times.min())),
            end=float(times.max()) if first else max(self.end, float(times.max())),
            last=float(times[-1]),
            alerts=self.alerts + len(times),
            peak=max(self.peak, float(scores.max())),
        )

    def numbers(self) -> list[float]:
        """All of it, as a memory keeps it."""
        return [*self[:-1], *self.id]


def of_numbers(numbers: Sequence[float]) -> Episode:
    """The episode that gave out these numbers."""
    parts = list(map(float, numbers))
    return Episode._make([*parts[:-ID_NUMBERS], tuple(parts[-ID_NUMBERS:])])


def lasts_of(numbers: F64) -> F64:
    """When each of some episodes, [k, numbers], alerted last; long ago where it never did, [k]."""
    last, alerts, told = (numbers[:, Episode._fields.index(name)] for name in ("last", "alerts", "told"))
    lasts: F64 = np.where((alerts > 0) | (told > NOT_TOLD), last, -np.inf)
    return lasts


class Ids(Protocol):
    """The ids of some alerts, each worked out when it is asked for."""

    def __getitem__(self, place: int, /) -> str: ...


class Alerting(NamedTuple):
    """Alerts in order, [m] each: their rows in the batch, times, scores (finite), the limits that these exceed, ids."""

    rows: I64
    times: F64
    scores: F64
    limits: F64
    ids: Ids

    def at(self, places: I64) -> Alerting:
        """Some of them, [k]."""
        ids = _SomeIds(self.ids, places)
        return Alerting(self.rows[places], self.times[places], self.scores[places], self.limits[places], ids)


@dataclass(frozen=True, slots=True)
class _SomeIds:
    ids: Ids
    places: I64

    def __getitem__(self, place: int, /) -> str:
        return self.ids[int(self.places[place])]


Kind = Literal["begun", "worse", "over", "joined"]


class Telling(NamedTuple):
    """Something to tell a person: that an episode has begun, is worse than it was told, or over, or joined a storm.

    ``row`` is that of the alert by which it is known, which is another episode's where this one is over.
    """

    row: int
    episode: Episode
    kind: Kind = "begun"

    @property
    def over(self) -> bool:
        """Whether nothing more will be told of it."""
        return self.kind in ("over", "joined")


@dataclass(frozen=True, slots=True)
class Policy:
    """When alerts are one episode, and when it is told.

    ``gap_seconds``: an alert belongs to the episode if it is at most so far from the one before it. ``fire_after``: it
    is told from so many alerts on. ``half_life_seconds``: when it is over, the next one of the key is told only if it
    scores higher, and what counts as higher sinks to the limit by half in each such time; 0: every one is told.
    ``storm_keys``: so many keys told of within the gap are a storm (0: never). ``hold_seconds``, at most the gap: when
    somebody was told of a key, the next keys wait for so long to see whether they are many. ``regime_after`` episodes
    of a key told within ``regime_seconds``, or one that lasts for so long, are a change of regime (0: never): told as
    such, and over when the key is quiet for so long.
    """

    gap_seconds: float = 300.0
    fire_after: int = 1
    half_life_seconds: float = 0.0
    storm_keys: int = 0
    hold_seconds: float = 0.0
    regime_after: int = 0
    regime_seconds: float = 86_400.0

    def quiet_seconds(self, episode: Episode) -> float:
        """For how long a key must be quiet for its episode to be over."""
        return max(self.gap_seconds, self.regime_seconds) if episode.changed else self.gap_seconds

    def take(self, episode: Episode, alerts: Alerting) -> tuple[Episode, int, list[Telling]]:
        """Alerts [m] > 0 of a key whose last episode is given.

        Returns:
            The last episode after them, how many began, and what is to be told, in order.
        """
        begun, tellings = 0, list[Telling]()
        for stretch in self._stretches(alerts):
            if not self._joins(episode, stretch.times[0]):
                begun += 1
                if episode.going_on:
                    tellings.append(Telling(int(stretch.rows[0]), episode, "over"))
                episode = self._after(episode, float(stretch.times[0]), float(stretch.limits[0]))
            episode, told = self._follow(episode, stretch)
            tellings += told
        return episode, begun, tellings

    def _stretches(self, alerts: Alerting) -> list[Alerting]:
        """The alerts [m] > 0 of a key, cut into those of one episode each; the first may go on with an earlier one.

        A stretch is apart from the one before it, earlier or later: one record from a clock that is years ahead is an
        episode of its own, and silences nobody.
        """
        apart = np.abs(np.diff(alerts.times)) > self.gap_seconds
        return [alerts.at(each) for each in np.split(np.arange(len(alerts.times)), np.flatnonzero(apart) + 1)]

    def _joins(self, episode: Episode, time: float) -> bool:
        """Whether an alert belongs to the episode."""
        return episode.alerts > 0 and abs(time - episode.last) <= self.quiet_seconds(episode)

    def _after(self, before: Episode, time: float, limit: float) -> Episode:
        """The next episode of a key, at ``time`` and with nothing in it, after ``before`` is over."""
        spells, spell_at = self._spells(before, time)
        bar, bar_at = before.bar, before.bar_at
        if before.told:
            bar = max(float(self._bars(before, np.array([before.last]), np.array([limit]))[0]), before.peak)
            bar_at = before.last
        return Episode(bar=bar, bar_at=bar_at, spells=spells, spell_at=spell_at)

    def storm(self, before: Episode, time: float, told_by: tuple[float, ...]) -> Episode:
        """The episode of many keys that begins at ``time``, with nothing in it, after the one before."""
        spells, spell_at = self._spells(before, time)
        return self._begun(Episode(told=CRITICAL, spells=spells, spell_at=spell_at), told_by)

    def _spells(self, before: Episode, time: float) -> tuple[float, float]:
        """How many episodes were told of late, and since when, at the beginning of another."""
        goes_on = before.spells and not before.changed and abs(time - before.spell_at) <= self.regime_seconds
        return (before.spells, before.spell_at) if goes_on else (0, time)

    def _bars(self, episode: Episode, times: F64, limits: F64) -> F64:
        """What a score has to exceed for its episode to be told, [m]: at least the limit."""
        if not self.half_life_seconds:
            return limits
        lives = np.maximum(times - episode.bar_at, 0.0) / self.half_life_seconds
        bars: F64 = limits + np.maximum(episode.bar - limits, 0.0) * np.exp2(-lives)
        return bars

    def _follow(self, episode: Episode, alerts: Alerting) -> tuple[Episode, list[Telling]]:
        """The episode after some more alerts of it, [m] > 0, and when it is told.

        That is by the first one that may, by the first critical one after a warning, and once when it is a new regime.
        """
        told, tellings, begin = episode, list[Telling](), 0
        counts = episode.alerts + 1 + np.arange(len(alerts.times))
        worth = worths(alerts.scores, alerts.limits)
        may = (counts >= self.fire_after) & (alerts.scores > self._bars(episode, alerts.times, alerts.limits))
        worth[~may], lasts = NOT_TOLD, self.lasts(episode, alerts.times)
        while (place := first((worth > told.told) | (lasts & told.may_change), begin)) is not None:
            begin = place + 1
            kind: Kind = "worse" if told.told else "begun"
            told = self._begun(told, id_parts(alerts.ids[place])) if kind == "begun" else told
            told = told._replace(
                told=max(told.told, float(worth[place])),
                changed=float(told.changed or (lasts[place] and kind == "worse")),
            )
            standing = told.joined(alerts.times[:begin], alerts.scores[:begin])
            tellings.append(Telling(int(alerts.rows[place]), standing, kind))
        return told.joined(alerts.times, alerts.scores), tellings

    def _begun(self, episode: Episode, told_by: tuple[float, ...]) -> Episode:
        """The episode now that it is told for the first time."""
        changed = self.regime_after and episode.spells + 1 >= self.regime_after
        return episode._replace(id=told_by, spells=episode.spells + 1, changed=float(bool(changed)))

    def lasts(self, episode: Episode, times: F64) -> Bools:
        """At which of the next alerts [m] of an episode it has lasted so long that it is a change of regime."""
        if not self.regime_after:
            return np.zeros(len(times), dtype=np.bool_)
        begun = np.minimum.accumulate(times if not episode.alerts else np.minimum(times, episode.start))
        lasts: Bools = times - begun >= self.regime_seconds
        return lasts


def first(chosen: Bools, begin: int) -> int | None:
    """The first place from ``begin`` on where ``chosen`` [m] is True."""
    places = np.flatnonzero(chosen[begin:])
    return begin + int(places[0]) if len(places) else None


def id_of(parts: Sequence[float]) -> str:
    """The id that such numbers are."""
    return "".join(f"{int(part):0{ID_DIGITS}x}" for part in parts)


def id_parts(alert_id: str) -> tuple[float, ...]:
    """An id in numbers, as an episode has it."""
    return tuple(float(int(alert_id[at : at + ID_DIGITS], 16)) for at in range(0, len(alert_id), ID_DIGITS))
