"""The retrain command: reads benign records, trains, and publishes what a running daemon then takes up."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import torch

from monitor.app.benign import benign, chosen, learned_files, paced
from monitor.app.compose import build_encoders, promise_of
from monitor.app.gates import episode, feedback, judged, replay
from monitor.app.gates.contender import Contender, champion
from monitor.app.gates.contest import Contest
from monitor.app.learned_silence import LearnedSilence
from monitor.app.older import Older
from monitor.app.places import Places
from monitor.app.publication import Finished, Verdict, published
from monitor.app.retrain_report import Outcome, Report, report_of
from monitor.app.silences import SECTION
from monitor.app.spread import Share
from monitor.app.streams import chosen_streams, models_root
from monitor.app.suspicions import suspicions
from monitor.app.told import told_records
from monitor.core.clock import Clock, SystemClock
from monitor.core.config import Config, StreamConfig
from monitor.core.errors import AemonitorError
from monitor.core.progress import Progress
from monitor.core.records import RecordBatch
from monitor.deciding.pace import Pace
from monitor.engines.engine import Engine
from monitor.model.device import choose_device
from monitor.model.history import Epoch
from monitor.model.publishing import demand_writable
from monitor.plugins import load_config, resolve_state_dir
from monitor.training.gathering import gather
from monitor.training.halfway import Halfway
from monitor.training.recipe import Course, Judging, Trained, train


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for; no streams are all of them. ``force`` publishes also what a gate refuses.

    ``reservoir`` adds the daemon's sample to the inputs.
    ``max_seconds`` bounds the epochs of one stream's network; None: they take what they take.
    """

    streams: tuple[str, ...] = ()
    inputs: tuple[Path, ...] = ()
    reservoir: bool = False
    max_records: int = 200_000
    max_seconds: float | None = None
    dry_run: bool = False
    force: bool = False
    engine: Engine | None = None  # whose workers read the inputs


def retrain_streams(config_path: Path, request: Request, progress: Progress) -> list[Outcome]:
    """Retrain the streams asked for, one after the other; what one lacks does not keep the others from learning."""
    config, clock = load_config(config_path).model_copy(update={"backend": "torch"}), SystemClock()
    return [_outcome(config, name, request, clock, progress) for name in chosen_streams(config, request.streams)]


def _outcome(config: Config, name: str, request: Request, clock: Clock, progress: Progress) -> Outcome:
    begun, halfway = clock.monotonic(), _halfway(config, name, clock, progress)
    try:
        found: Report | AemonitorError = _retrain(config, name, request, clock, progress, halfway)
    except AemonitorError as error:
        found = error
    halfway.over()
    return Outcome(name, found, clock.monotonic() - begun)


def _halfway(config: Config, name: str, clock: Clock, progress: Progress) -> Halfway:
    """Where the training of a stream is written down; where nothing can be written, it is not."""
    directory = resolve_state_dir(config, os.environ) / "training"
    with suppress(OSError):
        directory.mkdir(parents=True, exist_ok=True)
    resumed = "goes on after epoch {:,} of a training that was ended"
    return Halfway(
        directory / f"{name}.half", clock, lambda epoch: progress(f"{name}: resumed", 1, 1, resumed.format(epoch))
    )


def _retrain(config: Config, name: str, request: Request, clock: Clock, progress: Progress, halfway: Halfway) -> Report:
    """One stream: read, train, try, publish."""
    if not request.dry_run:
        demand_writable(models_root(config), name)
    state_dir, configured = resolve_state_dir(config, os.environ), config.streams[name]
    kept = chosen(config, name, configured, request.inputs, progress, reservoir=request.reservoir)
    stream = paced(configured, kept)
    told = told_records(state_dir, name, stream, kept.period) if len(kept) and not kept.needed else None
    device, message = choose_device(config.device)
    places = Places(request.max_records)
    files = learned_files(name, stream, request.inputs, kept)
    older = Older(Share(config, name), () if kept.days else files, request.engine, progress)
    batches = benign(config, name, stream, files, kept, progress, request.engine)
    silence = LearnedSilence(stream, clock, sampled=len(kept) > 0)
    records, read, unparsed = gather(silence.watch(places.watch(batches)), request.max_records)
    judging = Judging(stream.score, stream.alert, told, partial(older.tail, places.begins(len(records))))
    trained = _trained(name, records, stream, judging, device, progress, _time_limit(request, clock), halfway=halfway)
    in_use = champion(config, name, device)
    known = None if in_use is None else in_use.contents.sections
    trained = _with_section(trained, SECTION, silence.section(records.times, known))
    if stream.alert.adaptive:
        Pace.of(promise_of(stream, trained.contents))  # or say now that no limit can follow with this model
    contest = Contest(
        stream=stream,
        candidate=Contender.of(trained.contents, stream, device),
        champion=in_use,
        records=records,
        told=told,
        unparsed=unparsed / read,
        labelled=feedback.labelled(state_dir, name),
        firing=lambda: episode.firing(state_dir, name, stream.alert.episode_gap_seconds, clock.now()),
    )
    tried, gates = judged(contest)
    verdict = Verdict(gates)
    if request.force or not verdict.refused:
        finished = Finished(contest, gates, tried, trained.known)
        verdict = published(models_root(config), finished, now=clock.now(), dry_run=request.dry_run)
    report = report_of(trained, contest, tried, verdict, read=read, unparsed=unparsed, device=message)
    return msgspec.structs.replace(
        report,
        older=older.scored,
        suspects=suspicions(trained.suspects, places, len(records)),
        disagreements=replay.disagreements(contest, places),
    )


def _with_section(trained: Trained, name: str, section: dict[str, Any]) -> Trained:
    """The model with one more thing to know of what it was made by, if there is something."""
    if not section:
        return trained
    sections = {**trained.contents.sections, name: section}
    return replace(trained, contents=replace(trained.contents, sections=sections))


def _time_limit(request: Request, clock: Clock) -> Callable[[], bool]:
    """Tells whether the time for the epochs is over; it begins now."""
    begun = clock.monotonic()
    return lambda: request.max_seconds is not None and clock.monotonic() - begun >= request.max_seconds


def _trained(
    name: str,
    records: RecordBatch,
    stream: StreamConfig,
    judging: Judging,
    device: torch.device,
    progress: Progress,
    over: Callable[[], bool],
    *,
    halfway: Halfway,
) -> Trained:
    def on_epoch(epoch: Epoch) -> bool:
        held_out = "" if epoch.validation_loss is None else f", held out {epoch.validation_loss:.5g}"
        progress(f"{name}: training", epoch.number, stream.model.epochs, f"loss {epoch.loss:.5g}{held_out}")
        return over()

    def on_step(step: int, steps: int, loss: float) -> None:
        progress(f"{name}: training the panel", step, steps, f"loss {loss:.5g}")

    course = Course(on_step, halfway)
    return train(name, records, build_encoders(stream), stream.model, judging, device, on_epoch, course=course)
