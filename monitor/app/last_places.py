"""Where a stream, or a key of one, was heard last: what somebody looks at who is told that nothing comes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from monitor.core.alerts import SourceRef
from monitor.core.records import RawBatch

MAX_KEYS = 20_000
"""Keys whose place is remembered; beyond, all are forgotten."""


class LastPlaces:
    """Remembers how far the file was read in which somebody was heard last.

    Until then it is what the source is configured to read, and no place in a file: offset 0 and no ``file_id``.
    """

    def __init__(self, configured: Sequence[str]) -> None:
        self._configured = SourceRef(path=", ".join(configured), offset=0)
        self._places: dict[str | None, SourceRef] = {}

    def note(self, raw: RawBatch, keys: Iterable[str | None] = ()) -> None:
        """These records came, of these keys."""
        origin = raw.origin
        place = SourceRef(path=origin.path, offset=raw.next_offset, file_id=origin.file_id, epoch=origin.epoch)
        if len(self._places) > MAX_KEYS:
            self._places.clear()
        self._places.update(dict.fromkeys(keys, place))
        self._places[None] = place

    def of(self, key: str | None = None) -> SourceRef:
        """Where a key was heard last; without one, the stream."""
        return self._places.get(key) or self._configured
