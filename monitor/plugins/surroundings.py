"""What a correct configuration would still trip over on this machine: files not there, not readable, not writable."""

from __future__ import annotations

import grp
import itertools
import os
import pwd
import stat
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

STATE_DIR = "state_dir"
"""The only place that is made with the directories above it."""

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
        for feature in stream.features.values() if _reads_time(feature)
    ]  # fmt: skip
    exposed = [] if config.server.is_local or config.server.web_config else [Problem(ANYONE, "server.listen")]
    return [*exposed, *silent, *timeless, *idle]


def surroundings(config: Config, environ: Mapping[str, str]) -> list[Problem]:
    """What the current user could not read or write now. Nothing is created or opened."""
    written = [(path, key_path, unwritable(path)) for path, key_path in written_paths(config, environ)]
    closed = [Problem(text, key_path) for _, key_path, text in written if text]
    homeless = [
        Problem(f"the directory {path.parent} does not exist; create it (systemd does so for its service)", key_path)
        for path, key_path, text in written
        if key_path != STATE_DIR and not text and not path.parent.exists()
    ]
    return [*unreadable(config), *closed, *homeless]


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
    yield resolve_state_dir(config, environ), STATE_DIR


def _reads_time(feature: Feature) -> bool:
    """Those that read no field do, and those whose options say so."""
    encoder: Encoder = finding.encoder_module(feature.kind).build(feature.options, feature.field)
    return not encoder.fields or getattr(feature.options, "timed", False)


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
    elif not any(map(_may_be_a_file, map(Path, paths))):
        yield f"{pattern} matches no plain file, so nothing is read: " + (
            f"name the files in it, such as {pattern.rstrip('/')}/*.log"
            if Path(pattern).is_dir()
            else "of a directory name the files, and a named pipe is read by `aemonitor run --stdin < PIPE`"
        )
    yield from filter(None, map(may_not_read, map(Path, paths)))


def _may_be_a_file(path: Path) -> bool:
    """True also where it cannot be told, and of /dev/null, which is named on purpose."""
    return not _exists(path) or not (path.is_dir() or path.is_fifo())


def may_not_read(path: Path) -> str | None:
    """Why the file at ``path`` cannot be read; None when it can, or there is none."""
    if blocked := _closed_directory(path, os.X_OK):
        return f"user {_user()} may not look into {blocked}, so not read {path}{_cure(blocked)}"
    if _exists(path) and path.is_file() and not _may(path, os.R_OK):
        return f"user {_user()} may not read {path}{_cure(path)}"
    return None


def exposed(secret: Path) -> str | None:
    """Who else than root and one user may read a secret; None when nobody may, or there is none."""
    if not _exists(secret) or not (who := _others(secret.stat())):
        return None
    return f"{secret} may be read by {who}; `chmod 600`, or 640 with a group of the service alone"


def _others(status: os.stat_result) -> str:
    if status.st_mode & stat.S_IROTH:
        return "everybody"
    if not status.st_mode & stat.S_IRGRP or not status.st_gid:
        return ""
    try:
        group = grp.getgrgid(status.st_gid)
    except KeyError:
        return f"group {status.st_gid}"
    members = {*group.gr_mem, *(user.pw_name for user in pwd.getpwall() if user.pw_gid == status.st_gid)} - {"root"}
    return f"all of group {group.gr_name}" if len(members) > 1 else ""


def _closed_directory(path: Path, mode: int = os.X_OK | os.R_OK) -> Path | None:
    """The directory above ``path`` that hides what is in it, if there is one."""
    for parent in reversed(path.parents):
        if parent.is_dir() and not _may(parent, mode):
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
