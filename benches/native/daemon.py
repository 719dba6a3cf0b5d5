"""The program itself with the native parsers in the library's place: ``python -m native.daemon run --config FILE``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from unittest.mock import patch

from monitor.cli import execute
from monitor.core.protocols import Parser
from monitor.core.records import Field
from monitor.core.strict import StrictModel
from monitor.parsers import access_log, json_lines

from .access_log import NativeAccessLog
from .json_lines import NativeJsonLines


def native_json_lines(config: StrictModel, fields: Sequence[Field] | None) -> Parser:
    """The native parser in place of ``json_lines``."""
    del config
    return NativeJsonLines(fields)


def native_access_log(config: StrictModel, fields: Sequence[Field] | None) -> Parser:
    """The native parser in place of ``access_log``; it knows ``format: auto`` only."""
    del config
    return NativeAccessLog(fields)


def main() -> int:
    """Run a command of the program; its exit code."""
    with patch.object(json_lines, "build", native_json_lines), patch.object(access_log, "build", native_access_log):
        return execute(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
