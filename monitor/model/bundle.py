"""A published model read back, and trusted only after every check: nothing of a bundle is ever executed.

A bundle is a directory ``<root>/<stream>/<version>/``. The version's last part is a hash of ``manifest.json``, the
manifest has the hash of every other file, and the canary rows prove that this machine computes what the publisher saw.
``<root>/<stream>/current`` is a small file that names the version in use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from monitor.core.arrays import F32
from monitor.core.drifted import Usual
from monitor.core.errors import BundleError
from monitor.core.features import Layout
from monitor.core.limit import Limit
from monitor.core.model_config import ModelConfig
from monitor.model.calibration import Calibration, ScoreRange
from monitor.model.files import read_regular
from monitor.model.history import History
from monitor.model.inference import Inference
from monitor.model.manifest import (
    EVIDENCE,
    MANIFEST,
    MANIFEST_LIMIT,
    WEIGHTS,
    Canary,
    DataSummary,
    FileRecord,
    Manifest,
    decode,
    digest,
)
from monitor.model.network import Network, PlainNetwork, Shapes, dense_shapes
from monitor.model.ops import Array, Kind, all_finite
from monitor.model.tensors import check_numbers, read_tensors
from monitor.model.trials import UNTRIED, Trials
from monitor.model.versions import VERSION, pointed_to

FILE_LIMIT = 2**32
"""Most bytes of any file but the manifest."""

CANARY_ROWS = 8
SPOILT = 3.0
"""Spreads of a benign number, or bans of a novelty."""

CANARY_TOLERANCE = 1e-4
"""Relative to the error or to 1: ten times what two processors differ by, a tenth of what any decision feels."""


@dataclass(frozen=True, slots=True)
class BundleContents:
    """All that is published of a model.

    ``features`` is plain JSON that only the encoders understand; ``evidence``, arrays that only the score ``score`` of
    which it is the range does. Without them the score is the plain L1. All arrays are of the module's kind.
    """

    stream: str
    module: Network
    config: ModelConfig
    layout: Layout
    features: list[Any]
    calibration: Calibration
    threshold: float
    canary: Canary
    data: DataSummary
    history: History
    sections: Mapping[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    score: ScoreRange | None = None
    evidence: Mapping[str, Array] = field(default_factory=dict[str, Array])
    limit: Limit | None = None  # what to expect above the threshold
    trials: Trials = UNTRIED

    @property
    def usual(self) -> Usual:
        """What is usual of benign records; drift is told by it."""
        names = (block.feature for block in self.layout.blocks)
        return Usual(dict(zip(names, self.calibration.field_means, strict=True)), self.trials.novel)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that passed every check. ``sha256`` is that of its manifest and so stands for all of it."""

    contents: BundleContents
    version: str
    sha256: str
    created: str
    path: Path
    files: dict[str, FileRecord]


def canary_of(inference: Inference, values: F32) -> Canary:
    """A canary with errors: up to 8 benign rows spread over ``values`` [n, total], n > 0, and the same spoiled."""
    benign = values[np.unique(np.linspace(0, len(values) - 1, CANARY_ROWS).astype(np.int64))]
    rows = np.concatenate([benign, _spoiled(benign, inference.layout)])
    errors = inference.errors(rows)
    return Canary(tuple(tuple(map(float, row)) for row in rows), tuple(map(float, errors)))


def _spoiled(rows: F32, layout: Layout) -> F32:
    """In each of a few rows [n, total] another feature is far away, and new."""
    spoiled = rows.copy()
    for index, row in enumerate(spoiled):
        block = layout.blocks[index * len(layout.blocks) // len(rows)]
        row[block.start : block.stop] += SPOILT
        row[block.novelty_start : block.novelty_stop] = SPOILT
    return spoiled


def load(path: Path, stream: str, kind: Kind = "torch") -> Bundle:
    """The bundle of ``stream`` at ``path``: a version's directory, or the stream's own, which means its current one.

    ``kind`` says what shall compute it.

    Raises:
        BundleError: it does not exist, is damaged, or belongs to another stream; the message names file and reason.
    """
    if VERSION.fullmatch(path.name):
        return _expect(verify(path, kind), stream)
    version = pointed_to(path)
    while True:
        try:
            return _expect(verify(path / version, kind), stream)
        except BundleError:
            # A publisher may have replaced and pruned the version while we read it: then there is a newer one.
            latest = pointed_to(path)
            if latest == version:
                raise
            version = latest


def verify(path: Path, kind: Kind = "torch") -> Bundle:
    """Check the bundle in a version's directory completely, whatever stream it belongs to; see ``load``.

    Raises:
        BundleError: the first thing that is wrong, with the file it is in.
    """
    if path.is_symlink():
        raise BundleError(f"{path}: is a symbolic link; a bundle is a plain directory")
    data = read_regular(path / MANIFEST, MANIFEST_LIMIT)
    sha256 = digest(data)
    manifest = decode(data, path / MANIFEST)
    if not VERSION.fullmatch(path.name) or not path.name.endswith(sha256[:12]):
        raise BundleError(f"{path / MANIFEST}: damaged, or the directory was renamed: its hash is {sha256[:12]}")
    contents = {name: _checked(path / name, record) for name, record in manifest.files.items()}
    module = _network(path, manifest, contents[WEIGHTS], kind)
    _sing(path, manifest, module)
    evidence = _evidence(path, manifest, contents.get(EVIDENCE), kind)
    return Bundle(
        _contents(path, manifest, module, evidence), path.name, sha256, manifest.created, path, manifest.files
    )


def _expect(bundle: Bundle, stream: str) -> Bundle:
    if bundle.contents.stream != stream:
        raise BundleError(f"{bundle.path / MANIFEST}: belongs to stream {bundle.contents.stream!r}, not {stream!r}")
    return bundle


def _checked(path: Path, record: FileRecord) -> bytes:
    data = read_regular(path, FILE_LIMIT)
    if len(data) != record.bytes:
        kind = "truncated" if len(data) < record.bytes else "has grown"
        raise BundleError(f"{path}: {kind}: {len(data):,} bytes instead of {record.bytes:,}")
    if digest(data) != record.sha256:
        raise BundleError(f"{path}: damaged: its SHA-256 is not the one in {MANIFEST}")
    return data


def _evidence(path: Path, manifest: Manifest, data: bytes | None, kind: Kind) -> dict[str, Array]:
    if (data is None) != (manifest.score is None):
        raise BundleError(f"{path}: {EVIDENCE} and the score in {MANIFEST} belong together, and one is missing")
    tensors = {} if data is None else read_tensors(str(path / EVIDENCE), data, kind)
    for name, tensor in tensors.items():
        if not all_finite(tensor):
            raise BundleError(f"{path / EVIDENCE}: tensor {name!r} has values that are not finite")
    return tensors


def _network(path: Path, manifest: Manifest, data: bytes, kind: Kind) -> Network:
    config = _config(path, manifest)
    if (config.network == "dense") != (manifest.windows is None):
        raise BundleError(f"{path / MANIFEST}: a {config.network} network and its windows belong together")
    if kind == "numpy" and manifest.windows:
        raise BundleError(
            f"{path}: backend: numpy computes dense networks only, and this one is {config.network}; set "
            "backend: torch, or model.network: dense and train anew with `aemonitor retrain`"
        )
    tensors = read_tensors(str(path / WEIGHTS), data, kind)
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    expected = _shapes(path, config, manifest)
    if found != expected:
        wrong = min(name for name in {*found, *expected} if found.get(name) != expected.get(name))
        raise BundleError(
            f"{path / WEIGHTS}: tensor {wrong!r} has shape {found.get(wrong)}, expected {expected.get(wrong)}"
        )
    check_numbers(str(path / WEIGHTS), tensors)
    if kind == "numpy":
        return PlainNetwork(manifest.widths, config.activation, config.output_activation, tensors)
    from monitor.model.networks import restored

    return restored(config, manifest.widths, manifest.windows, tensors)


def _shapes(path: Path, config: ModelConfig, manifest: Manifest) -> Shapes:
    if not manifest.windows:
        return dense_shapes(manifest.widths)
    from monitor.model.networks import SHAPES

    try:
        return SHAPES[config.network](manifest.widths, manifest.windows)
    except ValueError as error:
        raise BundleError(f"{path / MANIFEST}: layers: {error}") from error


def _config(path: Path, manifest: Manifest) -> ModelConfig:
    try:
        return ModelConfig.model_validate(manifest.model)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise BundleError(f"{path / MANIFEST}: model.{place}: {problem['msg']}") from error


def _sing(path: Path, manifest: Manifest, module: Network) -> None:
    """Run the canary and compare."""
    try:
        errors = Inference(module, manifest.columns()).errors(manifest.canary.rows())
    except RuntimeError as error:  # of torch, and of the machine code that it makes for windows
        raise BundleError(
            f"{path}: the network cannot be computed here ({error}); conv and lstm need memory that is written and "
            "then executed: where the service forbids that, run `aemonitor systemd install --with window-networks`"
        ) from error
    expected = np.array(manifest.canary.errors)
    worst = float(np.max(np.abs(errors - expected) / np.maximum(1, np.abs(expected))))
    if not worst <= CANARY_TOLERANCE:
        raise BundleError(
            f"{path / MANIFEST}: the canary rows give other errors than at publication (off by {worst:.2g}): "
            "the weights, the layout or the arithmetic of this machine differ"
        )


def _contents(path: Path, manifest: Manifest, module: Network, evidence: Mapping[str, Array]) -> BundleContents:
    return BundleContents(
        stream=manifest.stream,
        module=module,
        config=_config(path, manifest),
        layout=manifest.columns(),
        features=manifest.features,
        calibration=manifest.calibration,
        threshold=manifest.threshold,
        canary=manifest.canary,
        data=manifest.data,
        history=manifest.history,
        sections=manifest.sections,
        score=manifest.score,
        evidence=evidence,
        limit=manifest.limit,
        trials=manifest.trials,
    )
