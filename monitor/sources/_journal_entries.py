"""Entries as ``journalctl --output=json`` writes them: what they are asked for by, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import msgspec

CURSOR = re.compile(rb'"__CURSOR"\s*:\s*"(s=([0-9a-f]+);i=([0-9a-f]+);[^"\\]*)"')
"""No sender of an entry can make a field of this name, and in a text the quotes would be escaped."""
BYTES = re.compile(rb'":\s*\[\s*\d')


class Filters(Protocol):
    """Of ``Config``, what is asked for."""

    @property
    def units(self) -> list[str]: ...
    @property
    def priority(self) -> str | None: ...
    @property
    def matches(self) -> list[str]: ...
    @property
    def fields(self) -> list[str]: ...
    @property
    def directory(self) -> str | None: ...
    @property
    def namespace(self) -> str | None: ...


def arguments(wanted: Filters) -> list[str]:
    """What ``journalctl`` is called with, but for where it begins."""
    given = ["--output=json", "--all", "--no-pager", "--quiet", "--no-tail"]
    given += [f"--unit={unit}" for unit in wanted.units]
    for option, value in (
        ("priority", wanted.priority), ("directory", wanted.directory), ("namespace", wanted.namespace),
        ("output-fields", ",".join(wanted.fields)),
    ):  # fmt: skip
        if value:
            given.append(f"--{option}={value}")
    return [*given, *wanted.matches]


class Entry(NamedTuple):
    """``journal`` and ``number`` are which one it is, ``cursor`` is how it is found again."""

    journal: str
    number: int
    cursor: str
    record: bytes


def entries(lines: list[bytes]) -> Iterator[Entry]:
    """What stands in the lines; those without a cursor are no entries."""
    for line in lines:
        if found := CURSOR.search(line):
            yield Entry(found[2].decode(), int(found[3], 16), found[1].decode(), _readable(line))


def _readable(line: bytes) -> bytes:
    """Texts with control characters, such as colours, come as lists of numbers: they become texts again."""
    if not BYTES.search(line):
        return line
    fields: dict[str, Any] = msgspec.json.decode(line)
    return msgspec.json.encode({name: _text(value) for name, value in fields.items()})


def _text(value: Any) -> Any:
    """A text, or a list of those where a field occurs more than once.

    >>> _text([104, 105]), _text(["a", [98]]), _text("c")
    ('hi', ['a', 'b'], 'c')
    """
    if not isinstance(value, list):
        return value
    if all(isinstance(each, int) for each in value):
        return bytes(value).decode("utf-8", errors="replace")
    return [_text(each) for each in value]
