"""``aemonitor check``: every problem of a configuration at once."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from click.core import ParameterSource

from monitor.cli.exits import ExitCode
from monitor.cli.options import config_option
from monitor.core.errors import ConfigError, Problem, UsageError
from monitor.core.printable import printable


@click.command("check", short_help="Check a configuration and list every problem.")
@click.argument("file", metavar="[CONFIG]", required=False)
@config_option
@click.option("--offline", is_flag=True, help="Do not look at the files and directories that it names.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--print-schema", is_flag=True, help="Print the JSON Schema of configurations instead, for editors.")
def command(file: str | None, config: Path, *, offline: bool, as_json: bool, print_schema: bool) -> None:
    """Check CONFIG: every problem with its line, column and key; warnings for what this user cannot read or write.

    Exits with 78 when there is a problem; warnings do not count.
    """
    if print_schema:
        click.echo(_schema_text(), nl=False)
        return
    from monitor.plugins import load_config
    from monitor.plugins.surroundings import doubts, surroundings

    if file and click.get_current_context().get_parameter_source("config") is ParameterSource.COMMANDLINE:
        raise UsageError("give the configuration once: as CONFIG or with -c")
    path = Path(file) if file else config
    try:
        checked = load_config(path)
    except ConfigError as error:
        if not as_json:
            raise
        click.echo(_json(error.file, (), error.problems, ()))
        raise SystemExit(ExitCode.CONFIG) from None
    warnings = [*doubts(checked), *(() if offline else surroundings(checked, os.environ))]
    if as_json:
        click.echo(_json(str(path), list(checked.streams), (), warnings))
        return
    for warning in warnings:
        click.echo(f"warning: {printable(warning.located(str(path)), 1000)}", err=True)
    names = ", ".join(checked.streams)
    click.echo(f"{path}: ok: {len(checked.streams)} stream{'s' * (len(checked.streams) != 1)} ({names})")


def _json(file: str, streams: Sequence[str], problems: Sequence[Problem], warnings: Sequence[Problem]) -> str:
    return json.dumps(
        {
            "file": file,
            "ok": not problems,
            "streams": list(streams),
            "problems": [asdict(problem) for problem in problems],
            "warnings": [asdict(warning) for warning in warnings],
        }
    )


def _schema_text() -> str:
    from monitor.plugins import json_schema

    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
