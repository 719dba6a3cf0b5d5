"""The registry commands: which models are published, what they are, and whether they are sound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from monitor.app.streams import chosen_streams, models_root, only_stream
from monitor.core.errors import BundleError, NoInputError
from monitor.model.manifest import CARD, MANIFEST, read_manifest
from monitor.model.ops import Kind
from monitor.model.versions import current_version, stream_directory, version_directory, versions
from monitor.plugins import load_config


class Version(msgspec.Struct, frozen=True):
    """A published version; ``records`` is how many it learned and calibrated from."""

    stream: str
    version: str
    current: bool
    created: str
    records: int


def list_versions(config_path: Path, stream: str | None) -> list[Version]:
    """All versions of a stream, or of all, oldest first."""
    config = load_config(config_path)
    root = models_root(config)
    found: list[Version] = []
    for name in chosen_streams(config, [stream] if stream else []):
        current = current_version(root, name)
        for version in versions(root, name):
            manifest = read_manifest(stream_directory(root, name) / version)
            data = manifest.data
            records = data.train + data.early_stop + data.calibration
            found.append(Version(name, version, version == current, manifest.created, records))
    return found


def card(config_path: Path, stream: str | None, version: str | None) -> str:
    """The model card of a version."""
    return _file(config_path, stream, version, CARD)


def manifest(config_path: Path, stream: str | None, version: str | None) -> str:
    """The manifest of a version, as JSON."""
    return _file(config_path, stream, version, MANIFEST)


def verify_versions(config_path: Path, stream: str | None, version: str | None) -> Iterator[str]:
    """Check the given version, or every one, completely; gives the name of each sound one.

    Raises:
        BundleError: the first that is not sound, with file and reason.
        NoInputError: nothing has been published.
    """
    config = load_config(config_path)
    root = models_root(config)
    checked = 0
    for name in chosen_streams(config, [stream] if stream else []):
        for found in versions(root, name):
            if version in (None, found):
                verify_directory(stream_directory(root, name) / found, config.backend)
                checked += 1
                yield f"{name}/{found}"
    if not checked:
        raise NoInputError(
            f"no published model was found under {root}"
            + (f" for {stream}" if stream else "")
            + "; run `aemonitor retrain`"
        )


def verify_directory(path: Path, kind: Kind = "torch") -> None:
    """Check a version where it stands, completely, computed by ``kind``.

    Raises:
        BundleError: it is not sound; with file and reason.
    """
    from monitor.app.compose import restore_features  # here: to list and show models nobody needs all of that
    from monitor.model.bundle import verify
    from monitor.scoring.choice import scorer_of

    contents = verify(path, kind).contents
    try:
        scorer_of(contents, restore_features(contents).layout)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from error


def _file(config_path: Path, stream: str | None, version: str | None, name: str) -> str:
    config = load_config(config_path)
    only = only_stream(config, stream)
    return (version_directory(models_root(config), only, version) / name).read_text()
