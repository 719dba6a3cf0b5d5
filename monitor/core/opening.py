"""Inputs that cannot be opened or read, told in the program's own words whoever reads them."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from monitor.core.errors import DataError, NoInputError, PermissionDeniedError


@contextmanager
def reading(path: str | Path, kind: str = "file") -> Generator[None, None, None]:
    """Opens and reads a file inside the context, and nothing else: every failure of the system is taken for its own.

    Args:
        path: what the file is called in messages.
        kind: what sort of file is expected, said when there is none.

    Raises:
        NoInputError: it does not exist, or is a directory.
        PermissionDeniedError: it may not be read.
        DataError: it cannot be read to its end, or is packed and damaged.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise NoInputError(f"{path}: there is no such {kind}") from None
    except IsADirectoryError:
        raise NoInputError(f"{path}: is a directory; name a {kind}") from None
    except PermissionError:
        raise PermissionDeniedError(f"{path}: this user may not read it") from None
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read to its end: {reason}") from error
