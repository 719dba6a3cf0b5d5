"""Finds plugins by their file names, so that adding a file is all it takes to add a kind."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType

import monitor
from monitor.core.strict import StrictModel

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
    """The plugin's module; ``kind`` is one of ``kinds(group)``, as whoever reads a configuration has checked."""
    if kind not in kinds(group):
        raise KeyError(f"{group} has no kind {kind!r}; there are {', '.join(kinds(group))}")
    return importlib.import_module(f"monitor.{group}.{kind}")


def encoder_module(kind: str) -> ModuleType:
    """The module of an encoder, as bundles name it."""
    return module("encoders", kind)


def summary(group: str, kind: str) -> str:
    """The first line of the plugin's docstring: its line in the documentation."""
    return (module(group, kind).__doc__ or "").strip().splitlines()[0]


def options_model(group: str, kind: str) -> type[StrictModel]:
    """The model of the plugin's options: its ``Config``."""
    model: type[StrictModel] = module(group, kind).Config
    return model


def default_options(group: str, kind: str) -> StrictModel:
    """The plugin's options with nothing written. ValidationError when there are required ones."""
    return options_model(group, kind)()
