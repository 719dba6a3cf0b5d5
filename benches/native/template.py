"""What JSON lines of one writer have in common: the bytes between their values."""

from __future__ import annotations

import re
from dataclasses import dataclass

from monitor.core.records import RawBatch

TRIED = 8
"""Lines of a block that may be looked at for a template: its first ones may be odd."""
LONGEST_LINE = 65_536
"""Bytes of a line that may be the template; a longer one is no line of many."""

_KEY = rb'"([ !#-\[\]-~]*)"[ \t]*:[ \t]*'  # ASCII without escapes
_FIRST = re.compile(rb"[ \t]*\{[ \t]*" + _KEY)
_NEXT = re.compile(rb"[ \t]*,[ \t]*" + _KEY)
_LAST = re.compile(rb"[ \t]*\}[ \t]*")
# Whether a value is one is for the scan to say, which reads this line like all others.
_VALUE = re.compile(rb'"[ !#-\[\]-~]*"|[-+.0-9A-Za-z]+')


@dataclass(frozen=True, slots=True)
class Template:
    """A flat object: ``literals[i]`` stands before the value of ``keys[i]``, the last literal behind all values."""

    keys: tuple[str, ...]
    literals: tuple[bytes, ...]


def learn(raw: RawBatch) -> Template | None:
    """The template of the first line that has one, None where none of the first few has."""
    for start, end in zip(raw.starts[:TRIED].tolist(), raw.ends[:TRIED].tolist(), strict=True):
        if found := template_of(raw.data[start:end]):
            return found
    return None


def template_of(line: bytes) -> Template | None:
    """The template of a line, None unless it is a flat object with keys that are plain and occur once.

    >>> template_of(b'{"a": 1, "b":"x" }')
    Template(keys=('a', 'b'), literals=(b'{"a": ', b', "b":', b' }'))
    >>> template_of(b'{"a":1,"a":2}'), template_of(b'{"a":[1]}'), template_of(b'{"a":1} {')
    (None, None, None)
    """
    keys: list[str] = []
    literals: list[bytes] = []
    place, member = 0, _FIRST
    while (opening := member.match(line, place)) and (value := _VALUE.match(line, opening.end())):
        literals.append(opening[0])
        keys.append(opening[1].decode("ascii"))
        place, member = value.end(), _NEXT
    closing = _LAST.fullmatch(line, place)
    if not closing or not keys or len(set(keys)) < len(keys) or len(line) > LONGEST_LINE:
        return None
    return Template(tuple(keys), (*literals, closing[0]))
