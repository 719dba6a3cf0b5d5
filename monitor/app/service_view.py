"""Looks at a configuration's files as the installed service would: as its user, with its groups, in its sandbox."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from monitor.app.units import setting
from monitor.core.config import Config
from monitor.core.errors import PermissionDeniedError, Problem, UnavailableError
from monitor.plugins.matching import patterns
from monitor.plugins.startable import file_doubts, read_files
from monitor.plugins.surroundings import nearest_existing, unreadable, unwritable, written_paths

SANDBOX = "hardening.conf"
HIDDEN = {
    "ProtectHome": (("/home", "/root", "/run/user"), "ProtectHome=read-only"),
    "PrivateTmp": (("/tmp", "/var/tmp"), "PrivateTmp=no"),  # noqa: S108 - to tell them, not to use them
}
"""What a setting of the sandbox hides when it is `yes`, and the one to show it again."""
MADE = ("/var/lib/aemonitor", "/var/log/aemonitor")
"""StateDirectory and LogsDirectory: systemd makes them and gives them to the user before each start."""


def service_problems(config: Config, environ: Mapping[str, str]) -> list[Problem]:
    """What the service could not read or write now, the sandbox as shipped: drop-ins of the administrator do not count.

    Raises:
        UnavailableError: the service's user does not exist.
        PermissionDeniedError: only root can look as somebody else.
    """
    hidden = list(_hidden(config))
    told = {problem.key_path for problem in hidden}
    with acting_as_service():
        closed = [p for p in (*unreadable(config), *file_doubts(config)) if p.key_path not in told]
        return [*hidden, *closed, *_write_protected(config, environ)]


def acting_as_service() -> AbstractContextManager[None]:
    """Give the whole process the rights of the service's user and groups, until the end; raises as the above."""
    (user,) = setting(SANDBOX, "User")
    return acting_as(user, setting(SANDBOX, "SupplementaryGroups"))


@contextmanager
def acting_as(user: str, groups: Sequence[str]) -> Generator[None, None, None]:
    """Give the whole process the rights of a user with these groups beside its own, until the end."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise UnavailableError(f"there is no user {user} yet; `aemonitor systemd install` makes it") from None
    if os.geteuid() == entry.pw_uid:
        yield
        return
    if os.geteuid() != 0:
        raise PermissionDeniedError(f"only root can look as user {user} does: run it with sudo")
    before = os.getegid(), os.getgroups()
    os.setgroups([*os.getgrouplist(user, entry.pw_gid), *_ids(groups)])
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(before[0])
        os.setgroups(before[1])


def _ids(groups: Sequence[str]) -> list[int]:
    return [entry.gr_gid for entry in grp.getgrall() if entry.gr_name in groups]


def _hidden(config: Config) -> Iterator[Problem]:
    for path, key_path in (*_read_patterns(config), *read_files(config)):
        for key, (places, cure) in HIDDEN.items():
            if setting(SANDBOX, key) == ["yes"] and _below(path, places):
                text = f"the service does not see {path} ({key}=yes): move it, or `systemctl edit` the unit: {cure}"
                yield Problem(text, key_path)


def _read_patterns(config: Config) -> Iterator[tuple[Path, str]]:
    for name, stream in config.streams.items():
        yield from ((Path(pattern), f"streams.{name}.source") for pattern in patterns(stream.source.options))


def _write_protected(config: Config, environ: Mapping[str, str]) -> Iterator[Problem]:
    for path, key_path in written_paths(config, environ):
        if not _below(path, MADE):
            yield Problem(
                f"the service may not write to {path} (ProtectSystem=strict): choose a place below "
                f"{' or '.join(MADE)}, or `systemctl edit` the unit: ReadWritePaths={path.parent}",
                key_path,
            )
        elif (
            str(nearest := nearest_existing(path)) not in MADE and _below(nearest, MADE) and (text := unwritable(path))
        ):
            yield Problem(text, key_path)


def _below(path: Path, places: Sequence[str]) -> bool:
    return any(path.absolute().is_relative_to(place) for place in places)
