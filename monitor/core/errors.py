"""Every failure the program expects, as a fact; the command line alone turns facts into exit codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class AemonitorError(Exception):
    """Root of all expected failures. The message names the place and the cure."""


class UsageError(AemonitorError):
    """The command line asks for something that does not exist or does not fit together."""


class DataError(AemonitorError):
    """Input that was read but cannot be used (exit 65)."""


class NoInputError(AemonitorError):
    """An input that was named is missing or empty (exit 66)."""


class UnavailableError(AemonitorError):
    """A service or device the user demanded is not there (exit 69)."""


class CannotCreateError(AemonitorError):
    """An output file or directory cannot be made (exit 73)."""


class TryLaterError(AemonitorError):
    """Nothing is wrong, but it cannot be done now: too little data, a gate refused, state in use (exit 75)."""


class PermissionDeniedError(AemonitorError):
    """The operating system refused access (exit 77)."""


class BundleError(DataError):
    """A model bundle is damaged, foreign or does not fit the configuration; it was not used."""


class StateError(AemonitorError):
    """The ledger cannot be trusted as it is; evidence was kept (exit 78)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration, at one place.

    ``line`` and ``column`` count from 1; 0 means the place is not in the text (a missing key of the root, say).
    """

    message: str
    key_path: str = ""
    line: int = 0
    column: int = 0

    def located(self, file: str) -> str:
        """``file:line:column: key.path: message``, leaving out what is not known."""
        place = f"{file}:{self.line}:{self.column}" if self.line else file
        return ": ".join(part for part in (place, self.key_path, self.message) if part)


class ConfigError(AemonitorError):
    """A configuration with at least one problem (exit 78); every problem is listed, not only the first."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.located(file) for problem in problems))
