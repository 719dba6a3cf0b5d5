"""The struct that wanted fields are decoded into, so that everything else in a JSON object costs next to nothing.

A field name with dots may stand for nested objects, for a key that holds the dots itself, or for a mix of the two
(``a.b.c`` is found in ``{"a": {"b.c": 1}}`` too), so every way to split the name has its place in the struct.
Where more than one is present in a record, the longest key wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

_FORBIDDEN = frozenset(map(chr, range(32))) | {'"', "\\"}
"""msgspec compares keys as bytes as they are written, so it refuses what JSON must escape."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A struct type and, for each of its members in order, the JSON key it is found under and what lies below it.

    A member with a ``below`` holds a struct of that shape, or whatever else the record has there. ``leaf`` says that
    the key is itself a wanted field.
    """

    struct: Any
    members: tuple[Member, ...]

    def blank(self) -> Any:
        """A record in which everything is missing."""
        return self.struct()


@dataclass(frozen=True, slots=True)
class Member:
    """One key of an object."""

    key: str
    leaf: bool
    below: Shape | None


def can_be_wanted(name: str) -> bool:
    """Whether a field of this name can be decoded: no quotes, backslashes, control characters or lone surrogates."""
    return not (_FORBIDDEN & set(name)) and not any("\ud800" <= c <= "\udfff" for c in name)


def shape_of(names: Iterable[str]) -> Shape:
    """The shape that finds the given fields."""
    return _shape(frozenset(names), {})


def _shape(names: frozenset[str], known: dict[frozenset[str], Shape]) -> Shape:
    if names not in known:
        below = _suffixes(names)
        keys = sorted(names | below.keys(), key=lambda key: (-len(key), key))
        members = tuple(
            Member(key, key in names, _shape(frozenset(below[key]), known) if key in below else None) for key in keys
        )
        known[names] = Shape(_struct(members), members)
    return known[names]


def _suffixes(names: Iterable[str]) -> dict[str, set[str]]:
    """For every part of a name before a dot, the parts that may follow it."""
    below: dict[str, set[str]] = {}
    for name in names:
        for place, character in enumerate(name):
            if character == ".":
                below.setdefault(name[:place], set()).add(name[place + 1 :])
    return below


def _struct(members: Sequence[Member]) -> Any:
    fields = [(f"f{i}", _wire_type(member), None) for i, member in enumerate(members)]
    keys = {f"f{i}": member.key for i, member in enumerate(members)}
    # Decoded JSON has no cycles, so the garbage collector need not look at it.
    return msgspec.defstruct("Record", fields, rename=keys, gc=False)


def _wire_type(member: Member) -> Any:
    if member.below is None or member.leaf:
        return Any
    return member.below.struct | float | int | str | bool | list[Any] | None


def values_of(shape: Shape, records: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """The values of every wanted field that occurs, one for each record, None where missing."""
    found: dict[str, Sequence[Any]] = {}
    columns = zip(*map(msgspec.structs.astuple, records), strict=True)
    for member, values in zip(shape.members, columns, strict=False):  # no records, no columns
        if member.leaf:
            _add(found, member.key, values)
        if member.below is not None and values.count(None) < len(values):
            inner = [_as_struct(value, member.below) for value in values]
            for name, nested in values_of(member.below, inner).items():
                _add(found, f"{member.key}.{name}", nested)
    return found


def _add(found: dict[str, Sequence[Any]], name: str, values: Sequence[Any]) -> None:
    first = found.get(name)
    if first is None or first.count(None) == len(first):
        found[name] = values
    elif values.count(None) < len(values):
        found[name] = tuple(b if a is None else a for a, b in zip(first, values, strict=True))


def _as_struct(value: Any, shape: Shape) -> Any:
    if isinstance(value, shape.struct):
        return value
    # A field that is wanted whole and in parts comes as a dict.
    return msgspec.convert(value, shape.struct) if isinstance(value, Mapping) else shape.blank()
