"""What is decided of some alerts: who is told of what, at once or later, or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from monitor.deciding.episode import Episode, Telling

STORM = "\0storm"
"""Stands for the key of the episode of the stream as a whole; no key of a record is remembered so."""


class Told(NamedTuple):
    """What a person is to be told of a key, now or, if it is ``held_as`` the alert of that id, when it is released.

    The ``row`` of its telling is -1 where time alone tells that an episode is over. A storm is of several ``keys``.
    """

    key: str | None
    telling: Telling
    held_as: str = ""
    keys: int = 1


class Released(NamedTuple):
    """A held telling that the sinks get now: the id of its alert, and how its episode stands."""

    key: str | None
    alert_id: str
    episode: Episode
    keys: int = 1


@dataclass(slots=True)
class Decided:
    """What some alerts, or time, bring: how many episodes began, and what is to be told, in order.

    ``released`` are told by now, and ``withdrawn``, by the ids of their alerts, never will be: they are in a storm.
    """

    begun: int = 0
    told: list[Told] = field(default_factory=list[Told])
    released: list[Released] = field(default_factory=list[Released])
    withdrawn: list[str] = field(default_factory=list[str])
