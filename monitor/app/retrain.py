"""The retrain command: reads benign records, trains, and publishes what a running daemon then takes up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from monitor.app.compose import (
    build_encoders,
    build_ingest,
    promise_of,
    read_input,
    threshold_of,
)
from monitor.app.gate import judged
from monitor.app.places import Places
from monitor.app.retrain_report import Report, report_of
from monitor.app.streams import chosen_streams, models_root
from monitor.app.suspicions import suspicions
from monitor.core.clock import SystemClock
from monitor.core.config import Config, StreamConfig
from monitor.core.errors import NoInputError
from monitor.core.progress import Progress
from monitor.core.records import RecordBatch
from monitor.deciding.pace import Pace
from monitor.model.device import choose_device
from monitor.model.history import Epoch
from monitor.model.publishing import publish
from monitor.plugins import load_config
from monitor.plugins.matching import matches, patterns
from monitor.training.gathering import gather
from monitor.training.recipe import Judging, train


def retrain_streams(
    config_path: Path,
    *,
    streams: Sequence[str],
    inputs: Sequence[Path],
    max_records: int,
    dry_run: bool,
    force: bool,
    progress: Progress,
) -> list[Report]:
    """Retrain the named streams, or all, one after the other. ``force`` publishes also what the gate refuses.

    Raises:
        NoInputError: a stream has no input file, or no usable record.
    """
    config = load_config(config_path)
    return [
        _retrain(config, name, stream, inputs, max_records, progress, dry_run=dry_run, force=force)
        for name, stream in chosen_streams(config, streams).items()
    ]


def _retrain(
    config: Config,
    name: str,
    stream: StreamConfig,
    inputs: Sequence[Path],
    max_records: int,
    progress: Progress,
    *,
    dry_run: bool,
    force: bool,
) -> Report:
    device, message = choose_device(config.device)
    places = Places(max_records)
    benign = places.watch(_benign(config, name, stream, inputs, progress))
    records, read, unparsed = gather(benign, max_records)

    def on_epoch(epoch: Epoch) -> None:
        held_out = "" if epoch.validation_loss is None else f", held out {epoch.validation_loss:.5g}"
        progress(f"{name}: training", epoch.number, stream.model.epochs, f"loss {epoch.loss:.5g}{held_out}")

    def on_step(step: int, steps: int, loss: float) -> None:
        progress(f"{name}: training the panel", step, steps, f"loss {loss:.5g}")

    judging = Judging(stream.score, stream.alert)
    trained = train(name, records, build_encoders(stream), stream.model, judging, device, on_epoch, on_step=on_step)
    trial, refused = judged(config, name, trained.contents, records, device)
    if stream.alert.adaptive:
        Pace.of(promise_of(stream, trained.contents))  # or say now that no limit can follow with this model
    keep = dry_run or (refused is not None and not force)
    version = None if keep else publish(models_root(config), trained.contents, now=SystemClock().now())
    threshold = threshold_of(stream, trained.contents)
    report = report_of(
        trained, trial, refused, version, read=read, unparsed=unparsed, device=message, threshold=threshold
    )
    return msgspec.structs.replace(report, suspects=suspicions(trained.suspects, places, len(records)))


def _benign(
    config: Config, name: str, stream: StreamConfig, inputs: Sequence[Path], progress: Progress
) -> Iterator[RecordBatch]:
    """Parsed batches of the given files, or of the files that the stream's source reads."""
    encoders = build_encoders(stream).values()
    ingest = build_ingest(stream, [field for encoder in encoders for field in encoder.fields])
    paths = list(inputs) or source_files(name, stream)
    records = 0
    for raw in read_input(config, stream, paths):
        records += len(raw)
        progress(f"{name}: reading", records, 0, "")
        yield ingest.parse(raw)


def source_files(name: str, stream: StreamConfig) -> list[Path]:
    """The files a stream's source would read, oldest first.

    Raises:
        NoInputError: the source reads no files, or there are none yet.
    """
    options = stream.source.options
    paths = {Path(found) for pattern in patterns(options) for found in matches(pattern, options)}
    files = sorted((path for path in paths if path.is_file()), key=lambda path: path.stat().st_mtime)
    if not files:
        what = (
            f"no file matches {', '.join(patterns(options))}"
            if patterns(options)
            else f"a {stream.source.kind} source has no files"
        )
        raise NoInputError(f"stream {name}: {what}; give benign records with --input FILE")
    return files
