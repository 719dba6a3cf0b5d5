"""What people look at and say, as whoever composes the program provides it: the pages and the API ask nobody else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from monitor.core.alerts import Alert
from monitor.core.errors import NoInputError
from monitor.ledger import Wanted
from monitor.telemetry import StreamOverview
from monitor.web.api.answers import Detail, Episodes, Feedback, Label


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The records before and after an alert's, in order, or why there are none to show."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    note: str = ""


class Desk(Protocol):
    """Every method may block for a few tenths of a second and may be called by several threads at a time.

    All of them raise AemonitorError where the state directory cannot be used.
    """

    def episodes(self, wanted: Wanted) -> Episodes:
        """A page of what was told, newest first."""
        ...

    def detail(self, alert_id: str) -> Detail | None:
        """One alert; None: there is none, or it is forgotten."""
        ...

    def surroundings(self, alert: Alert) -> Surroundings:
        """What stands around its record, without secrets, if the file still has it and it may be read."""
        ...

    def say(self, alert_id: str, feedback: Feedback, by: str) -> Label:
        """Keep what a person says of an alert, durable when this returns.

        Raises:
            NoInputError: there is no such alert.
        """
        ...

    def sign_of_drift(self, stream: StreamOverview) -> str | None:
        """The plainest sign that a stream's model no longer fits; None where there is none."""
        ...


class EmptyDesk:
    """Where nothing has been told."""

    def episodes(self, wanted: Wanted) -> Episodes:  # noqa: ARG002
        return Episodes([], None)

    def detail(self, alert_id: str) -> Detail | None:  # noqa: ARG002
        return None

    def surroundings(self, alert: Alert) -> Surroundings:  # noqa: ARG002
        return Surroundings()

    def say(self, alert_id: str, feedback: Feedback, by: str) -> Label:  # noqa: ARG002
        raise NoInputError(f"there is no alert {alert_id}")

    def sign_of_drift(self, stream: StreamOverview) -> str | None:  # noqa: ARG002
        return None
