"""The text encoder knows benign log messages again and is surprised by as much as benign data justify."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from monitor.core.arrays import F32
from monitor.core.errors import DataError
from monitor.core.novelty import changed, never
from monitor.core.protocols import Finding, FittedEncoder
from monitor.core.records import Field, FieldType
from monitor.encoders import text
from monitor.encoders.text import Config
from tests.records import records

USERS = ("root", "alice", "bob", "carol")
BENIGN = [
    message
    for i in range(200)
    for message in (
        f"Accepted password for {USERS[i % 4]} from 10.0.{i % 7}.{i} port {1000 + i}",
        f"session opened for {USERS[i % 3]} (uid={i})",
        f"session closed after {i * 1.7:g} s",
    )
]


def fit(values: Sequence[str | None], **options: int) -> FittedEncoder:
    return text.build(Config(**options), "message").fit(column(values))


def column(values: Sequence[str | None]) -> object:
    return records({Field("message", FieldType.TEXT): values})


def encode(encoder: FittedEncoder, *values: str | None) -> tuple[F32, F32]:
    columns = np.zeros((len(values), len(encoder.columns)), dtype=np.float32)
    novelty = np.zeros((len(values), len(encoder.novelty)), dtype=np.float32)
    encoder.encode(records({Field("message", FieldType.TEXT): values}), columns, novelty)
    return columns, novelty
