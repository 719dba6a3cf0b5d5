"""Schema: fields that came and are gone, and lines that do not parse, are a changed format and no benign traffic."""

from __future__ import annotations

from monitor.app.gates.contest import Contest
from monitor.core.printable import printable
from monitor.core.records import RecordBatch
from monitor.model.trials import Gate

NEAR = 0.1
"""So much a field's share of missing values may differ from what it was when the model in use was made."""

VISIBLE = 0.001
"""A change that is told."""

MOST_UNPARSED = 0.5
"""Of the lines; the rest then stands for nothing."""


def gate(contest: Contest) -> Gate:
    """The largest change of a field's missing values, and the lines that do not parse."""
    if contest.unparsed > MOST_UNPARSED:
        told = f"{contest.unparsed:.0%} of the lines do not parse; compare the parser with `aemonitor check --sample`"
        return Gate("schema", False, told, contest.unparsed, MOST_UNPARSED)
    before = {} if contest.champion is None else contest.champion.contents.trials.missing
    now = missing(contest.records)
    changes = {name: now[name] - share for name, share in before.items() if name in now}
    if not changes:
        empty = [printable(name) for name, share in now.items() if share == 1]
        if not empty:
            return Gate("schema", True, "nothing to compare with; every field occurs")
        told = f"in no record: {', '.join(empty)}; `aemonitor check --sample` tells which fields there are"
        return Gate("schema", True, told)
    field = max(changes, key=lambda name: abs(changes[name]))
    told = "missing values as before"
    if abs(changes[field]) >= VISIBLE:
        told += f", at most {abs(changes[field]):.1%} apart ({printable(field)})"
    if abs(changes[field]) > NEAR:
        told = f"{printable(field)} is missing in {now[field]:.0%} of the records, it was in {before[field]:.0%}"
    return Gate("schema", abs(changes[field]) <= NEAR, told, abs(changes[field]), NEAR)


def missing(records: RecordBatch) -> dict[str, float]:
    """The share of records without a value of each field; of one read as several types the smallest."""
    shares: dict[str, float] = {}
    for field, column in records.columns.items():
        share = column.null_count / max(1, len(records))
        shares[field.name] = min(share, shares.get(field.name, 1.0))
    return shares
