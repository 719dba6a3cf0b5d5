"""The retrain command: reads benign records, trains, and publishes what a running daemon then takes up."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from monitor.app.compose import build_encoders, build_ingest, chosen_streams, models_root
from monitor.core.clock import SystemClock
from monitor.core.config import Config, StreamConfig
from monitor.core.errors import NoInputError
from monitor.core.progress import Progress
from monitor.core.records import RecordBatch
from monitor.ingest.reading import read_files
from monitor.model.device import choose_device
from monitor.model.history import Epoch
from monitor.model.publishing import publish
from monitor.plugins import load_config
from monitor.training.gathering import gather
from monitor.training.recipe import Trained, train


class Report(msgspec.Struct, frozen=True):
    """What a retraining did. ``published`` is the new version, None after a dry run."""

    stream: str
    published: str | None
    records_read: int
    unparsed: int
    train: int
    early_stop: int
    calibration: int
    columns: int
    novelty_columns: int
    layers: tuple[int, ...]
    epochs: int
    best_epoch: int
    loss: float | None
    explained: float | None
    collapsed: bool
    split: str
    error_low: float
    error_high: float
    state: str
    left_out: dict[str, str]
    device: str

    def text(self) -> str:
        """The report for a person."""
        layers = "-".join(map(str, self.layers)) or "none"
        lines = [
            f"stream {self.stream}: {self.records_read:,} records read"
            + (f", {self.unparsed:,} of them do not parse" if self.unparsed else ""),
            f"  split      {self._split()}",
            f"  device     {self.device}",
            f"  network    {layers}{self._beside()}, best of {self.epochs} epochs: {self.best_epoch}",
            *([f"  learned    {self._learned()}"] if self.explained is not None else []),
            f"  benign     errors {self.error_low:.4g} to {self.error_high:.4g} are scores 0 to 1"
            + ("" if self.state == "ok" else f" ({STATES[self.state]})"),
            *(f"  left out   {name}: {reason}" for name, reason in self.left_out.items()),
            f"  published  {self.published}" if self.published else "  dry run: nothing was published",
        ]
        return "\n".join(lines)

    def _split(self) -> str:
        if self.split == "none":
            return f"none: the same {self.train:,} records to learn and to calibrate; new ones will score higher"
        return f"{self.train:,} to learn, {self.early_stop:,} to stop by, {self.calibration:,} to calibrate"

    def _beside(self) -> str:
        return f" and {self.novelty_columns} novelty columns beside it" if self.novelty_columns else ""

    def _learned(self) -> str:
        share = max(0.0, self.explained or 0.0)
        reproduced = f"{share:.1%} of the variation of the calibration records is reproduced"
        return f"{reproduced}: {COLLAPSED}" if self.collapsed else reproduced


COLLAPSED = (
    "the network collapsed, it answers every record alike. Try model.optimizer: adam, another activation than relu, "
    "init: glorot_uniform, more epochs or a higher learning_rate"
)

STATES = {
    "few": "fewer than 100 calibration records: expect false alerts",
    "flat": "all benign records look the same: any difference alerts",
}


def retrain_streams(
    config_path: Path,
    *,
    streams: Sequence[str],
    inputs: Sequence[Path],
    max_records: int,
    dry_run: bool,
    progress: Progress,
) -> list[Report]:
    """Retrain the named streams, or all, one after the other.

    Raises:
        NoInputError: a stream has no input file, or no usable record.
    """
    config = load_config(config_path)
    return [
        _retrain(config, name, stream, inputs, max_records, dry_run, progress)
        for name, stream in chosen_streams(config, streams).items()
    ]


def _retrain(
    config: Config,
    name: str,
    stream: StreamConfig,
    inputs: Sequence[Path],
    max_records: int,
    dry_run: bool,
    progress: Progress,
) -> Report:
    device, message = choose_device(config.device)
    records, read, unparsed = gather(_benign(config, name, stream, inputs, progress), max_records)

    def on_epoch(epoch: Epoch) -> None:
        held_out = "" if epoch.validation_loss is None else f", held out {epoch.validation_loss:.5g}"
        progress(f"{name}: training", epoch.number, stream.model.epochs, f"loss {epoch.loss:.5g}{held_out}")

    trained = train(name, records, build_encoders(stream), stream.model, stream.alert.threshold, device, on_epoch)
    version = None if dry_run else publish(models_root(config), trained.contents, now=SystemClock().now())
    return _report(name, trained, version, read, unparsed, message)


def _benign(
    config: Config, name: str, stream: StreamConfig, inputs: Sequence[Path], progress: Progress
) -> Iterator[RecordBatch]:
    """Parsed batches of the given files, or of the files that the stream's source reads."""
    encoders = build_encoders(stream).values()
    ingest = build_ingest(stream, [field for encoder in encoders for field in encoder.fields])
    paths = list(inputs) or source_files(name, stream)
    records = 0
    limits = config.limits
    for raw in read_files(paths, max_record_bytes=limits.max_record_bytes, max_batch_records=limits.max_batch_records):
        records += len(raw)
        progress(f"{name}: reading", records, 0, "")
        yield ingest.parse(raw)


def source_files(name: str, stream: StreamConfig) -> list[Path]:
    """The files a stream's source would read, oldest first.

    Raises:
        NoInputError: the source reads no files, or there are none yet.
    """
    patterns: Sequence[str] = getattr(stream.source.options, "include", ())
    paths = {Path(found) for pattern in patterns for found in glob.glob(pattern, recursive=True)}  # noqa: PTH207 - patterns are absolute
    files = sorted((path for path in paths if path.is_file()), key=lambda path: path.stat().st_mtime)
    if not files:
        what = f"no file matches {', '.join(patterns)}" if patterns else f"a {stream.source.kind} source has no files"
        raise NoInputError(f"stream {name}: {what}; give benign records with --input FILE")
    return files


def _report(name: str, trained: Trained, version: str | None, read: int, unparsed: int, device: str) -> Report:
    contents = trained.contents
    history = contents.history
    best = next((epoch for epoch in history.epochs if epoch.number == history.best_epoch), None)
    return Report(
        stream=name,
        published=version,
        records_read=read,
        unparsed=unparsed,
        train=contents.data.train,
        early_stop=contents.data.early_stop,
        calibration=contents.data.calibration,
        columns=contents.layout.width,
        novelty_columns=(contents.layout.total - contents.layout.width) * contents.layout.novelty,
        layers=contents.module.widths,
        epochs=len(history.epochs),
        best_epoch=history.best_epoch,
        loss=None if best is None else best.loss,
        explained=history.explained,
        collapsed=history.collapsed,
        split=contents.config.split,
        error_low=contents.calibration.low,
        error_high=contents.calibration.high,
        state=contents.calibration.state,
        left_out=dict(trained.features.left_out),
        device=device,
    )
