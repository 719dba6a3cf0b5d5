"""Log events: one line each, ``LEVEL event key=value ...``, that nothing in a value can break or forge."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

from monitor.core.clock import Clock
from monitor.core.printable import printable

LOGGER = logging.getLogger("aemonitor")
WINDOW_SECONDS = 60.0
BURST = 5
"""So many events alike are logged in a window; the others are counted, and the count is logged when it ends."""
MOST_KINDS = 1024
"""Kinds of events remembered; forgetting all of them when there are more only means that some are logged again."""
VALUE_CHARACTERS = 500
TRACEBACK_LINES = 60

_BARE = re.compile(r"[^\s\"=\\]+")
_PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}

Value = str | int | float | bool | None


@dataclass(slots=True)
class _Window:
    """How often events of one kind came since ``began`` (monotonic seconds), and how many were not logged."""

    began: float
    level: int
    seen: int = 0
    suppressed: int = 0


class Events:
    """Writes events through the standard logger, each kind at most ``BURST`` times in a window. Thread-safe.

    Events are of one kind when their name, stream, sink and reason agree: what differs in the other fields (paths,
    messages, numbers) is what a flood is made of.
    """

    def __init__(self, clock: Clock, logger: logging.Logger = LOGGER) -> None:
        self._clock = clock
        self._logger = logger
        self._lock = threading.Lock()
        self._windows: dict[tuple[Value, ...], _Window] = {}
        self.suppressed_total = 0
        self.totals: dict[int, int] = dict.fromkeys((logging.INFO, logging.WARNING, logging.ERROR), 0)
        """Events by their level, whatever the log shows of them."""

    def info(self, event: str, **fields: Value) -> None:
        """Something an operator may want to know."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Value) -> None:
        """Something failed; we recovered and lost nothing."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, error: BaseException | None = None, **fields: Value) -> None:
        """Data was lost or a person must act; ``error`` adds its traceback."""
        self._write(logging.ERROR, event, fields, error)

    def flush(self) -> None:
        """Log now how many events were suppressed, and start afresh."""
        with self._lock:
            windows, self._windows = self._windows, {}
        self._tell_suppressed(windows)

    def _write(self, level: int, event: str, fields: Mapping[str, Value], error: BaseException | None = None) -> None:
        with self._lock:
            self.totals[level] += 1
        if not self._logger.isEnabledFor(level):
            return
        kind = (event, *(fields.get(name) for name in ("stream", "sink", "reason", "kind")))
        with self._lock:
            ended = self._ended()
            window = self._windows.setdefault(kind, _Window(self._clock.monotonic(), level))
            window.seen += 1
            allowed = window.seen <= BURST
            if not allowed:
                window.suppressed += 1
                self.suppressed_total += 1
        self._tell_suppressed(ended)
        if allowed:
            self._logger.log(level, event, exc_info=error, extra={"fields": fields})

    def _ended(self) -> dict[tuple[Value, ...], _Window]:
        """Take out the windows that are over. Walks through all kinds, of which there are about as many as streams."""
        now = self._clock.monotonic()
        ended = {kind: window for kind, window in self._windows.items() if now - window.began >= WINDOW_SECONDS}
        if len(self._windows) >= MOST_KINDS:
            ended = dict(self._windows)
        for kind in ended:
            del self._windows[kind]
        return ended

    def _tell_suppressed(self, windows: Mapping[tuple[Value, ...], _Window]) -> None:
        for (event, stream, sink, reason, kind), window in windows.items():
            if window.suppressed:
                given = {"event": event, "stream": stream, "sink": sink, "reason": reason, "kind": kind}
                fields = {key: value for key, value in given.items() if value is not None}
                fields["count"] = window.suppressed
                self._logger.log(window.level, "events_suppressed", extra={"fields": fields})


class LogfmtFormatter(logging.Formatter):
    """One line an event; a traceback follows in lines that are indented, so that none can pass for an event.

    With ``journal`` every line starts with its priority, as the journal reads it from standard error.
    """

    def __init__(self, *, journal: bool) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        event, fields = _content(record)
        lines = [" ".join((record.levelname, event, *(f"{key}={quoted(value)}" for key, value in fields.items())))]
        if record.exc_info:
            trace = self.formatException(record.exc_info).splitlines()[-TRACEBACK_LINES:]
            lines += ["    " + printable(line, VALUE_CHARACTERS) for line in trace]
        prefix = f"<{_PRIORITIES.get(record.levelno, 6)}>" if self._journal else ""
        return "\n".join(prefix + line for line in lines)


def _content(record: logging.LogRecord) -> tuple[str, Mapping[str, Value]]:
    """Our events carry fields; what libraries log becomes an event ``log``."""
    fields: Mapping[str, Value] | None = getattr(record, "fields", None)
    if fields is not None:
        return str(record.msg), fields
    return "log", {"logger": record.name, "message": record.getMessage()}


def quoted(value: Value) -> str:
    r"""A value as logfmt: bare where that is unambiguous, otherwise in quotes, always on one line.

    >>> quoted("a b"), quoted('x\n"y"'), quoted(0.25), quoted(True), quoted(None)
    ('"a b"', '"x\\n\\"y\\""', '0.25', 'true', '""')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = "" if value is None else str(value)
    safe = printable(text, VALUE_CHARACTERS)
    if safe == text and _BARE.fullmatch(text):
        return text
    # Backslashes and quotes of the text are escaped before what is not printable, so that the two cannot be confused.
    return '"' + printable(text.replace("\\", "\\\\").replace('"', '\\"'), VALUE_CHARACTERS) + '"'


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to standard error; when that is closed or full, monitoring goes on without a log."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base class's name
        del record


def setup_logging(level: str, stream: TextIO | None = None) -> None:
    """Send all logging of the process to ``stream`` (standard error) from ``level`` on. May be called again.

    Raises:
        ValueError: there is no such level.
    """
    target = sys.stderr if stream is None else stream
    handler = _Handler(target)
    handler.setFormatter(LogfmtFormatter(journal=is_journal(target, os.environ.get("JOURNAL_STREAM", ""))))
    root = logging.getLogger()
    root.setLevel(level.upper())
    for old in [h for h in root.handlers if isinstance(h, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)


def is_journal(stream: TextIO, journal_stream: str) -> bool:
    """Whether ``stream`` is connected to the journal: ``$JOURNAL_STREAM`` holds the device and inode of its socket.

    The variable alone proves nothing: it is inherited by children whose output was redirected.
    """
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return journal_stream == f"{status.st_dev}:{status.st_ino}"
