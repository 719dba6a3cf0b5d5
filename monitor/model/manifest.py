"""``manifest.json``: everything of a bundle but the weights, as typed JSON that is checked when it is read."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from monitor.core.arrays import F32
from monitor.core.drifted import Usual
from monitor.core.errors import BundleError
from monitor.core.features import Layout
from monitor.core.limit import Limit
from monitor.model.calibration import Calibration, ScoreRange
from monitor.model.files import read_regular
from monitor.model.history import History
from monitor.model.trials import UNTRIED, Trials
from monitor.model.windows import Windows

FORMAT = 1
"""Version of the bundle's format; a program reads its own and older ones."""

MANIFEST, WEIGHTS, EVIDENCE = "manifest.json", "weights.safetensors", "evidence.safetensors"
CARD = "MODEL.md"

MANIFEST_LIMIT = 2**28
"""Most bytes of a manifest: vocabularies of the encoders are in it."""

FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""What a file of a bundle may be called: no directory, nothing hidden."""

Count = Annotated[int, msgspec.Meta(ge=0)]
Width = Annotated[int, msgspec.Meta(ge=1)]


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of the bundle as it was published."""

    sha256: str
    bytes: Count


@dataclass(frozen=True, slots=True)
class Canary:
    """A few encoded rows with what the publisher saw of them: whoever loads the bundle must get the same.

    Half of the rows are benign, half have one feature spoiled, so that all that a score learned has a part in it.
    """

    values: tuple[tuple[float, ...], ...]  # [m, total]
    errors: tuple[float, ...]  # [m]
    scores: tuple[float, ...] = ()  # [m], of a score other than the plain L1; bundles from before it was kept have none

    def rows(self) -> F32:
        """The encoded rows, [m, total]."""
        return np.array(self.values, dtype=np.float32).reshape(len(self.errors), -1)


@dataclass(frozen=True, slots=True)
class DataSummary:
    """What the model learned from: records in each split, and the event time of the first and the last one.

    Times are seconds since 1970 UTC; None when the stream has no event time.
    """

    train: Count
    early_stop: Count
    calibration: Count
    first_time: float | None = None
    last_time: float | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The file as it stands; ``layout`` lists (feature, network columns, novelty columns), ``widths`` every layer.

    ``sections`` are the other sections of the configuration that the model was made by: ``score`` and ``alert``.
    """

    format: int
    created: str  # RFC 3339 UTC
    stream: str
    versions: dict[str, str]  # aemonitor, torch
    seed: int
    features: list[Any]
    layout: tuple[tuple[str, Count, Count], ...]
    model: dict[str, Any]
    widths: tuple[Width, ...]
    calibration: Calibration
    threshold: float
    canary: Canary
    data: DataSummary
    history: History
    files: dict[str, FileRecord]
    sections: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    score: ScoreRange | None = None  # None: the plain L1 score
    limit: Limit | None = None
    windows: Windows | None = None  # which columns a network over windows reads step by step
    trials: Trials = UNTRIED  # what it showed before it was published

    def __post_init__(self) -> None:
        columns = sum(network for _, network, _ in self.layout)
        total = columns + sum(novelty for _, _, novelty in self.layout)
        if not math.isfinite(self.threshold):
            raise ValueError("threshold is not finite")
        if (self.widths[0], self.widths[-1]) != (columns, columns) if self.widths else columns:
            raise ValueError(f"layers {list(self.widths)} do not fit the {columns} network columns of the layout")
        if len(self.widths) in (1, 2):
            raise ValueError(f"layers {list(self.widths)} have no hidden layer")
        if self.windows is not None and max(self.windows.flat) >= columns:
            raise ValueError(f"windows name column {max(self.windows.flat)}, and the layout has {columns}")
        if len(self.calibration.field_means) != len(self.layout):
            raise ValueError("calibration and layout have different numbers of features")
        if not self.canary.errors or len(self.canary.values) != len(self.canary.errors):
            raise ValueError("canary rows and errors do not match")
        if len(self.canary.scores) not in (0, len(self.canary.errors)):
            raise ValueError("canary rows and scores do not match")
        if any(len(row) != total for row in self.canary.values):
            raise ValueError(f"canary rows do not have the {total} columns of the layout")

    @property
    def usual(self) -> Usual:
        """What is usual of benign records; drift is told by it."""
        names = (name for name, _, _ in self.layout)
        return Usual(dict(zip(names, self.calibration.field_means, strict=True)), self.trials.novel)

    def columns(self) -> Layout:
        """The layout as the encoders and the scorer use it."""
        return Layout.of(self.layout, novelty=self.model.get("novelty") is not False)


def digest(data: bytes) -> str:
    """SHA-256 as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def encode(manifest: Manifest) -> bytes:
    """The manifest as indented JSON, for people too."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1)


def read_manifest(directory: Path) -> Manifest:
    """The manifest of a version, as it stands; nothing else of it is looked at.

    Raises:
        BundleError: it is missing, or no manifest.
    """
    return decode(read_regular(directory / MANIFEST, MANIFEST_LIMIT), directory / MANIFEST)


def decode(data: bytes, path: Path) -> Manifest:
    """The manifest in ``data``; ``path`` is named in errors.

    Raises:
        BundleError: not JSON, a newer format, or a value that is missing or does not fit.
    """
    try:
        written = msgspec.json.decode(data, type=dict[str, Any]).get("format")
        if isinstance(written, int) and written > FORMAT:
            raise BundleError(
                f"{path}: format {written} is newer than {FORMAT}, which this program reads; upgrade aemonitor"
            )
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise BundleError(f"{path}: not a manifest: {error}") from error
    strange = [name for name in manifest.files if not FILE_NAME.fullmatch(name) or name == MANIFEST]
    if strange:
        raise BundleError(f"{path}: lists a file {strange[0]!r}, which is not a plain name inside the bundle")
    if WEIGHTS not in manifest.files:
        raise BundleError(f"{path}: lists no {WEIGHTS}")
    return manifest
