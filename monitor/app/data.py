"""What ``aemonitor data`` makes, written so that no file is lost and none is left half done."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from monitor.core.errors import CannotCreateError
from monitor.reporting.output_file import created


def write_new(path: Path, blocks: Iterable[str], *, force: bool) -> int:
    """Write a file and give its number of lines; when ``blocks`` raises there is no file, or the old one still.

    ``blocks`` may read the very file that is replaced. A pipe or a device is written to as it is.

    Raises:
        CannotCreateError: the file exists and ``force`` is not given, or it cannot be written.
    """
    if not force and (path.is_file() or path.is_symlink()):
        raise CannotCreateError(f"{path} exists; give another name with -o, or --force to replace it")
    lines = 0
    with created(path) as out:
        for block in blocks:
            out.write(block.encode())
            lines += block.count("\n")
    return lines
