"""Records of the files that a model did not learn from, since newer ones were enough, scored to calibrate it.

They are told from the others by the places where they stand. Workers have pieces of files; what comes of these is put
together so that it is the same whoever scored which of them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from monitor.app._trained import TrainedModel
from monitor.app.compose import build_ingest, learned_fields
from monitor.app.feedback import Feedback
from monitor.app.spread import Share, made_once
from monitor.app.worker import settled
from monitor.core.errors import NoInputError
from monitor.core.progress import Progress
from monitor.core.records import RawBatch
from monitor.core.rows import keep
from monitor.deciding.held_out import known_times
from monitor.deciding.score_tail import ROOM, ScoreTail, merged
from monitor.engines.engine import Engine
from monitor.ingest.splits import Split, splits
from monitor.model.bundle import BundleContents
from monitor.model.device import one_thread
from monitor.plugins import resolve_state_dir
from monitor.scoring.scores import finite

MOST = 10_000_000
"""No piece more is read with so many records, those next to the ones that were learned: minutes on one core."""

BLOCKS = 4
"""Of a piece: small ones, whose number does not depend on who works, so that always the same of them are read."""


class Older:
    """The records of ``files`` that are older than those learned.

    ``scored`` is how many there were the last time. Files that are not regular can be read once only, and have none.
    """

    def __init__(self, share: Share, files: Sequence[Path], engine: Engine | None, progress: Progress) -> None:
        self._share = share
        self._files = [path for path in files if path.is_file()]
        self._found = [_identity(path) for path in self._files]
        self._engine = engine
        self._progress = progress
        self.scored = 0

    def tail(self, begins: Mapping[str, int], contents: BundleContents) -> ScoreTail | None:
        """Their scores; None where there are none, or where files have changed since: then nobody knows what is what.

        Args:
            begins: where the records begin that were learned or held out, in each file that has some.
            contents: the model, by which the score of a record depends on no other.

        Raises:
            StateError, PermissionDeniedError: what people said cannot be read.
            DataError: a file cannot be read to its end.
            UnavailableError: the engine's workers die of it.
        """
        tails: list[ScoreTail] = []
        with suppress(NoInputError):  # a file that is gone has changed, too
            tails += self._tails(Task(self._share, contents, begins))
        if [_identity(path) for path in self._files] != self._found:
            self._tell(1, 1, "left out: files have changed since they were read")
            return None
        found = merged(tails) if tails else None
        self.scored = found.count if found else 0
        return found

    def _tails(self, task: Task) -> Iterator[ScoreTail]:
        """In a few parts."""
        waiting: list[ScoreTail] = []
        count = 0
        with one_thread():
            for tail in self._of_pieces(task):
                waiting.append(tail)
                count += tail.count
                self._tell(count, 0, "")
                if sum(len(each.scores) for each in waiting) > ROOM:
                    waiting = [merged(waiting)]
                if count >= MOST:
                    break
        yield from waiting

    def _of_pieces(self, task: Task) -> Iterator[ScoreTail]:
        """Of each piece that has some, the newest first."""
        form = self._share.config.streams[self._share.stream].input
        pieces = [piece for piece in splits(self._files, BLOCKS, form) if piece.begin < task.end(piece.path)][::-1]
        if not pieces:
            return iter(())
        found = (
            map(Scoring(task).tail, pieces) if self._engine is None else self._engine.map(partial(_there, task), pieces)
        )
        return (tail for tail in found if tail is not None)

    def _tell(self, done: int, total: int, remark: str) -> None:
        self._progress(f"{self._share.stream}: calibrating", done, total, remark)


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker has to know."""

    share: Share
    contents: BundleContents
    begins: Mapping[str, int]

    def end(self, path: str) -> float:
        """Where in a file the records end that are older than those learned."""
        return self.begins.get(path, math.inf)


class Scoring:
    """Scores the older records of a piece."""

    def __init__(self, task: Task) -> None:
        config, name = task.share.config, task.share.stream
        stream = config.streams[name]
        self._task = task
        self._feedback = Feedback.of(resolve_state_dir(config, os.environ), name, stream)
        self._ingest = build_ingest(stream, learned_fields(stream))
        self._model = TrainedModel(task.contents, "cpu")

    def tail(self, split: Split) -> ScoreTail | None:
        """None where the piece has none."""
        tails = [tail for raw in self._task.share.read(split) if (tail := self._of_batch(raw)) is not None]
        return merged(tails) if tails else None

    def _of_batch(self, raw: RawBatch) -> ScoreTail | None:
        """A record without an event time goes with the one before it; of a batch that has none nothing is taken."""
        older = raw.offsets < self._task.end(raw.origin.path)
        if not older.any():
            return None
        parsed = self._ingest.parse(raw)
        records = keep(parsed, parsed.ok & older & ~self._feedback.anomalies(raw))
        times = known_times(records.times)
        if not len(records) or (times is None) != (records.times is None):
            return None
        scores = finite(self._model.scores(records))
        return ScoreTail.of(scores, times, records.keys)


def _there(task: Task, split: Split) -> ScoreTail | None:
    """A worker's part."""
    scoring: Scoring = made_once((task.share.stream, "older"), partial(_settled, task))
    return scoring.tail(split)


def _settled(task: Task) -> Scoring:
    return Scoring(replace(task, share=replace(task.share, config=settled(task.share.config))))


def _identity(path: Path) -> tuple[int, int] | None:
    """By which a file is known under another name; None where it is gone."""
    with suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None
