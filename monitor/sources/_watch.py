"""Wakes the reader early when a directory changes. A hint only: whatever is missed here, polling finds.

Content is not watched: on a busy file that costs more than polling it, and busy files are polled anyway.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from monitor.core.protocols import SourceEvents
from monitor.sources._patterns import Pattern

MAX_DIRECTORIES = 16
"""Watched at once. Each costs a thread and one of the user's 128 inotify instances; more directories are polled."""


class Hint:
    """Whether a directory may have changed since the last scan. ``wake`` is called from another thread."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._watch: Watch | None = Watch(self._on_change)
        self._given = False

    @property
    def given(self) -> bool:
        """Whether something changed."""
        return self._given

    @property
    def working(self) -> bool:
        """Whether the system lets us watch; if not, polling does it all."""
        return self._watch is not None

    def follow(self, patterns: Sequence[Pattern], paths: Iterable[str], events: SourceEvents) -> None:
        """A scan has been made: watch where its files are, and where the first parts of the patterns lie."""
        self._given = False
        if self._watch is None:
            return
        roots = {pattern.root if pattern.parts else os.path.dirname(pattern.root) for pattern in patterns}  # noqa: PTH120
        directories = roots | {os.path.dirname(path) for path in paths}  # noqa: PTH120 - paths are text here
        try:
            self._watch.follow({directory for directory in directories if os.path.isdir(directory)})  # noqa: PTH112
        except FileNotFoundError:
            pass  # it went just now; the next scan sees that, too
        except OSError as error:
            events.file_failed(min(directories), error)
            self.close()

    def _on_change(self) -> None:
        self._given = True
        self._wake()

    def close(self) -> None:
        """Stop watching; may be called twice."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None


class Watch:
    """Watches the directories it is told to follow. ``changed`` is called from another thread."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._observer: Any = None
        self._watched: dict[str, Any] = {}

    def follow(self, directories: set[str]) -> None:
        """Watch these from now on, no others.

        Raises:
            OSError: the system has no watches left, or a directory is gone; what could be watched is.
        """
        for gone in self._watched.keys() - directories:
            self._observer.unschedule(self._watched.pop(gone))
        for new in sorted(directories - self._watched.keys())[: MAX_DIRECTORIES - len(self._watched)]:
            self._watched[new] = self._start(new)

    def _start(self, directory: str) -> object:
        from watchdog.events import FileCreatedEvent, FileDeletedEvent, FileMovedEvent, FileSystemEventHandler
        from watchdog.observers import Observer

        changed = self._changed

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: object) -> None:
                del event
                changed()

        if self._observer is None:
            self._observer = Observer()
            self._observer.daemon = True
            self._observer.start()
        kinds = [FileCreatedEvent, FileMovedEvent, FileDeletedEvent]
        return self._observer.schedule(Handler(), directory, event_filter=kinds)

    def close(self) -> None:
        """Stop watching; may be called twice."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None
            self._watched.clear()
