"""The records around one that alerted, wherever its file is today; without secrets, as everything that is shown."""

from __future__ import annotations

from pathlib import Path
from typing import IO, cast

from monitor.app.whereabouts import Evidence, whereabouts
from monitor.core.alerts import Alert, SourceRef
from monitor.core.config import StreamConfig
from monitor.core.errors import AemonitorError
from monitor.core.redaction import Redaction
from monitor.ingest.reading import opened
from monitor.ledger import Ledger
from monitor.web.desk import Surroundings

LINES = 3
"""Before and after the record: enough to see what it was in the middle of."""

REACH_BYTES = 64 * 1024
"""Looked at on either side; where lines are longer than that, none are shown."""

LINE_CHARACTERS = 1_000

GONE = Surroundings(note="The records around it cannot be shown: its file is gone, or was not read from a file.")


def surroundings(ledger: Ledger, stream: StreamConfig, alert: Alert) -> Surroundings:
    """Some lines before and after the record of an alert; a sentence where there are none to be had."""
    path = _file_of(ledger, alert)
    if path is None:
        return GONE
    try:
        with opened(str(path)) as readable:
            before, after = _around(cast("IO[bytes]", readable), alert.source.offset)  # all that it opens can seek
    except (AemonitorError, OSError, EOFError):
        return Surroundings(note=f"The records around it cannot be shown: {path} cannot be read.")
    delimiter = stream.input.delimiter
    redaction = Redaction(stream.redact)  # of all of it at once: a secret may have several lines
    redacted = [redaction.text(part.decode(stream.input.encoding, "replace")) for part in (before, after)]
    own = alert.raw.count(delimiter) + 1
    return Surroundings(
        before=_lines(redacted[0], delimiter, begun=alert.source.offset > REACH_BYTES)[-LINES:],
        after=_lines(redacted[1], delimiter)[own : own + LINES],
        note="" if path == Path(alert.source.path) else f"As they stand in {path} today.",
    )


def _file_of(ledger: Ledger, alert: Alert) -> Path | None:
    """The file that holds the record's bytes today, known by the hash of what was read of it."""
    source, account = alert.source, ledger.account(alert.stream)
    state = next((state for state in account.files if state.origin.file_id == source.file_id), None)
    ranges = [each for each in account.of_file(source.file_id) if _holds(each.epoch, each.start, each.stop, source)]
    return whereabouts(Evidence.of_range(ranges[0], state)) if state and ranges else None


def _holds(epoch: int, start: int, stop: int, source: SourceRef) -> bool:
    return epoch == source.epoch and start <= source.offset < stop


def _around(stream: IO[bytes], offset: int) -> tuple[bytes, bytes]:
    """The bytes before a place and from it on."""
    begin = max(0, offset - REACH_BYTES)
    stream.seek(begin)
    return stream.read(offset - begin), stream.read(REACH_BYTES)


def _lines(text: str, delimiter: str, *, begun: bool = False) -> tuple[str, ...]:
    """The records of a text that was redacted as a whole; with ``begun`` the first is but the end of one."""
    lines = text.removesuffix(delimiter).split(delimiter) if text else []
    return tuple(line.rstrip("\r")[:LINE_CHARACTERS] for line in lines[begun:])
