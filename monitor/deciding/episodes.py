"""Alerts of one key that follow each other closely are one episode: what a person is told about, once.

However alerts are cut into batches, the episodes are the same.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from monitor.core.errors import StateError

STATE_VERSION = 1

MAX_KEYS = 10_000
"""Episodes that are open at a time; beyond, the one that alerted longest ago ends."""


@dataclass(frozen=True, slots=True)
class Episode:
    """Alerts of one key. Times in seconds; ``peak`` is the highest score, ``last`` the time of the newest alert.

    Records may come late: ``last`` need not be the ``end``.
    """

    key: str | None
    start: float
    end: float
    last: float
    count: int
    peak: float

    def joined(self, time: float, score: float) -> Episode:
        """The same with one more alert."""
        return replace(
            self,
            start=min(self.start, time),
            end=max(self.end, time),
            last=time,
            count=self.count + 1,
            peak=max(self.peak, score),
        )


class Episodes:
    """The open episodes of a stream. An alert joins that of its key if it is at most ``gap_seconds`` from the last one.

    Earlier or later: one record from a clock that is years ahead is an episode of its own, and silences nobody.
    """

    def __init__(self, gap_seconds: float, max_keys: int = MAX_KEYS) -> None:
        self._gap_seconds = gap_seconds
        self._max_keys = max_keys
        self._open: OrderedDict[str | None, Episode] = OrderedDict()  # the key that alerted last stands last
        self._ended: list[Episode] = []

    def add(self, times: Iterable[float], keys: Iterable[str | None], scores: Iterable[float]) -> list[Episode]:
        """The episode of each alert as it stands with this alert; with the first one its ``count`` is 1.

        Args:
            times: when each alert happened, finite: the event time, or where it is unknown the time of reading.
            keys: of each alert; None for all of a stream without keys.
            scores: of each alert, finite.
        """
        return [self._add(time, key, score) for time, key, score in zip(times, keys, scores, strict=True)]

    def ended(self, now: float) -> list[Episode]:
        """The episodes that ended since the last call: quiet for more than the gap, or made to end by others.

        ``now`` is a time before which no more alerts are expected, by the same clock as theirs. What was asked for
        earlier does not change what alerts join, unless they come later than promised.
        """
        for episode in [open_ for open_ in self._open.values() if not self._near(open_, now)]:
            self._end(episode.key)
        ended, self._ended = self._ended, []
        return ended

    def state(self) -> dict[str, Any]:
        """The open episodes as JSON data, to be made durable with the progress they belong to; after ``ended``."""
        return {"version": STATE_VERSION, "open": msgspec.to_builtins(list(self._open.values()))}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state`` gave out.

        Raises:
            StateError: it is no such thing; nothing is changed then.
        """
        episodes = _checked(state)
        self._open = OrderedDict((episode.key, episode) for episode in episodes)
        self._ended = []
        self._forget()

    def _add(self, time: float, key: str | None, score: float) -> Episode:
        known = self._open.get(key)
        if known is not None and not self._near(known, time):
            self._end(key)
            known = None
        episode = known.joined(time, score) if known else Episode(key, time, time, time, 1, score)
        self._open[key] = episode
        self._open.move_to_end(key)
        self._forget()
        return episode

    def _near(self, episode: Episode, time: float) -> bool:
        return abs(time - episode.last) <= self._gap_seconds

    def _end(self, key: str | None) -> None:
        self._ended.append(self._open.pop(key))

    def _forget(self) -> None:
        while len(self._open) > self._max_keys:
            self._end(next(iter(self._open)))


def _checked(state: Mapping[str, Any]) -> Sequence[Episode]:
    if state.get("version") != STATE_VERSION:
        raise StateError(f"open episodes: version {state.get('version')!r} is not {STATE_VERSION}")
    try:
        episodes = msgspec.convert(state.get("open"), list[Episode])
    except msgspec.ValidationError as error:
        raise StateError(f"open episodes: {error}") from error
    if not all(math.isfinite(number) for e in episodes for number in (e.start, e.end, e.last, e.peak)):
        raise StateError("open episodes: a time or a score is not finite")
    return episodes
