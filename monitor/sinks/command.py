"""Starts a program for each alert, with the alert on its standard input, and asks its exit status whether it took it.

Never a shell: nothing that a record says can become a command.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from pydantic import AfterValidator, Field

from monitor.core.alerts import Alert
from monitor.core.clock import Clock, SystemClock
from monitor.core.delivery import RefusedError
from monitor.core.errors import NoInputError, PermissionDeniedError, UnavailableError
from monitor.core.printable import printable
from monitor.core.protocols import Sink
from monitor.core.strict import StrictModel
from monitor.sinks._facts import facts
from monitor.sinks._formats import DESCRIPTION, FORMATS, Format
from monitor.sinks._process import Ended, run

EXAMPLE = """\
argv: [/usr/bin/logger, --tag, anomaly]   # a program and its arguments; no shell reads them
"""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PREFIX = "AEMONITOR_"
REFUSED_STATUS = 65
"""EX_DATAERR of sysexits.h."""
LINE_CHARACTERS = 200


def _without_nul(texts: list[str]) -> list[str]:
    if any("\0" in text for text in texts) or not texts[0]:
        raise ValueError("expected a program and its arguments, such as [/usr/local/bin/page, --team, storage]")
    return texts


def _variables(variables: dict[str, str]) -> dict[str, str]:
    for name, value in variables.items():
        if not name.isidentifier() or not name.isascii() or name.startswith(PREFIX) or "\0" in value:
            raise ValueError(f"{printable(name)}: expected the name of a variable that does not begin with {PREFIX}")
    return variables


class Config(StrictModel):
    """Options of the ``command`` sink."""

    argv: Annotated[list[str], AfterValidator(_without_nul)] = Field(
        min_length=1, description="The program, by its absolute path or a name found in PATH, and its arguments."
    )
    timeout_seconds: float = Field(
        default=10.0, gt=0, le=60, description="How long it may take; then it and all it started are killed."
    )
    environment: Annotated[dict[str, str], AfterValidator(_variables)] = Field(
        default_factory=dict[str, str],
        description="Variables that it needs besides PATH and `AEMONITOR_...`; nothing else is handed on.",
    )
    format: Format = Field(default="native", description=DESCRIPTION)


def build(config: Config) -> Sink:
    """The sink; a program that is not there is refused here, before the first alert.

    Raises:
        NoInputError: there is no such program.
        PermissionDeniedError: it may not be executed.
    """
    return Command(config, SystemClock())


class Command:
    """One process an alert, in order. Exit status 0 took it; 65 refuses this one; all others are asked again."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._environment = {"PATH": PATH, **config.environment}
        self._arguments = [_program(config.argv[0], self._environment["PATH"]), *config.argv[1:]]
        self._timeout_seconds = config.timeout_seconds
        self._write = FORMATS[config.format].write
        self._clock = clock

    def send(self, alerts: Sequence[bytes]) -> int:
        for line in alerts[:1]:
            self._run(line)
        return min(1, len(alerts))

    def close(self) -> None:
        """Nothing is open between two alerts."""

    def _run(self, line: bytes) -> None:
        environment = {**self._environment, **variables(line)}
        data = self._write(line) + b"\n"
        try:
            ended = run(self._arguments, environment, data, self._timeout_seconds, self._clock)
        except OSError as error:
            raise UnavailableError(f"{self._arguments[0]}: cannot be started: {error.strerror}") from error
        if ended.status != 0:
            raise self._failure(ended)

    def _failure(self, ended: Ended) -> UnavailableError:
        told = f"{self._arguments[0]}: {self._how(ended.status)}{_last_line(ended.said)}"
        return RefusedError(told) if ended.status == REFUSED_STATUS else UnavailableError(told)

    def _how(self, status: int | None) -> str:
        if status is None:
            return f"did not end within {self._timeout_seconds:g} seconds and was killed"
        return f"was killed by signal {-status}" if status < 0 else f"ended with exit status {status}"


def variables(line: bytes) -> dict[str, str]:
    """What the environment says of an alert: ``AEMONITOR_ID``, ``AEMONITOR_STATE`` and so on."""
    return {f"{PREFIX}{name.upper()}": text for name, text in facts(msgspec.json.decode(line, type=Alert)).items()}


def _program(name: str, path: str) -> str:
    if "/" in name and not name.startswith("/"):
        raise NoInputError(f"{name}: argv must begin with an absolute path, or with a name to be found in {path}")
    found = shutil.which(name, path=path)
    if found is None and "/" in name and Path(name).is_file():
        raise PermissionDeniedError(f"{name}: this user may not execute it; chmod a+x {name}, or change `argv`")
    if found is None:
        raise NoInputError(f"{name}: there is no such program; install it or change `argv`")
    return found


def _last_line(said: bytes) -> str:
    r"""The end of what was said, to be put behind what happened.

    >>> _last_line(b"one\ntwo\x1b[2J\n"), _last_line(b" \n")
    (': two\\x1b[2J', '')
    """
    lines = said.decode(errors="replace").strip().splitlines()
    return f": {printable(lines[-1].strip(), LINE_CHARACTERS)}" if lines else ""
