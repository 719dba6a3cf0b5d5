"""Lines matched by a regular expression: every named group is a field. Runs in RE2, in time linear in the line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from pydantic import Field as Option
from pydantic import field_validator

from monitor.core.arrow import pa, pc
from monitor.core.columns import lines, typed
from monitor.core.records import Field, RawBatch, RecordBatch
from monitor.core.regexes import ANY, unable
from monitor.core.strict import StrictModel
from monitor.core.suggestion import Suggestion
from monitor.parsers._leading_time import guess

EXAMPLE = r"""
pattern: '^(?P<time>\S+) (?P<level>[A-Z]+) (?P<component>[\w.]+): (?P<message>.*)$'
"""

NO_MATCH = "does not match the pattern"


class Config(StrictModel):
    """What a line looks like."""

    pattern: str = Option(
        description="Regular expression (RE2) that is searched in each line, with at least one named group "
        "`(?P<name>...)`; other groups are written `(?:...)`. Begin with ^ and end with $ to match whole lines. "
        "A dot is any character, also a line feed in a record of several lines. A group that matches nothing is a "
        "missing value."
    )

    @field_validator("pattern")
    @classmethod
    def _runs_in_re2(cls, pattern: str) -> str:
        try:
            groups = _groups(pattern)
        except pa.ArrowInvalid as error:
            raise ValueError(_explained(str(error))) from None
        if not groups:
            raise ValueError("the pattern has no named group: write (?P<name>...) around each field")
        if twice := [a for a, b in pairwise(sorted(groups)) if a == b]:
            raise ValueError(f"the pattern names the group {twice[0]!r} more than once")
        return pattern


def _groups(pattern: str) -> list[str]:
    """The named groups of a pattern, from left to right."""
    return [group.name for group in pc.extract_regex(pa.array([], pa.string()), pattern).type]


def _explained(error: str) -> str:
    if "unnamed groups" in error:
        return "every group needs a name, (?P<name>...); write (?:...) for a group that is no field"
    return unable(error)


def build(config: Config, fields: Sequence[Field] | None) -> Regex:
    """The parser."""
    return Regex(config.pattern, fields)


def suggest(raw: RawBatch) -> Suggestion | None:
    """A pattern for lines that begin with a time; no other is guessed."""
    return guess(lines(raw)) if len(raw) else None


class Regex:
    """Matches all lines of a batch in one call."""

    def __init__(self, pattern: str, fields: Sequence[Field] | None) -> None:
        self._pattern = ANY + pattern
        self._names = _groups(pattern)
        self._fields = fields

    def parse(self, raw: RawBatch) -> RecordBatch:
        matches = pc.extract_regex(lines(raw), self._pattern)
        wanted = set(self._names) if self._fields is None else {field.name for field in self._fields}
        found = {
            name: pc.if_else(pc.equal(group, ""), None, group)  # RE2 gives "" for a group that took no part
            for name, group in zip(self._names, matches.flatten(), strict=True)
            if name in wanted
        }
        ok = matches.is_valid().to_numpy(zero_copy_only=False)
        reasons = dict.fromkeys(np.flatnonzero(~ok).tolist(), NO_MATCH)
        return RecordBatch(raw, typed(found, self._fields, len(raw)), ok, reasons)
