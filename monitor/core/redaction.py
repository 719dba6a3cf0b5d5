"""Secrets that were logged by mistake are nowhere in what the program learns, keeps or sends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitor.core.arrays import U8, Column
from monitor.core.arrow import pa, pc
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.regexes import ANY, demand_re2

SECRETS = "secrets"
"""Stands for the patterns below in a list of patterns."""

MARK = "[redacted]"
"""What stands where a pattern matched; no pattern of ours matches it or what it leaves."""

_NAMES = r"(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|authorization)"
_QUOTE = r"""(?:\\?["'])?"""
_VALUE = r"""(?:(?:bearer|basic|digest|token)\s+)?[^\s"'&,;\\[{(][^\s"'&,;\\]*"""
BUILT_IN = (
    rf"(?i)({_NAMES}{_QUOTE}\s*[:=]\s*\\?\")[^\"\\]+",
    rf"(?i)({_NAMES}{_QUOTE}\s*[:=]\s*')[^']+",
    rf"(?i)({_NAMES}{_QUOTE}\s*[:=]\s*{_QUOTE}){_VALUE}",
    r"\bAKIA[0-9A-Z]{16}\b",
    r"(-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----)[^\[].*?(?:-----END [A-Z ]{0,20}PRIVATE KEY-----|$)",
)
"""Few and sure: a secret by its name or by its form. Card numbers are not among them: identifiers look like them."""


_NAMED = re.compile(rf"(?i){_NAMES}$")


class Redaction:
    """Replaces what patterns match by ``[redacted]``; of a match, what the first group matched stays.

    Runs in RE2, in time linear in the text. ``patterns`` may name ``secrets`` for those of the program; without any,
    every text stays as it is.

    >>> Redaction([SECRETS]).text("login?user=ann&password=hunter2 HTTP/1.1")
    'login?user=ann&password=[redacted] HTTP/1.1'
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._own = SECRETS in patterns
        self._given = [_rule(pattern) for pattern in patterns if pattern != SECRETS]
        self._rules = [*map(_rule, BUILT_IN if self._own else ()), *self._given]

    def text(self, text: str) -> str:
        """One text."""
        return str(self.texts(pa.array([text]))[0])

    def texts(self, texts: Column) -> Column:
        """A column of texts, [n]; missing ones stay."""
        for pattern, replacement in self._rules:
            if pc.any(pc.match_substring_regex(texts, pattern)).as_py():  # to replace costs ten times as much
                texts = pc.replace_substring_regex(texts, pattern, replacement)
        return texts

    def column(self, field: Field, column: Column) -> Column:
        """The values of a field, [n]; of one that is named like a secret, whatever stands there is one."""
        if not self._rules or field.type not in (FieldType.TEXT, FieldType.TEXTS):
            return column
        texts = column.flatten() if field.type is FieldType.TEXTS else column
        if self._own and _NAMED.search(field.name):
            clean = pc.if_else(pc.is_valid(texts), MARK, texts)
        elif self._given or _suspicious(texts):
            clean = self.texts(texts)
        else:
            return column
        return clean if texts is column else _lists(column, clean)

    def records(self, records: RecordBatch) -> RecordBatch:
        """A batch with all of its fields so; times and keys stay, for they tell records apart."""
        changed = {field: self.column(field, column) for field, column in records.columns.items()}
        return replace(records, columns=changed)


def checked(patterns: list[str]) -> list[str]:
    """The patterns, if each can be run and matches something.

    Raises:
        ValueError: one cannot; the message is for the user.
    """
    for pattern in patterns:
        demand_re2(pattern)
        if pattern != SECRETS and pc.match_substring_regex(pa.array([""]), ANY + pattern)[0].as_py():
            raise ValueError(f"the pattern {pattern!r} also matches nothing at all, and so every text everywhere")
    return patterns


def _rule(pattern: str) -> tuple[str, str]:
    """A pattern and what replaces its matches."""
    pattern = ANY + pattern
    try:
        pc.replace_substring_regex(pa.array([""]), pattern, r"\1")
    except pa.ArrowInvalid:  # it has no group
        return pattern, MARK
    return pattern, rf"\1{MARK}"


def _lists(column: Column, values: Column) -> Column:
    """Lists of texts with other values, as many as ``column`` has."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    ends = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pa.ListArray.from_arrays(ends, values, mask=pc.is_null(column))


def _suspicious(texts: Column) -> bool:
    """Whether one of our patterns may match: False is certain. Five times faster than to ask them.

    Looks at all texts as one: what ends one and begins the next is as good as any.
    """
    text = _bytes(texts)
    return _assigns(text) or _has_key(text)


def _assigns(text: U8) -> bool:
    """Whether a ``:`` or ``=`` stands behind a quote, a blank, or letters that end the name of a secret."""
    signs = np.flatnonzero((text == ord("=")) | (text == ord(":")))
    classes = _CLASSES[text[signs - 1]]
    if (classes == _LOOSE).any():
        return True
    signs = signs[classes == _LAST]
    if not len(signs):
        return False
    before = [text[np.maximum(signs - place, 0)].astype(np.int32) | 0x20 for place in (3, 2, 1, 6)]
    code = (before[0] << 16) | (before[1] << 8) | before[2]
    return bool((np.isin(code, _CODES) & ((code != _ION) | (before[3] == ord("z")))).any())


def _has_key(text: U8) -> bool:
    """Whether ``KEY`` or ``KIA`` is in the text."""
    places = np.flatnonzero(text[:-2] == ord("K"))
    if not len(places):
        return False
    pairs = (text[places + 1].astype(np.int32) << 8) | text[places + 2]
    return bool(np.isin(pairs, _AFTER_K).any())


def _code(letters: str) -> int:
    return int.from_bytes(letters.encode(), "big")


_ION = _code("ion")
_CODES = np.array([_code(end) for end in ("ord", "swd", "pwd", "ret", "ken", "key", "ion")], dtype=np.int32)
"""How the names above end; of the last one more is looked at, since so many words end like it."""
_AFTER_K = np.array([_code("EY"), _code("IA")], dtype=np.int32)
_LAST, _LOOSE = 1, 2
_CLASSES = np.zeros(256, dtype=np.uint8)
_CLASSES[list(b"dtnyDTNY")] = _LAST
_CLASSES[list(b"\"' \t\r\n\v\f\\")] = _LOOSE


def _bytes(texts: Column) -> U8:
    """The bytes of all texts, one behind the other."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return np.empty(0, dtype=np.uint8)
    bounds = np.frombuffer(offsets, dtype=np.int32)[texts.offset :][: len(texts) + 1]
    return np.frombuffer(data, dtype=np.uint8)[bounds[0] : bounds[-1]]
