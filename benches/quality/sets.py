"""Labelled sets of numbers as trials: benign rows to learn, and a test with the truth beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from monitor.core.arrays import F64, I64, Bools

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PERIOD_SECONDS = {"asd": 300, "smd": 60}
"""As published; the sets have no times of their own."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Learn ``train``, score ``test``, compare with ``truth`` [n], True for anomalous.

    ``matrices`` are the same two as numbers, for detectors that read nothing else; ``one_unit`` says that their columns
    need no scaling. ``options`` are what ``aemonitor init`` writes where a table alone does not say it; nothing is
    chosen for one set.
    """

    group: str
    name: str
    train: Any
    test: Any
    truth: Bools
    matrices: tuple[F64, F64]
    seed: int = 0
    one_unit: bool = False
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


def data_dir() -> Path:
    """Where the labelled sets are: ``$AEMONITOR_DATA`` or ``../shared/data``.

    Raises:
        SystemExit: they are not there.
    """
    place = Path(os.environ.get("AEMONITOR_DATA", REPOSITORY.parent / "shared" / "data"))
    if not place.is_dir():
        raise SystemExit(f"the labelled data sets are not at {place}; say where with AEMONITOR_DATA=DIRECTORY")
    return place


def split_benign(truth: Bools, seed: int) -> tuple[I64, I64]:
    """Rows to learn and rows to test: half of the benign ones, shuffled; the other half and all anomalies."""
    benign = np.random.default_rng(seed).permutation(np.flatnonzero(~truth))
    half = len(benign) // 2
    return benign[:half], np.concatenate([benign[half:], np.flatnonzero(truth)])


def tabular(place: Path, seeds: int) -> Iterator[Trial]:
    """Ten ADBench sets; one trial a set and seed."""
    for path in sorted((place / "tabular").glob("*.npz")):
        with np.load(path) as data:
            rows, truth = data["X"].astype(np.float64), data["y"].astype(np.bool_)
        for seed in range(seeds):
            train, test = split_benign(truth, seed)
            learned, judged = rows[train], rows[test]
            name = path.stem.split("_", 1)[1]
            yield Trial("tabular", name, learned, judged, truth[test], (learned, judged), seed)


def servers(place: Path) -> Iterator[Trial]:
    """Machines of two fleets: the published benign part, then every row of the test part in order."""
    for path in sorted((place / "servers").glob("*.npz")):
        with np.load(path) as data:
            train, test, truth = (data[part].astype(np.float64) for part in ("train", "test", "label"))
        fleet = path.stem[:3]
        period = PERIOD_SECONDS[fleet]
        learned, judged = timed(train, 0, period), timed(test, len(train), period)
        yield Trial(fleet, path.stem, learned, judged, truth > 0, (train, test))


def timed(rows: F64, first: int, period_seconds: int) -> pa.Table:
    """Rows [n, d] as a table x0, x1, ... with the time of each, ``first`` periods after the beginning of 2024."""
    seconds = (np.arange(len(rows)) + first) * period_seconds
    times = np.datetime64("2024-01-01", "s") + seconds.astype("timedelta64[s]")
    return pa.table({"time": times, **{f"x{i}": column for i, column in enumerate(rows.T)}})
