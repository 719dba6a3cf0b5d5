"""Finds plugins by their file names, so that adding a file is all it takes to add a kind."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType

import monitor

GROUPS = ("sources", "parsers", "encoders", "sinks")


@cache
def kinds(group: str) -> tuple[str, ...]:
    """The kinds of a group, sorted, without importing any of them.

    >>> "json_lines" in kinds("parsers")
    True
    """
    paths = [f"{root}/{group}" for root in monitor.__path__]
    return tuple(sorted(m.name for m in pkgutil.iter_modules(paths) if not m.name.startswith("_")))


def module(group: str, kind: str) -> ModuleType:
    """The plugin's module. ``kind`` must be one of ``kinds(group)``; whoever reads a configuration checks that first."""
    if kind not in kinds(group):
        raise KeyError(f"{group} has no kind {kind!r}; there are {', '.join(kinds(group))}")
    return importlib.import_module(f"monitor.{group}.{kind}")


def summary(group: str, kind: str) -> str:
    """The first line of the plugin's docstring: its line in the documentation."""
    return (module(group, kind).__doc__ or "").strip().splitlines()[0]
