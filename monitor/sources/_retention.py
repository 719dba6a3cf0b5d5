"""Says whose progress need no longer be remembered: files that every complete scan has missed for a week."""

from __future__ import annotations

from collections.abc import Iterable

RETAIN_SECONDS = 7 * 86_400.0
"""A file that was away for so long is not expected back: longer than any weekend, holiday of a disk, or restore."""

CHECK_SECONDS = 3600.0
"""How often the remembered files are looked for: each costs an open."""


class Retention:
    """Since when each file has been missing, in monotonic seconds; told of complete scans only."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._dropped: dict[str, float] = {}
        self._next_check = self._checked = float("-inf")

    def check_due(self, now: float) -> bool:
        """Whether it is time to look for the files."""
        due = now >= self._next_check
        if due:
            self._next_check = now + CHECK_SECONDS
        return due

    def missed(self, file_ids: Iterable[str], now: float) -> None:
        """A complete scan missed these, and no others."""
        self._checked = now
        self._since = {file_id: self._since.get(file_id, now) for file_id in file_ids}

    def dropped(self, file_ids: Iterable[str], now: float) -> None:
        """These were read to their end and deleted; nothing will ever go by these ids again."""
        self._dropped.update(dict.fromkeys(file_ids, now))

    def due(self) -> list[str]:
        """Those that have been missing long enough, by the last scan that looked for them."""
        missing = {**self._since, **self._dropped}
        return [file_id for file_id, since in missing.items() if self._checked - since >= RETAIN_SECONDS]

    def forget(self, file_ids: Iterable[str]) -> None:
        """These need not be told again."""
        for file_id in file_ids:
            self._since.pop(file_id, None)
            self._dropped.pop(file_id, None)
