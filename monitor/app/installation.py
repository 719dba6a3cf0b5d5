"""Installs and removes the units: first a plan that can be read, then the plan is carried out step by step."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Protocol

from monitor.app.units import EXTRAS, OWNED, SERVICES, UnitFile, unit_files
from monitor.core.errors import CannotCreateError, PermissionDeniedError, UnavailableError, UsageError

HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
"""What ProtectHome=yes hides from the service."""

RUNNING = ("aemonitor.service", "aemonitor@*.service", "aemonitor-retrain@*.service", "aemonitor-retrain@*.timer")


class Step(Protocol):
    """One thing to do; as text it says what."""

    def do(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Write:
    """Make or replace a file."""

    path: Path
    text: str

    def __str__(self) -> str:
        return f"write {self.path}"

    def do(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(f".{self.path.name}.tmp")
        draft.write_text(self.text)
        draft.chmod(0o644)
        draft.replace(self.path)


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a file, and its directory if that held drop-ins and is empty now; or a directory with its content."""

    path: Path

    def __str__(self) -> str:
        return f"remove {self.path}"

    def do(self) -> None:
        if self.path.is_dir() and not self.path.is_symlink():
            shutil.rmtree(self.path)
            return
        self.path.unlink()
        if self.path.parent.suffix == ".d" and self.path.parent.stem.startswith("aemonitor"):
            _remove_if_empty(self.path.parent)


@dataclass(frozen=True, slots=True)
class Run:
    """Run a program of systemd's and insist on its success."""

    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"run {' '.join(self.arguments)}"

    def do(self) -> None:
        try:
            subprocess.run(self.arguments, check=True, capture_output=True, text=True)
        except FileNotFoundError:
            raise UnavailableError(
                f"{self.arguments[0]} is not installed; to only write the files somewhere use --root DIR"
            ) from None
        except subprocess.CalledProcessError as error:
            raise UnavailableError(f"`{' '.join(self.arguments)}` failed: {error.stderr.strip()}") from error


def install_steps(prefix: Path, root: Path, program: str | None, extras: Sequence[str]) -> Iterator[Step]:
    """What installing takes. Under another ``root`` than / files are written and nothing is run.

    Raises:
        UsageError: the program stands where the service could not reach it.
    """
    files = list(unit_files(prefix, program or this_program(), extras))
    for file in files:
        yield Write(under(root, file.path), file.text)
    if root == Path("/"):
        yield Run(("systemd-sysusers", str(_named(files, "sysusers.d"))))
        yield Run(("systemd-tmpfiles", "--create", str(_named(files, "tmpfiles.d"))))
        yield from _reloaded()


def uninstall_steps(prefix: Path, root: Path, *, purge: bool) -> Iterator[Step]:
    """What removing takes: exactly the files that can have been installed, and with ``purge`` what the units made.

    The user stays: files elsewhere may be its own.
    """
    files = [under(root, file.path) for file in unit_files(prefix, "", tuple(EXTRAS))]
    there = [path for path in files if path.exists()]
    if root == Path("/") and there and systemd_runs():
        yield Run(("systemctl", "stop", *RUNNING))
        if enabled := sorted(_enabled()):
            yield Run(("systemctl", "disable", *enabled))
    yield from map(Remove, there)
    if root == Path("/") and there:
        yield from _reloaded()
    if purge:
        owned = [under(root, Path(path)) for path in OWNED]
        yield from (Remove(path) for path in owned if path.exists())


def carry_out(steps: Sequence[Step]) -> None:
    """Do one after the other.

    Raises:
        PermissionDeniedError, CannotCreateError: a file cannot be written or removed.
        UnavailableError: a program is missing or fails.
    """
    for step in steps:
        try:
            step.do()
        except PermissionError as error:
            raise PermissionDeniedError(
                f"cannot {step}: {error.strerror}; run it as root, or use --root DIR"
            ) from error
        except OSError as error:
            raise CannotCreateError(f"cannot {step}: {error.strerror or error}") from error


def this_program() -> str:
    """The command that runs now, as the units are to start it.

    Raises:
        UsageError: it or its interpreter lies in somebody's home, which the service does not see.
    """
    program = Path(sys.executable).with_name("aemonitor")
    for path in (program, Path(sys.executable).resolve()):
        if any(path.is_relative_to(home) for home in HOMES):
            raise UsageError(
                f"{path} lies in a home directory, which the service cannot see (ProtectHome=yes): install into /opt, "
                "made with `/usr/bin/python3 -m venv /opt/aemonitor`, or say with --program what to start"
            )
    return str(program)


def under(root: Path, path: Path) -> Path:
    """``path`` of a system whose root is ``root``."""
    return root / path.relative_to("/")


def systemd_runs() -> bool:
    """Whether systemd is the service manager here and now, as sd_booted(3) tells."""
    return Path("/run/systemd/system").is_dir()


def _reloaded() -> Iterator[Step]:
    if systemd_runs():
        yield Run(("systemctl", "daemon-reload"))


def _named(files: Sequence[UnitFile], directory: str) -> Path:
    return next(file.path for file in files if file.path.parent.name == directory)


def _enabled() -> set[str]:
    """Units that something wants: the links `systemctl enable` makes."""
    links = [link.name for link in Path("/etc/systemd/system").glob("*.wants/aemonitor*")]
    return {name for name in links if any(fnmatch(name, pattern) for pattern in (*SERVICES, *RUNNING))}


def _remove_if_empty(directory: Path) -> None:
    if not any(directory.iterdir()):
        directory.rmdir()
