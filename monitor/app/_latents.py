"""Latent vectors of whole files, kept in memory, and the few records among them that are read a second time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from monitor.app.alerting import natural_values
from monitor.app.compose import build_parser, read_input
from monitor.app.offline import Offline, OfflineBatch, standard_input
from monitor.core.arrays import F32, F64, I64, Column
from monitor.core.errors import CannotCreateError, DataError, NoInputError, PermissionDeniedError, UsageError
from monitor.core.names import did_you_mean, quoted
from monitor.core.records import Field, FieldType, RawBatch, RecordBatch
from monitor.core.rows import lines_of, take
from monitor.ingest.reading import STDIN, own_stdin

if TYPE_CHECKING:
    from monitor.reporting.cluster_table import Latents

KNOWN_ROWS = 100
"""So many records are looked at for the fields that there are, when the label field is not one of them."""

VALUE_CHARACTERS = 200
"""Of a text field, this much is told of a record."""


SAME = 1e-6
"""Scores that differ by less, or by this share, are the same: a GPU need not repeat the last bit."""


class Gathering:
    """Keeps of each record what clustering needs: its latent vector, score, place and label. Memory grows by these."""

    def __init__(self, offline: Offline, files: Sequence[tuple[Path, str]], label_field: str | None) -> None:
        self.unparsed = 0
        self._offline = offline
        self._names = tuple(dict.fromkeys(name for _, name in files))
        self._index = {str(path): self._names.index(name) for path, name in files}
        self._label_field = label_field
        stream = offline.config.streams[offline.stream]
        self._label_parser = build_parser(stream, [Field(label_field, FieldType.TEXT)]) if label_field else None
        self._known: set[str] = set()
        self._reason = ""
        self._seen = 0
        self._latent: list[F32] = []
        self._scores: list[F64] = []
        self._files: list[I64] = []
        self._lines: list[I64] = []
        self._places: list[I64] = []
        self._labels: list[Column] = []

    def add(self, batch: OfflineBatch) -> None:
        """Take over the records that are ok."""
        records, raw = batch.scored.records, batch.scored.records.raw
        rows = np.flatnonzero(records.ok)
        self._latent.append(self._offline.pipeline.scorer.latent(batch.scored.matrix.values[rows]))
        self._scores.append(batch.scored.scores.scores[rows])
        self._files.append(np.full(len(rows), self._index[raw.origin.path]))
        self._lines.append(batch.first_line + rows)
        self._places.append(self._seen + rows)
        if self._label_parser is not None and self._label_field is not None:
            parsed = self._label_parser.parse(raw)
            self._labels.append(parsed.column(self._label_field, FieldType.TEXT).take(pa.array(rows)))
            self._known |= self._known or self._fields(raw)
        bad = np.flatnonzero(records.unparsed)
        self.unparsed += len(bad)
        self._reason = self._reason or next((records.reasons[row] for row in bad.tolist()), "")
        self._seen += len(records)

    def latents(self) -> Latents:
        """All of them.

        Raises:
            NoInputError: there was no record.
            DataError: none could be parsed.
            UsageError: no record has the label field.
        """
        from monitor.reporting.cluster_table import Latents

        names = ", ".join(self._names)
        if not sum(map(len, self._lines)):
            if not self.unparsed:
                raise NoInputError(f"{names}: no record to cluster")
            raise DataError(f"{names}: none of {self.unparsed:,} records can be parsed; the first one {self._reason}")
        label = pa.chunked_array(self._labels, pa.string()).combine_chunks() if self._labels else None
        if self._label_field is not None and label is not None and label.null_count == len(label):
            raise UsageError(
                f"no record has the label field {quoted(self._label_field)}"
                f"{did_you_mean(self._label_field, self._known)}"
            )
        return Latents(
            latent=np.concatenate(self._latent),
            scores=np.concatenate(self._scores),
            files=self._names,
            file=np.concatenate(self._files),
            line=np.concatenate(self._lines),
            place=np.concatenate(self._places),
            label=label,
        )

    def _fields(self, raw: RawBatch) -> set[str]:
        """The fields that the first records have."""
        parser = build_parser(self._offline.config.streams[self._offline.stream], None)
        return {field.name for field in parser.parse(lines_of(raw, np.arange(min(KNOWN_ROWS, len(raw))))).columns}


def looked_up(offline: Offline, files: Sequence[Path], places: I64, scores: F64) -> tuple[list[str], F32]:
    """What the fields of some records say, and the records encoded, [m, total]; reads the input once more.

    Args:
        offline: what the input was scored with.
        files: the input.
        places: of the records in the whole input, rising, [m].
        scores: what they scored then, [m].

    Raises:
        DataError: the input is not what it was.
    """
    pipeline = offline.pipeline
    offline.rewind()
    summaries: list[str] = []
    encoded: list[F32] = []
    start = 0
    for raw in read_input(offline.config, offline.config.streams[offline.stream], files):
        chosen = np.flatnonzero((places >= start) & (places < start + len(raw)))
        rows = places[chosen] - start
        start += len(raw)
        if not len(rows) and not pipeline.in_order:
            continue
        # The whole batch, as the first time: what remembers must see every record, and scores come out alike.
        scored = pipeline.score(raw)
        if not (
            scored.records.ok[rows].all()
            and np.allclose(scored.scores.scores[rows], scores[chosen], SAME, SAME, equal_nan=True)
        ):
            break
        summaries += _summaries(take(scored.records, rows), pipeline.features.fields)
        encoded.append(scored.matrix.values[rows])
    if len(summaries) < len(places):
        raise DataError(f"{', '.join(map(str, files))}: changed while it was read; cluster a copy")
    return summaries, np.concatenate(encoded)


def _summaries(records: RecordBatch, fields: Sequence[Field]) -> list[str]:
    """What the features' own fields say, for each record."""
    names = list(dict.fromkeys(field.name for field in fields))
    return [
        " ".join(f"{name}={_said(values[name])}" for name in names if name in values)
        for values in natural_values(records)
    ]


def _said(value: Any) -> str:
    """A value as a person reads it; of many numbers how many there are, and their range. Texts stay a list.

    >>> _said(4.0), _said([0.0, 2.5]), _said("x"), _said(["put", None]), _said([])
    ('4', '2 numbers from 0 to 2.5', 'x', "['put', None]", '[]')
    """
    if isinstance(value, list) and value and not any(isinstance(entry, str) for entry in value):
        numbers = [number for number in value if number is not None and np.isfinite(number)]
        span = f" from {min(numbers):.10g} to {max(numbers):.10g}" if numbers else ""
        return f"{len(value)} numbers{span}"
    return f"{value:.10g}" if isinstance(value, float) else str(value)[:VALUE_CHARACTERS]


@contextmanager
def rereadable(inputs: Sequence[Path]) -> Iterator[list[tuple[Path, str]]]:
    """Files that can be read twice, each with the name it is called by: pipes and standard input are copied first."""
    with TemporaryDirectory(prefix="aemonitor-") as directory:
        yield [(_file(path, Path(directory) / str(index)), str(path)) for index, path in enumerate(inputs)]


def _file(path: Path, copy: Path) -> Path:
    if str(path) != STDIN and not (path.is_fifo() or path.is_char_device()):
        return path
    try:
        _copy(path, copy)
    except PermissionError:
        raise PermissionDeniedError(f"{path}: this user may not read it") from None
    except OSError as error:
        raise CannotCreateError(f"{path}: cannot be kept to be read twice: {error.strerror or error}") from error
    return copy


def _copy(path: Path, copy: Path) -> None:
    with copy.open("xb") as to:
        if str(path) != STDIN:
            with path.open("rb") as pipe:
                shutil.copyfileobj(pipe, to)
            return
        shutil.copyfileobj(standard_input() or own_stdin(), to)
