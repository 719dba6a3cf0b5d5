"""``aemonitor verify``: proof that every record is accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli import config_option
from monitor.cli.exits import ExitCode
from monitor.cli.showing import LINE_CHARACTERS, json_option, show
from monitor.core.printable import printable

if TYPE_CHECKING:
    from monitor.app.proof import Proof, RangeProof, StreamProof


@click.command("verify", short_help="Prove that every record read is accounted for.")
@config_option
@click.option("--stream", metavar="S", help="Only this stream.")
@json_option("Every figure, as JSON.")
def command(config: Path, stream: str | None, *, as_json: bool) -> None:
    """Prove from the ledger and the files that read = scored + unparsed + filtered + sampled out + in flight.

    Every committed range of bytes whose file still exists is cut into records again, as the daemon does it. Works
    while the daemon runs. Exit 0 when everything agrees, 65 when something does not.
    """
    from monitor.app.proof import prove

    proof = prove(config, stream)
    show(proof, _lines(proof), as_json=as_json)
    for fault in (
        *proof.faults,
        *(f"stream {each.stream}: {fault}" for each in proof.streams for fault in each.faults),
    ):
        click.echo(f"aemonitor: {printable(fault, LINE_CHARACTERS)}", err=True)
    if not proof.holds:
        raise SystemExit(ExitCode.DATA)


def _lines(proof: Proof) -> Iterator[str]:
    for stream in proof.streams:
        yield from _stream(stream)
    if not proof.streams:
        yield "nothing has been read yet"


def _stream(proof: StreamProof) -> Iterator[str]:
    from monitor.app.proof import equation

    yield f"stream {proof.stream}: {equation(proof.counts)}"
    yield from map(_range, proof.ranges)
    yield from (f"  {each}, each counted as it was read" for each in proof.messages)
    if proof.settled:
        what = (
            "messages, which stand in no file" if proof.messages else "files and epochs that are remembered no longer"
        )
        yield f"  {proof.settled:,} records of {what}: no proof by file"
    verdict = "NOT PROVEN" if proof.faults else "proven"
    yield f"  {verdict}: {proof.recounted:,} of {proof.counts.read:,} records were counted again in their files"


def _range(each: RangeProof) -> str:
    place = f"  {each.path} epoch {each.epoch} bytes {each.start}-{each.stop}: {each.read:,} records"
    if each.recounted is None:
        return f"{place}; these bytes exist no more, so they cannot be counted again"
    where = f" in {each.found_in}" if each.found_in not in (None, each.path) else ""
    return f"{place}, counted again{where}: {each.recounted:,}"
