"""Offline scores as rows, in the order of the input, as JSON Lines or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

import msgspec


class ScoreRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record's score; ``line`` counts from 1 within its file. An unparsed record has no score but a reason."""

    file: str
    line: int
    score: float | None
    error: float | None
    alert: bool
    summary: str = ""
    reason: str = ""


def as_jsonl(rows: Iterable[ScoreRow]) -> str:
    """One JSON object a line."""
    return "".join(msgspec.json.encode(row).decode() + "\n" for row in rows)


def as_csv(rows: Iterable[ScoreRow], *, header: bool) -> str:
    """Comma-separated, with the field names first if ``header``."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if header:
        writer.writerow(ScoreRow.__struct_fields__)
    writer.writerows(msgspec.structs.astuple(row) for row in rows)
    return out.getvalue()


def top(rows: Sequence[ScoreRow], count: int) -> list[ScoreRow]:
    """The highest scores, the highest first; equal ones in the order of the input."""
    scored = [row for row in rows if row.score is not None]
    return sorted(scored, key=lambda row: -(row.score or 0.0))[:count]
