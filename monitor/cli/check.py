"""``aemonitor check``: every problem of a configuration at once."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from monitor.cli.exits import ExitCode
from monitor.cli.options import config_option
from monitor.core.errors import ConfigError, DataError, Problem, UsageError
from monitor.core.printable import printable

if TYPE_CHECKING:
    from monitor.core.config import Config


@click.command("check", short_help="Check a configuration and list every problem.")
@click.argument("file", metavar="[CONFIG]", required=False)
@config_option
@click.option(
    "--sample",
    "samples",
    multiple=True,
    metavar="FILE",
    help="Also read these records (- is standard input; several times for several files) and report, field by field, "
    "what the configuration makes of them.",
)
@click.option("--stream", metavar="S", help="The stream that the sample is for; needed when there are several.")
@click.option(
    "--offline",
    is_flag=True,
    help="Do not look at the files and directories that it names, only at itself and the sample. Services that it "
    "names are never asked.",
)
@click.option(
    "--service",
    is_flag=True,
    help="Look at files and directories as the systemd service does: as its user, with its groups, in its sandbox. "
    "Needs root.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--print-schema", is_flag=True, help="Print the JSON Schema of configurations instead, for editors.")
def command(
    file: str | None,
    config: Path,
    *,
    samples: tuple[str, ...],
    stream: str | None,
    offline: bool,
    service: bool,
    as_json: bool,
    print_schema: bool,
) -> None:
    """Check CONFIG: every problem with its line, column and key; warnings for what this user cannot read or write.

    With a sample also: fields that never occur, are constant, or unique in every record, and what does not parse.

    Sinks and calendars are opened as the daemon opens them, with their secrets, certificates and programs.

    Exits with 78 when there is a problem, with 65 when most of the sample does not parse or a configured field never
    occurs in it; warnings do not count.
    """
    if print_schema:
        click.echo(_schema_text(), nl=False)
        return
    from monitor.plugins import load_config
    from monitor.plugins.surroundings import doubts

    if file and click.get_current_context().get_parameter_source("config") is ParameterSource.COMMANDLINE:
        raise UsageError("give the configuration once: as CONFIG or with -c")
    path = Path(file) if file else config
    _refuse(path, samples, stream, both=offline and service)
    try:
        checked = load_config(path)
        seen = _seen(checked, path, offline=offline, service=service)
    except ConfigError as error:
        if not as_json:
            raise
        click.echo(_json(error.file, (), error.problems, ()))
        raise SystemExit(ExitCode.CONFIG) from None
    result = _Result(str(path), checked, [*doubts(checked), *seen])
    if samples:
        _with_sample(result, stream, samples, as_json=as_json)
    elif as_json:
        click.echo(_json(str(path), list(checked.streams), (), result.warnings))
    else:
        result.say()


def _seen(config: Config, path: Path, *, offline: bool, service: bool) -> Sequence[Problem]:
    """What of the files and directories that it names stands in the way.

    Raises:
        ConfigError: a sink or a calendar cannot be used, or the web configuration it names is wrong.
    """
    if offline:
        return ()
    if service:
        from monitor.app.service_view import acting_as_service, service_problems

        with acting_as_service():
            _refuse_obstacles(config, path)
            web = _seen_of_web(config, path.parent)
        return [*service_problems(config, os.environ), *web]
    from monitor.plugins.startable import file_doubts
    from monitor.plugins.surroundings import surroundings

    _refuse_obstacles(config, path)
    return [*surroundings(config, os.environ), *file_doubts(config), *_seen_of_web(config, path.parent)]


def _refuse_obstacles(config: Config, path: Path) -> None:
    """Refuse what the daemon would not start with.

    Raises:
        ConfigError: with every sink and calendar that cannot be used.
    """
    from monitor.plugins.startable import obstacles

    if found := list(obstacles(config)):
        raise ConfigError(str(path), found)


def _seen_of_web(config: Config, directory: Path) -> Sequence[Problem]:
    """What is wrong with the web configuration, which is read with all the server's code, and only if there is one."""
    if config.server.web_config is None:
        return ()
    from monitor.app.web_check import web_problems

    return web_problems(config, directory, os.environ)


def _refuse(path: Path, samples: Sequence[str], stream: str | None, *, both: bool) -> None:
    """Refuse options that do not fit together.

    Raises:
        UsageError: they do not.
    """
    if both:
        raise UsageError("--service looks at files, --offline does not: give one of them")
    if stream is not None and not samples:
        raise UsageError("--stream says which stream a sample is for: it goes with --sample FILE")
    if samples.count("-") + (str(path) == "-") > 1:
        raise UsageError("standard input can be read once: as the configuration or as one sample")


@dataclass(frozen=True, slots=True)
class _Result:
    """A configuration without problems, and what is to be warned of nevertheless."""

    path: str
    config: Config
    warnings: Sequence[Problem]

    def say(self) -> None:
        for warning in self.warnings:
            click.echo(f"warning: {printable(warning.located(self.path), 1000)}", err=True)
        names = ", ".join(self.config.streams)
        count = len(self.config.streams)
        click.echo(f"{self.path}: ok: {count} stream{'s' * (count != 1)} ({names})")


def _with_sample(result: _Result, stream: str | None, samples: Sequence[str], *, as_json: bool) -> None:
    """Report what a sample says of a stream.

    Raises:
        DataError: the configuration cannot work on such data.
    """
    from monitor.app.checking import check_sample, chosen_stream
    from monitor.cli.check_table import as_data, as_text

    found = check_sample(result.config, chosen_stream(result.config, stream), samples)
    if as_json:
        warnings = [*result.warnings, *found.warnings]
        click.echo(_json(result.path, list(result.config.streams), found.errors, warnings, sample=as_data(found)))
        if found.errors:
            raise SystemExit(ExitCode.DATA)
        return
    result.say()
    click.echo(as_text(found), nl=False)
    if found.errors:
        problems = [error.located(result.path) for error in found.errors]
        raise DataError("\n".join([*problems, "the configuration does not fit the sample"]))


def _json(
    file: str, streams: Sequence[str], problems: Sequence[Problem], warnings: Sequence[Problem], **more: Any
) -> str:
    return json.dumps(
        {
            "file": file,
            "ok": not problems,
            "streams": list(streams),
            "problems": [asdict(problem) for problem in problems],
            "warnings": [asdict(warning) for warning in warnings],
            **more,
        }
    )


def _schema_text() -> str:
    from monitor.plugins import json_schema

    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
