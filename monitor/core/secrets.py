"""Secrets stand in files that are read anew for each use: a new one counts at once, and none is ever in a message."""

from __future__ import annotations

from pathlib import Path

from monitor.core.errors import DataError
from monitor.core.opening import reading

MAX_BYTES = 64 * 1024
"""A longer file is not a password."""


def read_secret(path: str, option: str) -> str:
    """What stands in the file, without the white space around it; ``option`` is what names the file, for messages.

    Raises:
        NoInputError, PermissionDeniedError: the file is not there, or this user may not read it.
        DataError: it is empty, too long or no text.
    """
    with reading(path, f"file ({option})"), Path(path).open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    try:
        text = content.decode().strip()
    except UnicodeDecodeError:
        raise DataError(f"{path}: {option} names a file that is not text in UTF-8") from None
    if not text or len(content) > MAX_BYTES:
        raise DataError(f"{path}: {option} names a file that is {'too long' if text else 'empty'}; one secret goes in")
    return text
