"""Bundles appear whole or not at all: whatever kills the publisher, the old or the new one is current, never a mix."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from safetensors.numpy import save as save_tensors

import monitor
from monitor.core.durable import sync_directory
from monitor.core.errors import BundleError, CannotCreateError, PermissionDeniedError
from monitor.model import ops
from monitor.model.bundle import BundleContents, verify
from monitor.model.card import card
from monitor.model.files import write_synced
from monitor.model.manifest import (
    CARD,
    EVIDENCE,
    FILE_NAME,
    FORMAT,
    MANIFEST,
    WEIGHTS,
    FileRecord,
    Manifest,
    digest,
    encode,
)
from monitor.model.ops import Kind
from monitor.model.versions import CURRENT, VERSION, current_version, stream_directory, versions

TEMPORARY = ".tmp-"
"""Prefix of what is unfinished; whoever holds the lock may delete it."""


def publish(
    root: Path,
    contents: BundleContents,
    *,
    now: float,
    keep: int = 5,
    attachments: Mapping[str, bytes] | None = None,
    check: Callable[[Path], None] = lambda _directory: None,
) -> str:
    """Publish a model and make it the current one.

    Every file is on the disk before the directory gets its name, and the name is before the pointer is swapped.
    Publishers of one stream wait for each other; readers never wait.

    Args:
        root: the directory of all models; made if missing.
        contents: the model.
        now: the time of publication, seconds since 1970 UTC.
        keep: how many versions stay, the new one included; the current one always does.
        attachments: further files by name, ``report.html`` say.
        check: told the complete version's directory, which nobody else can see yet; if it raises, nothing happened.

    Returns:
        The version's name.

    Raises:
        CannotCreateError: the disk is full, say; nothing has changed.
        PermissionDeniedError: the directory may not be written.
        BundleError: the contents do not fit together, the weights are not finite.
    """
    with _locked(root, contents.stream) as directory:
        version = _write(directory, contents, _stamp(now, versions(root, contents.stream)), attachments or {}, check)
        _point(directory, version)
        _prune(root, contents.stream, keep)
        return version


def demand_writable(root: Path, stream: str) -> None:
    """Insist that `publish` may write there, before hours of training find out.

    Raises:
        CannotCreateError: the file system is read-only, say.
        PermissionDeniedError: the directory may not be written.
    """
    with _locked(root, stream) as directory, TemporaryDirectory(prefix=TEMPORARY, dir=directory):
        pass


def promote(root: Path, stream: str, version: str, kind: Kind = "torch") -> None:
    """Make another published version the current one, after checking it completely, computed by ``kind``.

    Raises:
        BundleError: there is no such version, or it is damaged.
    """
    with _locked(root, stream) as directory:
        if version not in versions(root, stream):
            raise BundleError(f"{directory}: there is no version {version!r}; see `aemonitor models list`")
        verify(directory / version, kind)
        _point(directory, version)


@contextmanager
def _locked(root: Path, stream: str) -> Generator[Path, None, None]:
    """The stream's directory, held against other publishers until the end or the death of this process."""
    directory = stream_directory(root, stream)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _sweep(directory)
            yield directory
    except PermissionError as error:
        raise PermissionDeniedError(f"{error.filename or directory}: cannot write models: {error.strerror}") from error
    except OSError as error:
        raise CannotCreateError(f"{error.filename or directory}: cannot write models: {error.strerror}") from error


def _sweep(directory: Path) -> None:
    """Delete what killed publishers left behind."""
    for entry in directory.iterdir():
        if entry.name.startswith(TEMPORARY):
            _delete(entry)


def _delete(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()


def _stamp(now: float, existing: list[str]) -> datetime:
    """The moment a version is named after: ``now``, or just after the newest one should the clock have gone back."""
    moment = datetime.fromtimestamp(now, UTC)
    if not existing:
        return moment
    newest = datetime.strptime(existing[-1].partition("-")[0] + "+0000", "%Y%m%dT%H%M%S.%fZ%z")
    return max(moment, newest + timedelta(milliseconds=1))


def _write(
    directory: Path,
    contents: BundleContents,
    stamp: datetime,
    attachments: Mapping[str, bytes],
    check: Callable[[Path], None],
) -> str:
    holder = directory / f"{TEMPORARY}{secrets.token_hex(8)}"
    draft = holder / "draft"
    draft.mkdir(parents=True)
    try:
        version = _fill(draft, contents, stamp, attachments)
        named = draft.rename(holder / version)  # a bundle is sound only under its own name
        check(named)
        named.rename(directory / version)
    finally:
        shutil.rmtree(holder, ignore_errors=True)
    sync_directory(directory)
    return version


def _fill(draft: Path, contents: BundleContents, stamp: datetime, attachments: Mapping[str, bytes]) -> str:
    tensors, evidence = (
        {name: np.ascontiguousarray(ops.plain(tensor)) for name, tensor in part.items()}
        for part in (contents.module.state_dict(), contents.evidence)
    )
    if not all(map(ops.all_finite, (*tensors.values(), *evidence.values()))):
        raise BundleError(f"stream {contents.stream}: the weights are not finite; nothing was published")
    files = {**attachments, WEIGHTS: save_tensors(tensors)}
    if evidence:
        files[EVIDENCE] = save_tensors(evidence)
    own = {MANIFEST, CARD, WEIGHTS, EVIDENCE}
    strange = [name for name in attachments if not FILE_NAME.fullmatch(name) or name in own]
    if strange:
        raise BundleError(f"attachment {strange[0]!r} is not a plain file name, or the bundle's own")
    manifest = _manifest(contents, stamp, {})
    files[CARD] = card(manifest).encode()
    records = {name: FileRecord(digest(data), len(data)) for name, data in sorted(files.items())}
    files[MANIFEST] = encode(_manifest(contents, stamp, records))
    for name, data in files.items():
        write_synced(draft / name, data)
    sync_directory(draft)
    moment = stamp.strftime("%Y%m%dT%H%M%S.") + f"{stamp.microsecond // 1000:03d}Z"
    return f"{moment}-{digest(files[MANIFEST])[:12]}"


def _manifest(contents: BundleContents, stamp: datetime, files: dict[str, FileRecord]) -> Manifest:
    import torch  # what is published was trained by it; to use another version nobody needs it

    blocks = contents.layout.blocks
    try:
        json.dumps(contents.features, allow_nan=False)  # the encoder below would write NaN as null without a word
        return Manifest(
            format=FORMAT,
            created=stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            stream=contents.stream,
            versions={"aemonitor": monitor.__version__, "torch": str(torch.__version__)},
            seed=contents.config.seed,
            features=contents.features,
            layout=tuple((b.feature, b.stop - b.start, b.novelty_stop - b.novelty_start) for b in blocks),
            model=contents.config.model_dump(),
            widths=contents.module.widths,
            calibration=contents.calibration,
            threshold=contents.threshold,
            canary=contents.canary,
            data=contents.data,
            history=contents.history,
            files=files,
            sections=dict(contents.sections),
            score=contents.score,
            limit=contents.limit,
            windows=contents.module.windows,
            trials=contents.trials,
        )
    except (ValueError, TypeError) as error:
        raise BundleError(f"stream {contents.stream}: {error}; nothing was published") from error


def _point(directory: Path, version: str) -> None:
    """Swap the pointer in one step. A file, not a symbolic link: it survives copying, and is read before it is used."""
    draft = directory / f"{TEMPORARY}{secrets.token_hex(8)}"
    write_synced(draft, f"{version}\n".encode())
    draft.replace(directory / CURRENT)
    sync_directory(directory)


def _prune(root: Path, stream: str, keep: int) -> None:
    """Remove the oldest versions beyond ``keep``; each leaves under another name first, so no half of one is seen."""
    existing, current = versions(root, stream), current_version(root, stream)
    for version in existing[: -max(1, keep)]:
        if version != current and VERSION.fullmatch(version):
            place = stream_directory(root, stream)
            _delete((place / version).rename(place / f"{TEMPORARY}{version}-{os.getpid()}"))
