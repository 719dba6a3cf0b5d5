"""The sentences that tell of many keys at once."""

from __future__ import annotations

from monitor.core.printable import printable

EXACT = 50
"""More keys than that are estimated."""


def gather(stream: str, keys: int, count: int, since: str | None, seconds: float, mostly: str = "") -> str:
    """What leads the sentence of the worst record, printable.

    ``web: about 412 keys are anomalous since 2026-11-22T03:12:00Z (1,204 records in 5 s), mostly status; worst ``
    """
    begun = f" since {since}" if since else ""
    field = f", mostly {printable(mostly)}" if mostly else ""
    records = f"{count:,} records in {seconds:,.0f} s"
    return f"{printable(stream)}: {_about(keys)} keys are anomalous{begun} ({records}){field}; worst "


def example(stream: str, key: str | None, summary: str) -> str:
    """The sentence of one record of many, ``summary``, with its key in place of the stream."""
    name = "a record without a key" if key is None else printable(key)
    return f"{name}: {summary.removeprefix(f'{printable(stream)}: ')}"


def subside(stream: str, keys: int, count: int, seconds: float, peak: float) -> str:
    """The sentence that tells the end, printable."""
    return (
        f"{printable(stream)}: no longer many at once, after {count:,} anomalous records of {_about(keys)} keys "
        f"within {seconds:,.0f} s (highest score {peak:.3g})"
    )


def merge(stream: str, key: str | None, episode_id: str) -> str:
    """The sentence that tells of an episode that it goes on as a part of another."""
    whose = "" if key is None else f" {printable(key)}"
    return f"{printable(stream)}{whose}: one of many that are anomalous, told as {episode_id[:8]} from now on"


def _about(keys: int) -> str:
    return f"{keys}" if keys <= EXACT else f"about {keys:,}"
