"""A file system in user space that shows a directory elsewhere, and knows what nobody has read of it when it is gone.

``python -m tests.loopback DIRECTORY MOUNTPOINT [REPORT]`` returns when it is mounted. With ``REPORT``, whenever content
is destroyed, a line says how many bytes of it were written and how many of these were read by nobody: ``size missed``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from monitor.sources._identity import HEAD_BYTES
from tests.e2e.support import need
from tests.watching import REPOSITORY

FRESH: dict[str, Any] = {"attr_timeout": 0, "entry_timeout": 0, "direct_io": True, "use_ino": True}
"""Nothing comes from a cache of the kernel: every look and every read comes here."""


class Loopback:
    """Everything is done to the directory below. Of each inode it knows up to where it was read without a gap."""

    use_ns = True

    def __init__(self, below: Path, report: Path | None) -> None:
        self._below = below
        self._report = report
        self._read_to: dict[int, int] = {}

    def _at(self, path: str) -> Path:
        return self._below / path.lstrip("/")

    # -- what destroys content ---------------------------------------------------------------------------------

    def unlink(self, path: str) -> int:
        """What is still open has been renamed by the library; it is unlinked when it is closed."""
        self._destroyed(self._at(path), 0)
        self._at(path).unlink()
        return 0

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        self._destroyed(self._at(path), length)
        os.truncate(self._at(path) if fh is None else fh, length)
        return 0

    def rename(self, old: str, new: str) -> int:
        if self._at(new).exists():
            self._destroyed(self._at(new), 0)
        self._at(old).rename(self._at(new))
        return 0

    def _destroyed(self, path: Path, length: int) -> None:
        status = path.lstat()
        read_to = self._read_to.pop(status.st_ino, 0)
        self._read_to[status.st_ino] = min(read_to, length)
        if self._report is not None and status.st_nlink == 1 and status.st_size > length:
            with self._report.open("a") as report:
                print(status.st_size - length, status.st_size - max(read_to, length), file=report)

    # -- what reads and writes ---------------------------------------------------------------------------------

    def read(self, _path: str, size: int, offset: int, fh: int) -> bytes:
        data = os.pread(fh, size, offset)
        inode = os.fstat(fh).st_ino
        before = self._read_to.get(inode, 0)
        if offset <= before and size > HEAD_BYTES:  # fewer are only looked at, to know a file again
            self._read_to[inode] = max(before, offset + len(data))
        return data

    def write(self, _path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def open(self, path: str, flags: int) -> int:
        return os.open(self._at(path), flags & ~os.O_APPEND)  # the kernel says where

    def create(self, path: str, mode: int, fi: object = None) -> int:
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)

    def release(self, _path: str, fh: int) -> int:
        os.close(fh)
        return 0

    def fsync(self, _path: str, _datasync: int, fh: int) -> int:
        os.fsync(fh)
        return 0

    # -- what only looks, or concerns names --------------------------------------------------------------------

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        status = self._at(path).lstat() if fh is None else os.fstat(fh)
        times = {f"st_{kind}time": getattr(status, f"st_{kind}time_ns") for kind in "amc"}
        return {name: getattr(status, name) for name in dir(status) if name.startswith("st_")} | times

    def readdir(self, path: str, _fh: int) -> list[tuple[str, dict[str, Any], int]]:
        names = [".", "..", *(entry.name for entry in self._at(path).iterdir())]
        return [(name, self.getattr(f"{path}/{name}"), 0) for name in names]

    def readlink(self, path: str) -> str:
        return str(self._at(path).readlink())

    def symlink(self, target: str, source: str) -> int:
        self._at(target).symlink_to(source)
        return 0

    def link(self, target: str, source: str) -> int:
        self._at(target).hardlink_to(self._at(source))
        return 0

    def mknod(self, path: str, mode: int, dev: int) -> int:
        os.mknod(self._at(path), mode, dev)
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        self._at(path).mkdir(mode)
        return 0

    def rmdir(self, path: str) -> int:
        self._at(path).rmdir()
        return 0

    def chmod(self, path: str, mode: int) -> int:
        self._at(path).chmod(mode)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        os.utime(self._at(path), ns=times) if times else os.utime(self._at(path))
        return 0


@contextmanager
def loopback(below: Path, seen: Path, report: Path | None = None) -> Iterator[None]:
    """The directory ``below`` is at ``seen``, too, by way of a file system in user space."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("there is no /dev/fuse for us")
    arguments = [str(path) for path in (below, seen, report) if path is not None]
    mounting = subprocess.run(
        [sys.executable, "-m", "tests.loopback", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    if mounting.returncode:
        pytest.skip(f"this system does not mount a file system of ours: {mounting.stderr[-500:]}")
    try:
        yield
    finally:
        subprocess.run([need("umount"), "--lazy", str(seen)], check=True)


if __name__ == "__main__":
    import mfusepy  # type: ignore[import-untyped]

    below, seen, *report = map(Path, sys.argv[1:])
    mfusepy.FUSE(Loopback(below.resolve(), report[0].resolve() if report else None), str(seen), **FRESH)
