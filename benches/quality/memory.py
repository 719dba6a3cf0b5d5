"""Results of peers from one run to the next: they change only with the data, the protocol or the library."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from .sets import Trial

T = TypeVar("T")


def key(trial: Trial, peer: str, library: str) -> str:
    """What a result depends on: the set, the peer, its version and the very numbers that it reads."""
    checksum = 0
    for part in (*trial.matrices, trial.truth):
        checksum = zlib.crc32(part.tobytes(), checksum)
    return f"{trial.group}/{trial.name}/{trial.seed}/{peer}/{library}/{checksum:08x}"


class Memory:
    """A JSON file of results by key, written at once when one is added."""

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self._path = path
        self._results: dict[str, object] = {}
        if path.exists() and not fresh:
            self._results = msgspec.json.decode(path.read_bytes(), type=dict[str, object])

    def recall(self, key: str, kind: type[T], compute: Callable[[], T]) -> T:
        """The result of this key, computed if it is not known."""
        if key not in self._results:
            self._results[key] = msgspec.to_builtins(compute())
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(msgspec.json.format(msgspec.json.encode(self._results)))
        return msgspec.convert(self._results[key], kind)
