"""Turns whatever ended a command into an exit code and a message on stderr."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from enum import IntEnum

import click

from monitor.core import errors
from monitor.core.printable import printable

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Whatever writes a file names it when there is no room: an error without a name is standard output's."""

MESSAGE_CHARACTERS = 4000
"""Of a message, this much is shown; texts from outside may be part of it."""


class ExitCode(IntEnum):
    """What the shell is told; from 64 on after sysexits.h, 141 and 130 as the shell reports SIGPIPE and SIGINT."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    ANOMALIES_FOUND = 3
    DATA = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    INTERNAL = 70
    CANNOT_CREATE = 73
    TRY_LATER = 75
    PERMISSION = 77
    CONFIG = 78
    INTERRUPTED = 130
    PIPE_CLOSED = 141


_CODES: tuple[tuple[type[errors.AemonitorError], ExitCode], ...] = (
    (errors.UsageError, ExitCode.USAGE),
    (errors.DataError, ExitCode.DATA),
    (errors.NoInputError, ExitCode.NO_INPUT),
    (errors.UnavailableError, ExitCode.UNAVAILABLE),
    (errors.CannotCreateError, ExitCode.CANNOT_CREATE),
    (errors.TryLaterError, ExitCode.TRY_LATER),
    (errors.PermissionDeniedError, ExitCode.PERMISSION),
    (errors.ConfigError, ExitCode.CONFIG),
    (errors.StateError, ExitCode.CONFIG),
)


def exit_code(error: errors.AemonitorError) -> ExitCode:
    """The code of an expected failure; FAILURE for one without a code of its own."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILURE)


def ended(command: Callable[[], object], *, debug: bool) -> int:
    """Run a command to its end and give its exit code; what went wrong is said on stderr.

    ``command`` may raise anything; SystemExit passes its code on. With ``debug`` an unexpected error shows where.
    """
    try:
        code = _run(command)
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return ExitCode.PIPE_CLOSED
    except (KeyboardInterrupt, click.Abort):
        return ExitCode.INTERRUPTED
    except errors.AemonitorError as error:
        _say_expected(error)
        return exit_code(error)
    except OSError as error:
        _trace(debug)
        return _refused_by_system(error)
    except Exception as error:  # noqa: BLE001 - the last one to see it: it is reported, never hidden
        _trace(debug)
        _say(f"internal error: {type(error).__name__}: {error}")
        _say("this is a bug; `aemonitor --debug ...` or AEMONITOR_DEBUG=1 shows where it happened")
        return ExitCode.INTERNAL
    return code


def _refused_by_system(error: OSError) -> ExitCode:
    """An error nobody took: of the output, or of a file."""
    reason = str(error.strerror or error)
    if _discard_output() or (error.filename is None and error.errno in NO_ROOM):
        _say(f"standard output: {reason[:1].lower()}{reason[1:]}")
        return ExitCode.CANNOT_CREATE
    _say(reason + (f": {error.filename}" if error.filename else ""))
    return ExitCode.PERMISSION if isinstance(error, PermissionError) else ExitCode.FAILURE


def _run(command: Callable[[], object]) -> int:
    try:
        command()
    except click.exceptions.Exit as ended_early:
        return ended_early.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return ExitCode.OK


def _say_expected(error: errors.AemonitorError) -> None:
    if not isinstance(error, errors.ConfigError):
        _say(str(error))
        return
    for problem in error.problems:
        click.echo(printable(problem.located(error.file), MESSAGE_CHARACTERS), err=True)
    count = len(error.problems)
    _say(f"{count} problem{'s' * (count != 1)} in {error.file}")


def _say(message: str) -> None:
    """A message line by line, so that nothing in it can pass for another program's output."""
    for line in message.splitlines() or [""]:
        click.echo(f"aemonitor: {printable(line, MESSAGE_CHARACTERS)}", err=True)


def _trace(debug: bool) -> None:
    if debug:
        traceback.print_exc()


def _discard_output() -> bool:
    """If what is still buffered cannot be written, let it go: Python would try again at exit and fail with 120.

    Gives whether it was so: a failed write leaves its bytes in the buffer, if there is one.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False
