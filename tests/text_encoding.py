"""Test support: encoders of one text field, fitted to and applied to Python lists."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.core.arrays import F32
from monitor.core.protocols import Encoder, Finding, FittedEncoder
from monitor.core.records import Field, FieldType, RecordBatch
from tests.records import records

NAME = "thing"


def texts_of(values: Sequence[str | None]) -> RecordBatch:
    """A batch of one text field."""
    return records({Field(NAME, FieldType.TEXT): values})


def encode(encoder: FittedEncoder, *values: str | None) -> tuple[F32, F32]:
    """Network columns and novelty columns of the values."""
    columns = np.zeros((len(values), len(encoder.columns)), dtype=np.float32)
    novelty = np.zeros((len(values), len(encoder.novelty)), dtype=np.float32)
    encoder.encode(texts_of(values), columns, novelty)
    return columns, novelty


def surprise(encoder: FittedEncoder, value: str | None) -> dict[str, float]:
    """The novelty columns of a value that are not 0."""
    _, novelty = encode(encoder, value)
    return {name: strength for name, strength in zip(encoder.novelty, novelty[0].tolist(), strict=True) if strength}


def total(encoder: FittedEncoder, value: str | None) -> float:
    """All bans of a value together."""
    return sum(surprise(encoder, value).values())


def finding(encoder: FittedEncoder, value: str | None, reconstructed: str | None = None) -> Finding:
    """What is said of a value whose network columns come back as those of another one (or its own)."""
    columns, novelty = encode(encoder, value)
    reconstruction, _ = encode(encoder, value if reconstructed is None else reconstructed)
    return encoder.explain(columns[0], novelty[0], reconstruction[0])


def fit(encoder: Encoder, values: Sequence[str | None]) -> FittedEncoder:
    """The encoder, taught by values of its field."""
    return encoder.fit(texts_of(values))
