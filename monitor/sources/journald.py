"""Follows the systemd journal: each entry is one record, its fields as JSON; on after a restart where it left off.

The entries come from ``journalctl``, run as a child. The bindings of libsystemd come without wheels and are tied to
the library's version, and to read the files oneself means to follow their format. The system's own program knows
rotation, compression, namespaces and sealed files wherever there is a journal, and costs one process.

An entry's number in the journal is what the id of its alert is made of. The cursor that was reached is kept in the
ledger, a moment after what it stands behind; entries between the two are known by their numbers and passed over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from monitor.core.errors import UnavailableError
from monitor.core.message_options import MessageOptions
from monitor.core.protocols import SourceContext
from monitor.sources._journal import Journal
from monitor.sources._journal_entries import arguments

EXAMPLE = """\
units: [nginx.service, sshd.service]
priority: info          # and what is worse
"""

Priority = Literal["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]


def _match(text: str) -> str:
    if not re.fullmatch(r"[A-Z0-9_]+=[^\0]*", text):
        raise ValueError("expected a match such as _TRANSPORT=kernel: a field of the journal and its value")
    return text


class Config(MessageOptions):
    """Options of the ``journald`` source. Those that say what is read all have to fit; of several units, one."""

    units: list[Annotated[str, StringConstraints(min_length=1)]] = Field(
        default_factory=list[str], description="Only entries of these units; patterns such as `web@*` are units, too."
    )
    priority: Priority | None = Field(default=None, description="Only entries of this priority and worse.")
    matches: list[Annotated[str, AfterValidator(_match)]] = Field(
        default_factory=list[str],
        description="Only entries with these fields, such as `_TRANSPORT=kernel`; of several for one field, one.",
    )
    fields: list[Annotated[str, StringConstraints(pattern="^[A-Z0-9_]+$")]] = Field(
        default_factory=list[str], description="Fields that are handed out; without it, all. Fewer are faster."
    )
    directory: str | None = Field(
        default=None, pattern="^/", description="A directory with journal files, instead of the journal of this host."
    )
    namespace: Annotated[str, StringConstraints(pattern="^[A-Za-z0-9_.*+-]+$")] | None = Field(
        default=None, description="A journal namespace."
    )
    start_at: Literal["beginning", "end"] = Field(
        default="beginning", description="Where to begin when nothing was ever committed."
    )

    @property
    def places(self) -> Sequence[str]:
        """What is read, for a person."""
        return [f"journal:{unit}" for unit in self.units] or [f"journal:{self.directory or self.namespace or 'all'}"]


def build(config: Config, context: SourceContext, *, once: bool = False) -> Journal:
    """The source. With ``once`` it is exhausted at the newest entry.

    Raises:
        UnavailableError: there is no ``journalctl``.
    """
    from shutil import which

    program = which("journalctl")
    if program is None:
        raise UnavailableError("there is no journalctl here; the source journald reads the journal of systemd by it")
    where = f"journald:{config.directory or config.namespace or 'host'}"
    return Journal(config, context, [program, *arguments(config)], where, config.start_at, once=once)
