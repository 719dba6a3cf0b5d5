"""One SQLite file in which progress, counters, alerts and dead letters become durable together, or not at all."""

from __future__ import annotations

from monitor.ledger.accounts import StreamAccount
from monitor.ledger.damage import Recovery
from monitor.ledger.errors import LedgerUnavailableError, ProgressError
from monitor.ledger.history import EpisodePage, ToldEpisode, Wanted
from monitor.ledger.ledger import Ledger
from monitor.ledger.outbox import Retention
from monitor.ledger.ranges import Range

__all__ = [
    "EpisodePage",
    "Ledger",
    "LedgerUnavailableError",
    "ProgressError",
    "Range",
    "Recovery",
    "Retention",
    "StreamAccount",
    "ToldEpisode",
    "Wanted",
]
