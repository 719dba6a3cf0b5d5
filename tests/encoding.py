"""Test support: an encoder from its kind and options, and what it makes of Python lists."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from monitor import plugins
from monitor.core.arrays import F32
from monitor.core.protocols import Encoder, Finding, FittedEncoder
from monitor.core.records import RecordBatch


def encoder(kind: str, field: str = "x", /, **options: Any) -> Encoder:
    """An unfitted encoder, its options read as a configuration would be."""
    module = plugins.module("encoders", kind)
    built: Encoder = module.build(module.Config.model_validate_json(json.dumps(options)), field)
    return built


def encode(fitted: FittedEncoder, batch: RecordBatch) -> tuple[F32, F32]:
    """Network columns and novelty columns of a batch."""
    columns = np.zeros((len(batch), len(fitted.columns)), dtype=np.float32)
    novelty = np.zeros((len(batch), len(fitted.novelty)), dtype=np.float32)
    fitted.encode(batch, columns, novelty)
    return columns, novelty


def finding(fitted: FittedEncoder, batch: RecordBatch, reconstruction: list[float] | None = None) -> Finding:
    """What is said of the last row; without a reconstruction, one that is exact."""
    columns, novelty = encode(fitted, batch)
    recon = columns[-1] if reconstruction is None else np.array(reconstruction, dtype=np.float32)
    return fitted.explain(columns[-1], novelty[-1], recon)
