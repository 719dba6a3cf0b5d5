"""``aemonitor init``: a configuration from a sample."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.core.names import plural


@click.command("init", short_help="Write a configuration from a sample of benign records.")
@click.argument("samples", nargs=-1, required=True, metavar="SAMPLE...")
@click.option("-o", "--output", type=click.Path(path_type=Path), default="aemonitor.yaml", show_default=True,
              help="Where to write it; - is standard output.")  # fmt: skip
@click.option("--stream", metavar="NAME", help="Name of the stream; default: from the file's name.")
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where models, progress and alerts are kept.")
@click.option("--listen", metavar="ADDRESS:PORT", help="Where metrics and health are served.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def command(
    samples: tuple[str, ...],
    output: Path,
    stream: str | None,
    state_dir: Path | None,
    listen: str | None,
    *,
    force: bool,
) -> None:
    """Find format, time, key and encodings in SAMPLE files (- is standard input) and say why."""
    from monitor.app.init import draft_config, write_config

    text, draft = draft_config(samples, stream=stream, state_dir=state_dir and state_dir.absolute(), listen=listen)
    if str(output) == "-":
        click.echo(text, nl=False)
    else:
        write_config(text, output, force=force)
    report = [
        f"format    {draft.parser}: {draft.parser_reason}",
        f"records   {draft.records:,}" + _unparsed(draft.unparsed),
        f"time      {draft.time or '-'}: {draft.time_reason}",
        f"key       {draft.key or '-'}: {draft.key_reason}",
        *(f"feature   {choice.name}: {choice.kind} ({choice.reason})" for choice in draft.features),
        *(f"left out  {choice.name}: {choice.reason}" for choice in draft.left_out),
    ]
    click.echo("\n".join(report), err=True)
    if str(output) != "-":
        click.echo(f"wrote {output}; next: aemonitor retrain -c {output}", err=True)


def _unparsed(lines: int) -> str:
    return f", {plural(lines, 'line does', 'lines do')} not parse" if lines else ""
