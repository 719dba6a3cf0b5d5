"""What became of some records as far as people are told of it: what goes into the outbox, and what is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from monitor.core.accounting import Release, Resolution
from monitor.core.alerts import Alert


class News(NamedTuple):
    """What became of some alerting records: how many episodes began with them, and what the sinks get, in this order.

    Of ``alerts`` some may be held or suppressed; ``suppressed`` is how many records are, by the rule. ``withdrawn`` are
    the ids of held alerts that no sink will get.
    """

    begun: int = 0
    alerts: Sequence[Alert] = ()
    suppressed: Mapping[str, int] = MappingProxyType({})
    withdrawn: Sequence[str] = ()
    released: Sequence[Release] = ()
    resolved: Sequence[Resolution] = ()

    @property
    def told(self) -> int:
        """How many alerts the sinks get, those that resolve one not counted."""
        return sum(alert.state == "firing" for alert in self.alerts) + len(self.released)

    def __bool__(self) -> bool:
        return any(self)

    def followed_by(self, other: News) -> News:
        """Both, one behind the other."""
        if not self or not other:  # most batches bring none
            return self or other
        return News(
            self.begun + other.begun,
            (*self.alerts, *other.alerts),
            Counter(self.suppressed) + Counter(other.suppressed),
            (*self.withdrawn, *other.withdrawn),
            (*self.released, *other.released),
            (*self.resolved, *other.resolved),
        )
