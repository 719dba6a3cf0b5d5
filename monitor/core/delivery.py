"""What a receiver of alerts may say other than yes: not now, not this one, never again.

A plain UnavailableError says that nothing was delivered and that trying again may help.
"""

from __future__ import annotations

from monitor.core.errors import AemonitorError, UnavailableError


class RetryLaterError(UnavailableError):
    """Not now; the receiver said for how many seconds it wants to be left alone."""

    def __init__(self, message: str, wait_seconds: float) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class RefusedError(UnavailableError):
    """Not one of these alerts, because of what stands in it; later ones may well be taken."""


class GoneError(UnavailableError):
    """Never again: the receiver wants no more alerts from this sink, whatever they are."""


class PartlyDeliveredError(AemonitorError):
    """Some receivers of the sink have the alerts and others do not; there is nothing to repeat.

    The message says which ones failed, so that somebody hears of it.
    """
