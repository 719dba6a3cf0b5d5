"""The sentences that tell of many keys at once."""

from __future__ import annotations

from monitor.core.printable import printable

KEYS, FIELDS = "keys", "fields"
"""What there are many of: keys or, in a stream without, fields to blame."""

SETTLED = (
    "perhaps how it is now (if so, retrain with newer records or label this benign; nothing more is told until it is "
    "over, unless it gets much worse)"
)

EXACT = 50
"""More keys than that are estimated."""


def gather(
    stream: str,
    keys: int,
    count: int,
    since: str | None,
    seconds: float,
    mostly: str = "",
    *,
    unit: str = KEYS,
    settled: bool = False,
) -> str:
    """What leads the sentence of the worst record, printable; ``settled``: it has lasted so long that it may stay so.

    ``web: about 412 keys are anomalous since 2026-11-22T03:12:00Z (1,204 records in 5 s), mostly status; worst ``
    """
    begun = f" since {since}" if since else ""
    field = f", mostly {printable(mostly)}" if mostly else ""
    records = f"{count:,} records in {seconds:,.0f} s"
    stays = f", {SETTLED}" if settled else ""
    return f"{printable(stream)}: {_about(keys)} {unit} are anomalous{begun} ({records}){field}{stays}; worst "


def example(stream: str, key: str | None, summary: str, *, unit: str = KEYS) -> str:
    """The sentence of one record of many, ``summary``, with its key in place of the stream."""
    name = "a record without a key" if key is None else printable(key)
    own = summary.removeprefix(f"{printable(stream)}: ")
    return own if unit == FIELDS else f"{name}: {own}"


def subside(stream: str, keys: int, count: int, seconds: float, peak: float, *, unit: str = KEYS) -> str:
    """The sentence that tells the end, printable."""
    return (
        f"{printable(stream)}: no longer many at once, after {count:,} anomalous records of {_about(keys)} {unit} "
        f"within {seconds:,.0f} s (highest score {peak:.3g})"
    )


def merge(stream: str, key: str | None, episode_id: str) -> str:
    """The sentence that tells of an episode that it goes on as a part of another."""
    whose = "" if key is None else f" {printable(key)}"
    return f"{printable(stream)}{whose}: one of many that are anomalous, told as {episode_id[:8]} from now on"


def _about(keys: int) -> str:
    return f"{keys}" if keys <= EXACT else f"about {keys:,}"
