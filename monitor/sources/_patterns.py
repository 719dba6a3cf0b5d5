"""Globs as they are written in a configuration, matched against whole paths or walked through directories.

``*``, ``?`` and ``[...]`` match within one name and never a leading dot; ``**`` as a whole name matches any number of
directories, none included, but does not descend through symbolic links (a loop of links would never end).
"""

from __future__ import annotations

import fnmatch
import os
import re
from dataclasses import dataclass
from typing import TypeAlias

ANY_DEPTH = None
"""The part of a pattern that is ``**``."""

Part: TypeAlias = "str | re.Pattern[str] | None"
"""One name of a path: as it stands, a pattern of it, or ``ANY_DEPTH``."""

_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Pattern:
    """An absolute glob. ``root`` is its leading part without wildcards, ``parts`` what follows."""

    root: str
    parts: tuple[Part, ...]

    def matches(self, path: str) -> bool:
        """Whether the whole path fits, whatever exists on disk."""
        if not self.parts:
            return path == self.root
        prefix = self.root.rstrip("/") + "/"
        return path.startswith(prefix) and _fits(path.removeprefix(prefix).split("/"), self.parts)


def parse(glob: str) -> Pattern:
    """A glob as a pattern; a relative one starts at the working directory.

    >>> parse("/var/log/*.log").root
    '/var/log'
    >>> parse("/var/**/x.log").matches("/var/a/b/x.log")
    True
    """
    names = os.path.abspath(glob).split("/")[1:]  # noqa: PTH100 - a path with wildcards is not a path
    fixed = 0
    while fixed < len(names) and not _MAGIC.search(names[fixed]):
        fixed += 1
    parts = [_part(name) for name in names[fixed:]]
    if parts and parts[-1] is ANY_DEPTH:
        parts.append(_part("*"))
    return Pattern("/" + "/".join(names[:fixed]), tuple(parts))


def parse_exclusion(glob: str) -> Pattern | re.Pattern[str]:
    """As ``parse``; but a glob without a slash is for the last name of a path, wherever that is."""
    return parse(glob) if "/" in glob else re.compile(fnmatch.translate(glob))


def excluded(path: str, exclusions: tuple[Pattern | re.Pattern[str], ...]) -> bool:
    """Whether any of the exclusions fits the path."""
    name = path.rpartition("/")[2]
    return any(e.matches(path) if isinstance(e, Pattern) else e.match(name) is not None for e in exclusions)


def fits_name(name: str, part: Part) -> bool:
    """Whether one name fits one part that is not ``ANY_DEPTH``."""
    return part.match(name) is not None if isinstance(part, re.Pattern) else name == part


def _part(name: str) -> Part:
    if name == "**":
        return ANY_DEPTH
    if not _MAGIC.search(name):
        return name
    visible = "" if name.startswith(".") else r"(?!\.)"
    return re.compile(visible + fnmatch.translate(name))


def _fits(names: list[str], parts: tuple[Part, ...]) -> bool:
    if not parts:
        return not names
    if parts[0] is ANY_DEPTH:
        return any(_fits(names[skipped:], parts[1:]) for skipped in range(len(names)))
    return bool(names) and fits_name(names[0], parts[0]) and _fits(names[1:], parts[1:])
