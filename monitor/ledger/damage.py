"""What becomes of a damaged ledger: it is kept as evidence, and nothing begins anew unless that was asked for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from monitor.core.clock import Clock
from monitor.core.errors import AemonitorError, StateError
from monitor.ledger.errors import LedgerUnavailableError

PARTS = ("-wal", "-shm", "")
"""What SQLite keeps beside a database, and the database itself: last, so that half a rename is damage again."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What to do instead of refusing: the files of these streams are read from their beginning, or from their end.

    ``tell`` gets the error that would have been raised.
    """

    begin: Literal["beginning", "end"]
    streams: tuple[str, ...]
    tell: Callable[[AemonitorError], None] = lambda _: None

    def note(self) -> str:
        """What the new ledger keeps, so that a crash before the first commit changes nothing."""
        return json.dumps({"begin": self.begin, "streams": self.streams})


def begin_of(note: str | None, stream: str) -> Literal["beginning", "end"] | None:
    """Where a stream begins by a ledger's note; None for one that the note does not name.

    Raises:
        StateError: the note is damaged itself.
    """
    if note is None:
        return None
    try:
        found = json.loads(note)
        named, begin = stream in found["streams"], found["begin"]
    except (ValueError, TypeError, KeyError) as error:
        raise StateError(f"the ledger's note on how it began is damaged: {error!r}") from error
    if begin not in ("beginning", "end"):
        raise StateError(f"the ledger's note on how it began is damaged: {begin!r}")
    return begin if named else None


def put_aside(file: Path, reason: str, clock: Clock) -> AemonitorError:
    """Rename the damaged ledger; the error to raise, which says where it is now."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(clock.now()))
    kept = _free(file.with_name(f"{file.name}.corrupt-{stamp}"))
    try:
        for suffix in PARTS:
            if (part := file.with_name(file.name + suffix)).exists():
                part.rename(kept.with_name(kept.name + suffix))
    except OSError as error:
        return LedgerUnavailableError(f"{file} is damaged ({reason}) and cannot be renamed: {error.strerror}")
    return StateError(f"{file} is damaged ({reason}). It was kept as {kept}. {_cure(kept, file.name)}")


def _free(place: Path) -> Path:
    """``place``, or beside it: evidence is never written over, however often one second sees damage."""
    number, free = 1, place
    while free.exists():
        number, free = number + 1, place.with_name(f"{place.name}.{number}")
    return free


def evidence(directory: Path, name: str) -> list[Path]:
    """The damaged ledgers that were put aside here, the newest last."""
    parts = tuple(suffix for suffix in PARTS if suffix)
    return sorted(path for path in directory.glob(f"{name}.corrupt-*") if not path.name.endswith(parts))


def refuse_after(damaged: Path, name: str) -> StateError:
    """A supervisor starts us again at once: that must not pass over the damage and begin from nothing."""
    return StateError(f"there is no ledger, but a damaged one: {damaged}. {_cure(damaged, name)}")


def _cure(kept: Path, name: str) -> str:
    return (
        f"Either restore {kept.parent / name} from a backup, or save what can be saved with "
        f"`sqlite3 {kept.name} .recover`, or move the damaged file away to begin anew: "
        "files are then read from where `start_at` says, and alerts not yet delivered are lost. "
        "`on_corrupt_state: beginning` or `end` begins anew without asking"
    )
