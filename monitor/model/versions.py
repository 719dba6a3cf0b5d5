"""Which versions of a model are published and which is in use, told by names alone: nothing of a bundle is loaded."""

from __future__ import annotations

import re
from pathlib import Path

from monitor.core.errors import BundleError, DataError, NoInputError
from monitor.model.files import read_regular

CURRENT = "current"

VERSION = re.compile(r"\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{12}")
"""UTC time of publication, so that names sort by age, and the first digits of the manifest's SHA-256."""

STREAM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def versions(root: Path, stream: str) -> list[str]:
    """All versions of a stream, oldest first; empty when nothing was published."""
    directory = stream_directory(root, stream)
    if not directory.is_dir():
        return []
    return sorted(entry.name for entry in directory.iterdir() if VERSION.fullmatch(entry.name) and entry.is_dir())


def current_version(root: Path, stream: str) -> str | None:
    """The version in use; None when nothing was published.

    Raises:
        BundleError: the pointer is damaged.
    """
    directory = stream_directory(root, stream)
    return pointed_to(directory) if (directory / CURRENT).exists() else None


def pointed_to(directory: Path) -> str:
    """What the pointer of a stream's directory says. BundleError when it is missing or not a version."""
    pointer = directory / CURRENT
    text = read_regular(pointer, 200).decode("ascii", "replace").strip()
    if not VERSION.fullmatch(text):
        raise BundleError(
            f"{pointer}: {text[:80]!r} is not a version; write the name of one of the directories beside it into it, "
            "or run `aemonitor retrain`"
        )
    return text


def version_directory(root: Path, stream: str, version: str | None = None) -> Path:
    """Where a published version is; by default the one in use.

    Raises:
        NoInputError: there is none of that name, or nothing was published.
    """
    wanted = version or current_version(root, stream)
    if wanted not in versions(root, stream):
        raise NoInputError(f"stream {stream} has no published model {wanted or ''}; see `aemonitor models list`")
    return stream_directory(root, stream) / wanted


def stream_directory(root: Path, stream: str) -> Path:
    """Where a stream's versions are.

    Raises:
        DataError: the name could leave the root.
    """
    if not STREAM.fullmatch(stream):
        raise DataError(f"stream {stream!r}: a name has letters, digits, dots, - and _, and does not start with a dot")
    return root / stream
