"""Gives every record a number that nothing but its place in its file decides: who is in the sample is no accident."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np

from monitor.core.records import RawBatch
from monitor.core.spans import mix
from monitor.core.strings import U64

KEY_BYTES = 16


def record_hashes(raw: RawBatch, key: bytes) -> U64:
    """A hash of file, epoch and offset of each record, [n]; no two records of an epoch have the same.

    Without the ``key`` nobody can choose places whose records get into the sample.
    """
    seed = _seed(key, raw.origin.file_id, raw.origin.epoch)
    return mix(raw.offsets.astype(np.uint64) ^ seed)


@lru_cache(maxsize=1024)
def _seed(key: bytes, file_id: str, epoch: int) -> np.uint64:
    place = f"{file_id}\0{epoch}".encode("utf-8", "surrogatepass")
    return np.uint64(int.from_bytes(hashlib.blake2b(place, key=key, digest_size=8).digest(), "big"))
