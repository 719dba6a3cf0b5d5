"""Reads the configuration file with the plugins installed, and finds the places it leaves to its surroundings."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from monitor.core.config import Config
from monitor.core.config_reading import read_config
from monitor.core.config_text import MAX_CONFIG_BYTES, config_text
from monitor.core.errors import NoInputError, PermissionDeniedError
from monitor.core.strict import StrictModel
from monitor.core.yaml_text import read_yaml
from monitor.plugins import finding

DEFAULT_CONFIG = Path("/etc/aemonitor/aemonitor.yaml")
DRAFTED = "aemonitor.yaml"
"""What `aemonitor init` writes, in the directory where it is called."""
DEFAULT_STATE_DIR = Path("/var/lib/aemonitor")
STDIN = "-"
STDIN_NAME = "<stdin>"


class InstalledPlugins:
    """The catalog of everything found beside this package; a plugin is imported when its options are asked for."""

    def kinds(self, group: str) -> tuple[str, ...]:
        return finding.kinds(group)

    def options_model(self, group: str, kind: str) -> type[StrictModel]:
        return finding.options_model(group, kind)


def config_path(option: str | Path | None, environ: Mapping[str, str]) -> Path:
    """Which configuration is meant: the option, else ``$AEMONITOR_CONFIG``, else the one in /etc.

    >>> config_path(None, {"AEMONITOR_CONFIG": "/x.yaml"}).as_posix(), config_path("-", {}).as_posix()
    ('/x.yaml', '-')
    """
    return Path(option or environ.get("AEMONITOR_CONFIG") or DEFAULT_CONFIG)


def load_config(path: Path | str, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration in a file, or on stdin for ``-``.

    ``environ`` is what ``${env:...}`` refers to; by default the environment of the process.

    Raises:
        ConfigError: with every problem in it.
        NoInputError: there is no such file.
        PermissionDeniedError: it must not be read.
    """
    name = STDIN_NAME if str(path) == STDIN else str(path)
    return load_config_text(config_text(_read(path), name), name, environ)


def load_config_text(text: str, name: str, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration in ``text``, called ``name`` in messages.

    Raises:
        ConfigError: with every problem in it.
    """
    return read_config(read_yaml(text, os.environ if environ is None else environ), InstalledPlugins(), name)


def resolve_state_dir(config: Config, environ: Mapping[str, str]) -> Path:
    """Where ledger and models stand: ``state_dir`` beats ``$STATE_DIRECTORY``, which beats /var/lib/aemonitor.

    systemd separates several directories by colons; the first is meant.
    """
    if config.state_dir is not None:
        return config.state_dir
    given = environ.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(given) if given else DEFAULT_STATE_DIR


def _read(path: Path | str) -> bytes:
    if str(path) == STDIN:
        return sys.stdin.buffer.read(MAX_CONFIG_BYTES + 1)
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_CONFIG_BYTES + 1)
    except FileNotFoundError:
        here = f" ({DRAFTED} is in this directory)" if Path(DRAFTED).is_file() else ""
        raise NoInputError(
            f"there is no configuration at {path}; name one with -c or AEMONITOR_CONFIG{here}, "
            "or write one from a sample of your data with `aemonitor init SAMPLE -o FILE`"
        ) from None
    except PermissionError:
        raise PermissionDeniedError(
            f"the configuration {path} must not be read by this user; run as the service's user or change its mode"
        ) from None
    except OSError as error:
        raise NoInputError(f"the configuration {path} cannot be read: {error.strerror or error}") from error
