"""What a correct configuration would still trip over on this machine: files not there, not readable, not writable."""

from __future__ import annotations

import grp
import itertools
import os
import pwd
from collections.abc import Iterator, Mapping
from pathlib import Path

from monitor.core.config import Config, Feature
from monitor.core.errors import Problem
from monitor.core.protocols import Encoder
from monitor.core.yaml_text import dotted
from monitor.plugins import finding
from monitor.plugins.loading import resolve_state_dir
from monitor.plugins.matching import matches, patterns

FILES_LOOKED_AT = 1000
"""Of the files a pattern matches, this many are tried: enough to see what is wrong, quick among millions."""

ANYONE = (
    "whoever reaches this address may read the alerts with their raw records; listen on 127.0.0.1, or set "
    "`server.web_config` (docs/howto/https.md)"
)


def doubts(config: Config) -> list[Problem]:
    """What is allowed but hardly meant: pages for all, idle sinks, silent streams, features of a time no record has."""
    used = {name for stream in config.streams.values() for name in stream.sinks}
    idle = [
        Problem("no stream sends alerts to this sink", f"sinks.{name}") for name in config.sinks if name not in used
    ]
    silent = [
        Problem("the stream has no sinks: its alerts are kept in the ledger (`aemonitor alerts list`) and metrics only",
                f"streams.{name}")
        for name, stream in config.streams.items() if not stream.sinks
    ]  # fmt: skip
    timeless = [
        Problem("the feature is made of the event time, but the stream has no `time`",
                dotted(("streams", name, "features", feature.name)))
        for name, stream in config.streams.items() if stream.time is None
        for feature in stream.features.values() if _reads_no_field(feature)
    ]  # fmt: skip
    exposed = [] if config.server.is_local or config.server.web_config else [Problem(ANYONE, "server.listen")]
    return [*exposed, *silent, *timeless, *idle]


def surroundings(config: Config, environ: Mapping[str, str]) -> list[Problem]:
    """What the current user could not read or write now. Nothing is created or opened."""
    written = ((unwritable(path), key_path) for path, key_path in written_paths(config, environ))
    return [*unreadable(config), *(Problem(text, key_path) for text, key_path in written if text)]


def unreadable(config: Config) -> Iterator[Problem]:
    """What the sources could not read."""
    for name, stream in config.streams.items():
        options = stream.source.options
        for pattern in patterns(options):
            yield from (Problem(text, f"streams.{name}.source") for text in _unread(pattern, options))


def written_paths(config: Config, environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Every file and directory that is written, with the key it comes from."""
    for name, sink in config.sinks.items():
        path = getattr(sink.options, "path", None)
        if isinstance(path, str | Path) and str(path) != "-":
            yield Path(path), f"sinks.{name}"
    yield resolve_state_dir(config, environ), "state_dir"


def _reads_no_field(feature: Feature) -> bool:
    encoder: Encoder = finding.encoder_module(feature.kind).build(feature.options, feature.field)
    return not encoder.fields


def _unread(pattern: str, options: object) -> Iterator[str]:
    """Why files of a pattern are not going to be read, one reason each."""
    paths = list(itertools.islice(matches(pattern, options), FILES_LOOKED_AT))
    if not paths:
        blocked = _closed_directory(Path(pattern))
        yield f"no file matches {pattern}" + (
            f": user {_user()} may not look into {blocked}{_cure(blocked)}"
            if blocked
            else "; it is read when it appears"
        )
    for path in map(Path, paths):
        if path.is_file() and not _may(path, os.R_OK):
            yield f"user {_user()} may not read {path}{_cure(path)}"


def _closed_directory(path: Path) -> Path | None:
    """The directory above ``path`` that hides what is in it, if there is one."""
    for parent in reversed(path.parents):
        if parent.is_dir() and not _may(parent, os.X_OK | os.R_OK):
            return parent
    return None


def unwritable(path: Path) -> str | None:
    """Why ``path`` cannot be written or made; None when it can."""
    existing = nearest_existing(path)
    if existing != path and not existing.is_dir():
        return f"{path} cannot be made: {existing} is not a directory"
    if _may(existing, os.W_OK | (os.X_OK if existing.is_dir() else 0)):
        return None
    if existing == path:
        return f"user {_user()} may not write to {path}; give it to that user with `chown`, or choose another place"
    return (
        f"user {_user()} may not make {path} in {existing}; "
        "make it as root and give it to that user with `chown`, or choose another place"
    )


def nearest_existing(path: Path) -> Path:
    """The path, or of the directories above it the nearest one that is there."""
    return next(place for place in (path, *path.absolute().parents) if _exists(place))


def _may(path: Path, mode: int) -> bool:
    """Whether whoever the process acts as now has the access."""
    return os.access(path, mode, effective_ids=True)


def _exists(path: Path) -> bool:
    """False also where it cannot be told, below a directory that is closed."""
    try:
        return path.exists()
    except PermissionError:
        return False


def _cure(path: Path) -> str:
    """How a user usually gets to read a log: through the group that owns it."""
    try:
        status = path.stat()
        group = grp.getgrgid(status.st_gid).gr_name
    except (OSError, KeyError):
        return ""
    if status.st_mode & 0o040 and group != "root":
        return f"; its group may: `usermod -aG {group} {_user()}`"
    return f"; allow it with `setfacl -m u:{_user()}:rX {path}`"


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
