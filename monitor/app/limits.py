"""Where the limit of a stream stands, what was expected of it, what came, and how it moved; beside a running daemon."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from monitor.app.compose import load_pipeline
from monitor.app.pipeline import LIMIT
from monitor.app.streams import only_stream
from monitor.core.accounting import Counts, Memory
from monitor.core.clock import SystemClock
from monitor.core.errors import NoInputError
from monitor.ledger import Ledger
from monitor.ledger.limits import PastChange
from monitor.plugins import load_config, resolve_state_dir


class Moved(msgspec.Struct, frozen=True):
    """One change of a limit; ``time`` is RFC 3339."""

    time: str
    old: float
    new: float
    reason: str


class Standing(msgspec.Struct, frozen=True):
    """The limit of a stream now. ``expected`` is a sentence, None where nothing is known; ``changes`` newest first.

    ``records``, ``alerts`` and ``episodes`` are all that the ledger ever counted.
    """

    stream: str
    model: str
    adaptive: bool
    calibrated: float
    limit: float
    expected: str | None
    records: int
    alerts: int
    episodes: int
    changes: Sequence[Moved]


def standing(config_path: Path, stream: str | None) -> Standing:
    """How things stand with the limit of a stream; without a name the configuration must have one stream only.

    Raises:
        UsageError: there are several streams and none was named, or there is no such stream.
        TryLaterError: no model has been published yet.
    """
    config = load_config(config_path)
    name = only_stream(config, stream)
    pipeline = load_pipeline(config, name, SystemClock())
    counts, memories, changes = _kept(resolve_state_dir(config, os.environ), name)
    pipeline.take_over(memories)
    return Standing(
        stream=name,
        model=pipeline.bundle.version,
        adaptive=config.streams[name].alert.adaptive,
        calibrated=pipeline.decider.threshold,
        limit=pipeline.threshold,
        expected=None if pipeline.promise is None else pipeline.promise.text(),
        records=counts.scored,
        alerts=counts.alerts,
        episodes=counts.episodes,
        changes=[_moved(past) for past in changes],
    )


def _kept(state_dir: Path, stream: str) -> tuple[Counts, dict[str, Memory], list[PastChange]]:
    """What the ledger has of the stream; nothing where there is no ledger yet."""
    try:
        with Ledger.open(state_dir, read_only=True) as ledger:
            found = ledger.memories(stream)
            memories = {
                name: Memory(found[name].made_by, partial(dict, found[name].state())) for name in found.keys() & {LIMIT}
            }
            return ledger.counts(stream), memories, ledger.limit_changes(stream)
    except NoInputError:
        return Counts(), {}, []


def _moved(past: PastChange) -> Moved:
    time = datetime.fromtimestamp(past.time, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Moved(time, past.change.old, past.change.new, past.change.reason)


def lines(found: Standing) -> list[str]:
    """For a person: the limit, what was expected, what came, and the changes, the oldest of them first."""
    how = f"follows, calibrated at {found.calibrated:g}" if found.adaptive else "stays (alert.adaptive: false)"
    return [
        f"stream    {found.stream}, model {found.model}",
        f"limit     {found.limit:g}: {how}",
        f"expected  {found.expected or 'nothing is known of this threshold'}",
        f"came      {found.alerts:,} alerts in {found.episodes:,} episodes, of {found.records:,} records",
        *(f"{each.time}  {each.old:.4g} -> {each.new:.4g}  {each.reason}" for each in found.changes[::-1]),
    ]
