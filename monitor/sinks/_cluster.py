"""Receivers that are one: what one of them has is delivered, and those that are down hold up nobody."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.core.clock import Clock
from monitor.core.delivery import GoneError, PartlyDeliveredError, RefusedError, RetryLaterError
from monitor.core.errors import UnavailableError
from monitor.sinks._http import Receiver

REST_SECONDS = 30.0
"""A receiver that failed while another one took the alerts is left alone so long: it must not slow the others down."""


@dataclass
class _Member:
    """One of them. ``rests_until`` is in monotonic seconds."""

    receiver: Receiver
    rests_until: float = 0.0


class Cluster:
    """Posts to every receiver at once. Owned by one thread; ``close`` may be called twice."""

    def __init__(self, receivers: Sequence[Receiver], clock: Clock) -> None:
        self._members = [_Member(receiver) for receiver in receivers]
        self._clock = clock

    def post(self, body: bytes) -> PartlyDeliveredError | None:
        """Return when at least one has it: who does not, if that was tried.

        Raises:
            UnavailableError: nobody has it; one of ``monitor.core.delivery`` where all agree.
        """
        awake = [one for one in self._members if one.rests_until <= self._clock.monotonic()] or self._members
        answers = _asked([one.receiver for one in awake], body)
        failed = [error for error in answers if error is not None]
        if len(failed) == len(answers):
            raise _nobody(failed)
        for one, error in zip(awake, answers, strict=True):
            one.rests_until = 0.0 if error is None else self._clock.monotonic() + REST_SECONDS
        return PartlyDeliveredError(f"{_joined(failed)}; another instance has the alerts") if failed else None

    def close(self) -> None:
        for one in self._members:
            one.receiver.close()


def _asked(receivers: Sequence[Receiver], body: bytes) -> list[UnavailableError | None]:
    """What each of them says, asked in threads of their own, that end with the program even if they hang."""
    answers: list[UnavailableError | None] = [
        UnavailableError(f"{one.shown}: crashed; see the log") for one in receivers
    ]

    def ask(place: int) -> None:
        answers[place] = _tried(receivers[place], body)

    others = [threading.Thread(target=ask, args=(place,), daemon=True) for place in range(1, len(receivers))]
    for thread in others:
        thread.start()
    ask(0)
    for thread in others:
        thread.join()
    return answers


def _tried(receiver: Receiver, body: bytes) -> UnavailableError | None:
    try:
        receiver.post(body, {"Content-Type": "application/json"})
    except UnavailableError as error:
        return error
    return None


def _nobody(errors: Sequence[UnavailableError]) -> UnavailableError:
    """What all say, where all say the same; else that trying again may help."""
    telling = isinstance(errors[0], RetryLaterError | RefusedError | GoneError)
    if telling and all(type(error) is type(errors[0]) for error in errors):
        return errors[0]
    return UnavailableError(_joined(errors))


def _joined(errors: Sequence[UnavailableError]) -> str:
    return "; ".join(map(str, errors))
