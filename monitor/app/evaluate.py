"""Measures a published model on labelled files: one pass for the scores, then figures, corruptions and pictures."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from monitor.app.compose import build_ingest, build_parser
from monitor.app.offline import Offline, OfflineBatch, open_offline
from monitor.app.planting import STRETCH_RECORDS, Judge, Stretch, recover
from monitor.core.arrays import F64
from monitor.core.clock import SystemClock
from monitor.core.config import Plugin, StreamConfig
from monitor.core.errors import DataError, NoInputError, UsageError
from monitor.core.extras import require_analysis
from monitor.core.names import did_you_mean, quoted
from monitor.core.progress import Progress
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.rows import lines_of
from monitor.core.timestamps import parse_times
from monitor.engines.engine import Engine
from monitor.ingest.reading import Ingest
from monitor.reporting.assessment import Choice, Subject, assess
from monitor.reporting.corruption import SAMPLE_RECORDS, Limits, Plan, Sample, check_plan, sweep
from monitor.reporting.evaluation import Evaluation, Picture
from monitor.reporting.intervals import Bootstrap
from monitor.reporting.label_files import read_labels
from monitor.reporting.labelled import Gathering, Labelled, is_record
from monitor.reporting.labels import ANOMALOUS, BENIGN, UNLABELLED, AllBenign, FieldLabels, Labels, Vocabulary
from monitor.reporting.pictures import Place, image_feature, pictures_by_row
from monitor.reporting.selection import Kept, Selection
from monitor.reporting.tables import write_files

MISSES = 5
"""Pictures of the benign records with the highest and the anomalous ones with the lowest scores, each."""

NAMED_FROM = 100
"""Records looked at for the names of fields, when the label's is not among them."""

FILE_SUFFIXES = (".csv", ".json", ".txt", ".tsv", ".labels")
"""What ends in one of these and is not there is a missing file, not a field."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asks for; ``labels`` is a field or a file, None takes every record as benign."""

    labels: str | None = None
    anomalous: tuple[str, ...] = ()
    benign: tuple[str, ...] = ()
    threshold: float | None = None
    max_fpr: float | None = None
    rate: float = 0.001
    top: int = 10
    kinds: tuple[str, ...] = ()  # of damage; none: no corruption sweep
    corrupt_features: tuple[str, ...] = ()
    noise: tuple[tuple[float, float], ...] = ()
    faults: tuple[str, ...] = ()  # to plant; none: nothing is planted
    resamples: int = 1000
    seed: int = 1
    engine: Engine | None = None  # whose workers read and score


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The figures, and every record of the input with its score."""

    evaluation: Evaluation
    labelled: Labelled


def evaluate_files(
    config_path: Path, stream: str | None, inputs: Sequence[Path], request: Request, progress: Progress
) -> Evaluated:
    """Score the files with the stream's current model and compare with the labels.

    Raises:
        UsageError: options that do not fit together, an unknown stream or feature.
        DataError: labels that are not understood or do not belong to the input.
        NoInputError, PermissionDeniedError: a file cannot be read.
        UnavailableError: a library of the extra ``analysis`` is missing.
    """
    require_analysis()
    if request.threshold is not None and request.max_fpr is not None:
        raise UsageError("--threshold and --max-fpr both set the threshold; give one of them")
    if request.threshold is not None and not math.isfinite(request.threshold):
        raise UsageError(f"--threshold: {request.threshold} is not a number a score can exceed; use 1.0, say")
    for option, share in (("--max-fpr", request.max_fpr), ("--rate", request.rate)):
        if share is not None and math.isnan(share):
            raise UsageError(f"{option}: nan is not a share; use 0.001, say")
    offline = open_offline(config_path, stream, request.engine)
    plan = Plan(request.kinds, request.corrupt_features, request.noise)
    check_plan(offline.pipeline.features, plan)
    bootstrap = Bootstrap(request.resamples, request.seed)
    reading = _Reading(offline, request, bootstrap)
    for batch in offline.batches(inputs, progress, "scoring"):
        reading.take(batch)
    labelled, notes = reading.finish(inputs)
    choice = Choice(request.threshold, request.max_fpr, request.rate)
    evaluation = assess(labelled, _subject(offline, inputs), choice, bootstrap, progress)
    drawn = reading.pictures(labelled, evaluation.threshold)
    evaluation = replace(evaluation, notes=(*notes, *evaluation.notes), pictures=drawn)
    evaluation = _with_corruptions(evaluation, offline, reading.sample(labelled), plan, bootstrap, progress)
    return Evaluated(_with_faults(evaluation, offline, reading.stretch, request.faults, bootstrap, progress), labelled)


def write_report(evaluated: Evaluated, directory: Path) -> None:
    """Tables, plots and the page, in a directory that is made if need be.

    Raises:
        CannotCreateError: it cannot be made or written.
    """
    from monitor.reporting.report import write_report as write_page

    write_files(evaluated.evaluation, evaluated.labelled, directory)
    write_page(evaluated.evaluation, directory)


class _Reading:
    """One pass over the input: scores and labels of all records, and the few records that are needed whole."""

    def __init__(self, offline: Offline, request: Request, bootstrap: Bootstrap) -> None:
        self._pipeline = offline.pipeline
        self._config = offline.config.streams[offline.stream]
        self._labels, self._field = _labels(self._config, request)
        self._context = _context(self._config, self._field)
        self._gathering = Gathering()
        self._random = bootstrap.generator(0)
        self._sample = Selection(SAMPLE_RECORDS if request.kinds else 0)
        self.stretch = Stretch(offline.pipeline.features, STRETCH_RECORDS if request.faults else 0)
        drawn = image_feature(offline.pipeline.features) is not None
        self._top = Selection(request.top * drawn)
        self._highest_benign, self._lowest_anomalous = Selection(MISSES * drawn), Selection(MISSES * drawn)
        self._known: list[str] = []

    def take(self, batch: OfflineBatch) -> None:
        """The next batch of the input."""
        records, ok = batch.scored.records, batch.scored.records.ok
        if self._field is not None and not self._known:
            self._known = _names(self._config, records)
        context = records if self._context is None else self._context.parse(records.raw)
        codes = self._labels.of(context, is_record(context))
        places = self._gathering.add(context, batch.scored.scores, codes, batch.first_line, ok)
        values, scores = batch.scored.matrix.values, batch.scored.scores.scores
        both = np.flatnonzero(ok & (codes != UNLABELLED))
        benign, anomalous = np.flatnonzero(ok & (codes == BENIGN)), np.flatnonzero(ok & (codes == ANOMALOUS))
        self._top.offer(records, values, places, both, -scores[both])
        self._highest_benign.offer(records, values, places, benign, -scores[benign])
        self._lowest_anomalous.offer(records, values, places, anomalous, scores[anomalous])
        self._sample.offer(records, values, places, benign, self._random.random(len(benign)))
        self.stretch.offer(replace(records, times=context.times, keys=context.keys), values, benign)

    def finish(self, inputs: Sequence[Path]) -> tuple[Labelled, list[str]]:
        """All records, and notes about their labels.

        Raises:
            NoInputError: there is no record.
            DataError: the labels do not belong to the input.
        """
        if not self._gathering.records:
            raise NoInputError(f"{', '.join(map(str, inputs))}: there is no record in the input")
        if self._field is not None and isinstance(self._labels, FieldLabels) and not self._labels.occurs:
            raise DataError(f"--labels: {self._no_label(self._field)}")
        notes = self._labels.finish()
        if self._field in {field.name for field in self._pipeline.features.fields}:
            notes.append(f"the label field {quoted(self._field or '')} is also a feature: the model sees the answer")
        return self._gathering.whole(), notes

    def _no_label(self, field: str) -> str:
        """Why no record has a label in a field."""
        count = f"{self._gathering.records:,} records"
        if field in self._known:
            return f"field {quoted(field)} is blank in all {count}: none has a label"
        if not self._known:
            return f"none of {count} can be parsed, so none has a field {quoted(field)}"
        near = did_you_mean(field, self._known)
        return f"no record has a field {quoted(field)}, and there is no file of that name{near}"

    def sample(self, labelled: Labelled) -> Sample | None:
        """Benign records to damage; None when there is none."""
        kept = self._sample.kept()
        return None if kept is None else Sample(kept.records, kept.values, labelled.scores[kept.places])

    def pictures(self, labelled: Labelled, threshold: float) -> tuple[Picture, ...]:
        """The records with the highest scores, the highest first, then those that the threshold gets most wrong."""
        drawn: dict[int, Picture] = {}
        for selection, wrong in (
            (self._top, lambda _: True),
            (self._highest_benign, lambda score: score > threshold),
            (self._lowest_anomalous, lambda score: score <= threshold),
        ):
            for place, picture in self._drawn(selection.kept(), labelled).items():
                if wrong(picture.score):
                    drawn.setdefault(place, picture)
        return tuple(drawn.values())

    def _drawn(self, kept: Kept | None, labelled: Labelled) -> dict[int, Picture]:
        """Pictures of kept records by their place in the input, in the order of their ranks."""
        if kept is None:
            return {}
        ordered = kept.rows(np.argsort(kept.ranks, kind="stable"))
        places: list[int] = ordered.places.tolist()
        at = [_place(labelled, place) for place in places]
        made = pictures_by_row(self._pipeline.features, self._pipeline.scorer, ordered.values, at)
        return {places[row]: picture for row, picture in made.items()}


def _place(labelled: Labelled, place: int) -> Place:
    return Place(
        file=labelled.paths[int(labelled.files[place])],
        line=int(labelled.lines[place]),
        score=float(labelled.scores[place]),
        label="anomalous" if labelled.codes[place] == ANOMALOUS else "benign",
    )


def _subject(offline: Offline, inputs: Sequence[Path]) -> Subject:
    bundle = offline.pipeline.bundle
    data = bundle.contents.data
    return Subject(
        stream=offline.stream,
        model=bundle.version,
        inputs=tuple(map(str, inputs)),
        configured_threshold=offline.pipeline.decider.threshold,
        history=bundle.contents.history,
        loss=bundle.contents.config.loss,
        learned=None if data.first_time is None or data.last_time is None else (data.first_time, data.last_time),
    )


def _with_corruptions(
    evaluation: Evaluation,
    offline: Offline,
    sample: Sample | None,
    plan: Plan,
    bootstrap: Bootstrap,
    progress: Progress,
) -> Evaluation:
    if not plan.kinds:
        return evaluation
    if sample is None:
        return replace(evaluation, notes=(*evaluation.notes, "no benign record, so none was damaged"))
    found = sweep(
        offline.pipeline.features,
        offline.pipeline.scorer,
        sample,
        plan,
        Limits(evaluation.threshold, evaluation.rate_threshold),
        bootstrap,
        progress,
    )
    return replace(evaluation, corruptions=found.rows, notes=(*evaluation.notes, *found.notes))


def _with_faults(
    evaluation: Evaluation,
    offline: Offline,
    stretch: Stretch,
    faults: Sequence[str],
    bootstrap: Bootstrap,
    progress: Progress,
) -> Evaluation:
    if not faults:
        return evaluation
    limits = Limits(evaluation.threshold, evaluation.rate_threshold)
    key = offline.config.streams[offline.stream].key
    judge = Judge.of(offline.pipeline.features, offline.pipeline.scorer)
    planted, notes = recover(judge, stretch, key, faults, limits, bootstrap, progress)
    return replace(evaluation, planted=planted, notes=(*evaluation.notes, *notes))


def _labels(stream: StreamConfig, request: Request) -> tuple[Labels, str | None]:
    """Where labels come from, and the field they stand in (None: not in a field)."""
    if request.labels is None:
        if request.anomalous or request.benign:
            raise UsageError("--anomalous and --benign say what labels mean; say with --labels where the labels are")
        return AllBenign(), None
    path = Path(request.labels)
    if _is_readable(path) or os.sep in request.labels or request.labels.lower().endswith(FILE_SUFFIXES):
        vocabulary = Vocabulary(request.anomalous, request.benign, request.labels)
        return read_labels(path, vocabulary, _time_reader(stream)), None
    vocabulary = Vocabulary(request.anomalous, request.benign, f"field {quoted(request.labels)}")
    return FieldLabels(request.labels, vocabulary), request.labels


def _is_readable(path: Path) -> bool:
    """Whether there is a file or a pipe of that name; a text that cannot be a name is none."""
    try:
        return path.exists() and not path.is_dir()
    except OSError:
        return False


def _time_reader(stream: StreamConfig) -> Callable[[Sequence[str]], F64] | None:
    """Reads times as the stream does, and those written otherwise as what they look like."""
    time = stream.time
    if time is None:
        return None
    zone, now = time.timezone, SystemClock().now()

    def read(texts: Sequence[str]) -> F64:
        column = pa.array(texts, pa.string())
        like_stream = parse_times(column, format=time.format, timezone=zone, reference=now)
        return np.where(
            np.isnan(like_stream), parse_times(column, format=None, timezone=zone, reference=now), like_stream
        )

    return read


def _context(stream: StreamConfig, field: str | None) -> Ingest | None:
    """Reads label, event time and key of every record; None when there is none of them."""
    if field is None and stream.time is None and stream.key is None:
        return None
    wanted = [] if field is None else [Field(field, FieldType.TEXT)]
    return build_ingest(_reading_all(stream, field), wanted)


def _reading_all(stream: StreamConfig, field: str | None) -> StreamConfig:
    """The stream with a parser that does not leave out the label: it is ignored so that no model learns it."""
    if field not in _ignored(stream):
        return stream
    left = [name for name in _ignored(stream) if name != field]
    kept = stream.parser.options.model_copy(update={"ignore": left})
    return stream.model_copy(update={"parser": Plugin(stream.parser.kind, kept)})


def _names(stream: StreamConfig, records: RecordBatch) -> list[str]:
    """The fields of the first records, for a message."""
    head = lines_of(records.raw, np.arange(min(len(records), NAMED_FROM)))
    found = {field.name for field in build_parser(stream, None).parse(head).columns}
    return sorted({*found, *_ignored(stream)})


def _ignored(stream: StreamConfig) -> Sequence[str]:
    """The fields that the parser is told to leave out."""
    names: Sequence[str] = getattr(stream.parser.options, "ignore", ())
    return names
