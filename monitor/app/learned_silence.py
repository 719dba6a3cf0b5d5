"""How long a stream and its keys may be silent, learned from the benign records on their way to a training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from monitor.app.silences import SECTION
from monitor.core.arrays import F64
from monitor.core.clock import Clock
from monitor.core.config import StreamConfig
from monitor.core.records import RecordBatch
from monitor.deciding.key_policy import steady_keys
from monitor.deciding.presence import Presence
from monitor.deciding.silence import longest_silence

Sections = Mapping[str, dict[str, Any]]


KEY_SECTION = ("keys", "key_seconds")
"""What is kept of keys that are there all the time: how many there are, and how long one may be silent."""


class LearnedSilence:
    """Watches batches on their way to ``gather``: all of them, since the newest may span but minutes.

    ``sampled``: they are no more than a sample.
    """

    def __init__(self, stream: StreamConfig, clock: Clock, *, sampled: bool) -> None:
        self._presence = Presence(clock, timed=True)
        self._asked = stream.key is not None and stream.time is not None and stream.alert.key_silence == "auto"
        self._sampled = sampled

    def watch(self, batches: Iterable[RecordBatch]) -> Iterator[RecordBatch]:
        """The same batches, in the order of event time."""
        for batch in batches:
            if self._asked:
                self._presence.hear(batch)
            yield batch

    def section(self, times: F64 | None, before: Sections | None) -> dict[str, Any]:
        """What a model keeps of it; empty where the records do not tell.

        Args:
            times: of the records learned from, [n].
            before: what the model in use was made by; None where there is none. A sample has longer gaps than the
                stream, and too few records of each of very many keys: what was known of these stays, unless even the
                sample's gaps are shorter.
        """
        steady = steady_keys(self._presence)
        known = before.get(SECTION, {}) if before and self._sampled else {}
        found = [each for each in (longest_silence(times), known.get("seconds")) if each is not None]
        section: dict[str, Any] = {"seconds": min(found)} if found else {}
        if steady is not None:
            return section | dict(zip(KEY_SECTION, (steady.keys, steady.seconds), strict=True))
        if self._asked:
            section |= {name: known[name] for name in KEY_SECTION if name in known}
        return section
