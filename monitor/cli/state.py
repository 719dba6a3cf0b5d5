"""``aemonitor state``: what the ledger knows, and the repairs that need no editing of bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from monitor.cli import config_option
from monitor.cli.showing import json_option, show, show_lines
from monitor.core.names import plural
from monitor.core.places import of_messages

if TYPE_CHECKING:
    from monitor.app.state import FileRow, StateView

yes_option = click.option("--yes", "do", is_flag=True, help="Do it; without, it is only said what would be done.")


@click.group("state", short_help="Show and repair what the ledger knows.")
def command() -> None:
    """Where every file is read on, what waits for the sinks, and what could not be parsed."""


@command.command("show")
@config_option
@click.option("--stream", metavar="S", help="Only this stream.")
@json_option()
def show_state(config: Path, stream: str | None, *, as_json: bool) -> None:
    """Every file with its place and what is not read yet; works while the daemon runs."""
    from monitor.app.state import view

    found = view(config, stream)
    show(found, _lines(found), as_json=as_json)


def _lines(found: StateView) -> Iterator[str]:
    yield f"ledger in {found.ledger}"
    for stream in found.streams:
        counts = stream.counts
        yield f"stream {stream.stream}: {counts.read:,} records read, {counts.alerts:,} alerts"
        yield from map(_file, stream.files)
        if stream.dead_letters:
            yield f"  {plural(stream.dead_letters, 'dead letter')}; see `aemonitor state dead-letters`"
        if stream.memories:
            yield f"  remembers keys for: {', '.join(stream.memories)}"
    for sink in found.sinks:
        alerts = plural(sink.waiting, "alert waits", "alerts wait")
        waiting = f"{alerts}, the oldest for {sink.oldest_seconds:.0f} s"
        yield f"sink {sink.sink}: {waiting if sink.waiting else 'nothing waits'}"


def _file(row: FileRow) -> str:
    if of_messages(row.file_id):
        return f"  {row.path}  epoch {row.epoch}  message {row.offset}  committed {row.committed_at}"
    place = f"  {row.file_id[:8]}  {row.path}  epoch {row.epoch}  byte {row.offset}  committed {row.committed_at}"
    if row.found is None:
        return f"{place}  gone"
    moved = f"  now {row.found}" if row.found != row.path else ""
    return f"{place}{moved}" + (f"  {row.behind_bytes:,} bytes to read" if row.behind_bytes else "")


@command.command("dead-letters")
@config_option
@click.option("--stream", metavar="S", help="Only this stream.")
@click.option("--limit", default=20, show_default=True, help="The newest this many of each stream.")
@json_option("One JSON object a line.")
def show_dead_letters(config: Path, stream: str | None, limit: int, *, as_json: bool) -> None:
    """Records that could not be parsed: where they stand, why, and how they begin. A sample of them is kept."""
    from monitor.app.state import dead_letters

    for name, letter in dead_letters(config, stream, limit):
        place = {"file_id": letter.origin.file_id, "epoch": letter.origin.epoch, "offset": letter.offset}
        row = {"stream": name, "path": letter.origin.path, **place, "reason": letter.reason, "text": letter.text}
        line = f"{name}  {letter.origin.path}:{letter.offset}  {letter.reason}: {letter.text}"
        show(row, [line], as_json=as_json)


@command.command("reset")
@config_option
@click.option("--stream", required=True, metavar="S", help="The stream.")
@click.option("--file", "files", multiple=True, metavar="PATH|ID", help="Only this file; may be given several times.")
@click.option(
    "--to",
    type=click.Choice(["forget", "beginning", "end"]),
    default="forget",
    show_default=True,
    help="forget: as if never read; beginning: read again; end: pass over what is not read yet.",
)
@yes_option
def reset(
    config: Path, stream: str, files: Sequence[str], to: Literal["forget", "beginning", "end"], *, do: bool
) -> None:
    """Forget where files are read on, or set it; refused while a daemon runs. Alerts and totals stay."""
    from monitor.app.repair import reset as change

    _tell(change(config, stream, files, to, do=do), done=do)


@command.command("adopt")
@config_option
@click.argument("file", metavar="PATH|ID")
@click.argument("path", metavar="NEW", type=click.Path(path_type=Path))
@click.option("--stream", required=True, metavar="S", help="The stream.")
@yes_option
def adopt(config: Path, file: str, path: Path, stream: str, *, do: bool) -> None:
    """Read on in the file NEW where the file PATH|ID was left: it was moved to another disk, or restored.

    NEW has to hold what was read; refused while a daemon runs.
    """
    from monitor.app.repair import adopt as change

    _tell([change(config, stream, file, path, do=do)], done=do)


def _tell(lines: Sequence[str], *, done: bool) -> None:
    show_lines(lines)
    if not done:
        click.echo("nothing was changed; add --yes to do it" if lines else "there is nothing to change", err=True)
