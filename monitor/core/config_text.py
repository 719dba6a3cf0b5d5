"""The bytes of a configuration file as text, or what is wrong with them and where."""

from __future__ import annotations

from monitor.core.errors import ConfigError, Problem

MAX_CONFIG_BYTES = 4 * 1024 * 1024
"""A larger file is refused: it is not a configuration. A thousand streams of ten features take a tenth of it."""


def config_text(data: bytes, name: str) -> str:
    """The text of a file, called ``name`` in messages. A reader needs no more of it than ``MAX_CONFIG_BYTES`` + 1.

    Raises:
        ConfigError: it is too large or not UTF-8.
    """
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigError(name, [Problem(f"larger than {MAX_CONFIG_BYTES:,} bytes; this is not a configuration")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        raise ConfigError(name, [Problem("the file is not UTF-8 text here", "", line, column)]) from error
