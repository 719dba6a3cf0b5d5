"""Goes back and forth between published versions: the pointer is swapped, a running daemon follows in two seconds."""

from __future__ import annotations

from pathlib import Path

import msgspec

from monitor.app.streams import models_root, only_stream
from monitor.core.errors import NoInputError
from monitor.model.versions import current_version, versions
from monitor.plugins import load_config


class Moved(msgspec.Struct, frozen=True):
    """Which version is in use now, and which was before."""

    stream: str
    version: str
    before: str | None


def promote_version(config_path: Path, stream: str | None, version: str) -> Moved:
    """Use this version from now on.

    Raises:
        UsageError: there are several streams and none was named.
        BundleError: there is no such version, or it is damaged; the one in use stays.
    """
    from monitor.model.publishing import promote  # here: to list and show models nobody needs all of that

    config = load_config(config_path)
    name = only_stream(config, stream)
    before = current_version(models_root(config), name)
    promote(models_root(config), name, version, config.backend)
    return Moved(name, version, before)


def roll_back(config_path: Path, stream: str | None) -> Moved:
    """Use the version before the one in use.

    Raises:
        UsageError: there are several streams and none was named.
        NoInputError: there is none before it.
        BundleError: it is damaged; the one in use stays.
    """
    config = load_config(config_path)
    name = only_stream(config, stream)
    root = models_root(config)
    current = current_version(root, name)
    older = [version for version in versions(root, name) if current is None or version < current]
    if not older:
        raise NoInputError(f"stream {name} has no version before {current or 'the first'}; see `aemonitor models list`")
    return promote_version(config_path, name, older[-1])
