"""The files by which systemd knows the program: which there are, where they go, and what is written into them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import monitor

SERVICES = ("aemonitor.service", "aemonitor@.service", "aemonitor-retrain@.service")
TIMER = "aemonitor-retrain@.timer"
EXTRAS = {
    "gpu": "models are computed on an NVIDIA GPU",
    "window-networks": "models of kind conv or lstm",
}
"""Drop-ins that take back a piece of the sandbox, and who needs them."""

SHIPPED_PROGRAM = "/usr/bin/aemonitor"
"""What the units start as they are shipped; where the program stands elsewhere, that is written into them."""

OWNED = ("/var/lib/aemonitor", "/var/lib/aemonitor-textfile", "/var/log/aemonitor", "/etc/aemonitor")
"""State, metrics of retraining, logs and configuration: made by the units, and kept unless they are purged."""


@dataclass(frozen=True, slots=True)
class UnitFile:
    """A file as it is to be: where, counted from the root of the system it is for, and its content."""

    path: Path
    text: str


def unit_files(prefix: Path, program: str, extras: Sequence[str]) -> Iterator[UnitFile]:
    """Every file under ``prefix/lib``; the units start ``program``."""
    library = prefix / "lib"
    units = library / "systemd" / "system"
    for name in (*SERVICES, TIMER):
        yield UnitFile(units / name, shipped(name).replace(SHIPPED_PROGRAM, program))
    for name in SERVICES:
        yield UnitFile(units / f"{name}.d" / "10-hardening.conf", shipped("hardening.conf"))
        for extra in extras:
            yield UnitFile(units / f"{name}.d" / f"50-{extra}.conf", shipped(f"optional/{extra}.conf"))
    yield UnitFile(units / "aemonitor-retrain@aemonitor.service.d" / "20-state.conf", shipped("retrain-state.conf"))
    for kind in ("sysusers", "tmpfiles"):
        yield UnitFile(library / f"{kind}.d" / "aemonitor.conf", shipped(f"aemonitor.{kind}"))


def shipped(name: str) -> str:
    """The content of a file of ``systemd/``: within the installed package, or beside it in a checkout."""
    package = Path(monitor.__file__).resolve().parent
    places = [package / "_systemd", package.parent / "systemd"]
    return next(place for place in places if place.is_dir()).joinpath(name).read_text()


def setting(file: str, key: str) -> list[str]:
    """The words that a shipped unit gives ``key`` in all its lines: what the units state is stated nowhere else.

    >>> setting("hardening.conf", "ProtectHome")
    ['yes']
    """
    lines = [line.partition("=") for line in shipped(file).splitlines()]
    return [word for name, _, value in lines if name == key for word in value.split()]
