"""Gives records numbers that nothing but their place in their file, or their key, decides: no sample is an accident.

Without the secret ``key`` nobody can choose places, or names, that get into it.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np

from monitor.core.arrow import pc
from monitor.core.records import RawBatch, RecordBatch
from monitor.core.spans import mix
from monitor.core.strings import U64, pieces
from monitor.core.tokens import text_hashes

KEY_BYTES = 16

MOST_KEY_BYTES = 4096
"""Keys that begin with the same bytes, so many of them, have their turn together."""

KEYS = "\0keys"
"""What the hashes of keys begin with; no file is called so."""


def record_hashes(raw: RawBatch, key: bytes) -> U64:
    """A hash of file, epoch and offset of each record, [n]; no two records of an epoch have the same."""
    seed = _seed(key, raw.origin.file_id, raw.origin.epoch)
    return mix(raw.offsets.astype(np.uint64) ^ seed)


def key_hashes(records: RecordBatch, key: bytes) -> U64:
    """A hash of the key of each record, [n]; one for all that have none, and of a stream without keys."""
    seed = _seed(key, KEYS, 0)
    if records.keys is None:
        return np.full(len(records), seed)
    encoded = records.keys.dictionary_encode()
    names = encoded.dictionary
    hashed = [mix(text_hashes(texts) ^ seed) for _, texts in pieces(names, MOST_KEY_BYTES)]
    codes = pc.fill_null(encoded.indices, len(names)).to_numpy(zero_copy_only=False)
    found: U64 = np.concatenate([*hashed, np.array([seed])])[codes]
    return found


@lru_cache(maxsize=128)
def _seed(key: bytes, file_id: str, epoch: int) -> np.uint64:
    place = f"{file_id}\0{epoch}".encode("utf-8", "surrogatepass")
    return np.uint64(int.from_bytes(hashlib.blake2b(place, key=key, digest_size=8).digest(), "big"))
