"""The data path of one stream, from framed bytes to an outcome ready to commit. Read it aloud: it is the program."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.app.alerting import Scored
from monitor.app.joining import join
from monitor.app.news import News
from monitor.app.prepared import Prepared, Stages
from monitor.app.sampling import Sampler
from monitor.app.stretch_sampling import StretchSampler
from monitor.app.telling import Teller
from monitor.core.accounting import Counts, DeadLetter, Memory, MemoryChange, Outcome, Position
from monitor.core.alerts import Alert
from monitor.core.arrays import F32, F64, I64
from monitor.core.drifted import Drifted
from monitor.core.limit import Limit
from monitor.core.records import RawBatch, RecordBatch
from monitor.core.redaction import Redaction
from monitor.deciding.adaptation import Adaptation
from monitor.deciding.averaging import Averaging
from monitor.deciding.drift import DRIFT, Drift
from monitor.deciding.episodes import Episodes
from monitor.deciding.key_silence import KeySilence
from monitor.deciding.silence import Silence
from monitor.deciding.storm import Storm
from monitor.deciding.threshold import Decider
from monitor.ingest.features import FeatureSpace
from monitor.ingest.reading import Ingest
from monitor.model.bundle import Bundle
from monitor.scoring.l1 import L1Scorer
from monitor.scoring.scores import ScoreBatch

DEAD_LETTER_SAMPLE = 10
"""Dead letters kept of one batch: enough to see what is wrong, too few for a flood to fill the ledger."""
DEAD_LETTER_CHARACTERS = 1024
SCORES, LIMIT, EPISODES, STORM = "", "\0limit", "\0episodes", "\0storm"
"""Names, which no feature can have, of what is remembered beside features: the scores that are averaged, the limit that
follows, when each key alerted last, and who is in a storm."""
SUPPRESSED, SUPPRESSED_STORM = "\0suppressed", "\0suppressed storm"
"""The same of episodes that nobody is told of."""
SILENCE, KEY_SILENCE = "\0silence", "\0key silence"
"""And when records came last, and those of each key that is there all the time."""
OWN = frozenset({SCORES, LIMIT, EPISODES, STORM, SUPPRESSED, SUPPRESSED_STORM, SILENCE, KEY_SILENCE, DRIFT})
_Part = Averaging | Episodes | Storm | Silence | KeySilence | Adaptation | Drift
NEWEST_TIME_SECONDS = 1.0
"""How often the event time is looked at for the lag metric: a look costs as much as a few hundred records."""


@dataclass(frozen=True, slots=True)
class Processed:
    """What became of one batch: the outcome to commit, and what telemetry wants to know of it."""

    outcome: Outcome
    scores: F64  # [scored]
    l1: F64  # [scored]
    newest_time: float | None  # event time, seconds since 1970; None also where it was not looked at
    stage_seconds: Mapping[str, float]
    lost_device: str = ""  # why the GPU is not used any more


class Pipeline:
    """One stream with one published model. Used by one thread at a time; keyed state lives in its parts.

    ``sampler`` is offered what was scored, if there is one.
    """

    def __init__(
        self,
        stream: str,
        ingest: Ingest,
        features: FeatureSpace,
        scorer: L1Scorer,
        *,
        averaging: Averaging,
        decider: Decider,
        teller: Teller,
    ) -> None:
        self.stream = stream
        self.ingest = ingest
        self.features = features
        self.scorer = scorer
        self.averaging = averaging
        self.decider = decider
        self.teller = teller
        self.sampler: Sampler | StretchSampler | None = None
        self.drift = Drift(self.bundle.version, self.bundle.contents.usual)
        self._remembering: dict[str, _Part] = {
            SCORES: averaging,
            EPISODES: teller.episodes,
            STORM: teller.episodes.storm,
            SUPPRESSED: teller.hidden,
            SUPPRESSED_STORM: teller.hidden.storm,
            SILENCE: teller.silence.silence,
            KEY_SILENCE: teller.keys.silence,
            DRIFT: self.drift,
        }
        if isinstance(decider, Adaptation):
            self._remembering[LIMIT] = decider
        self._time_asked = -math.inf  # monotonic seconds

    @property
    def bundle(self) -> Bundle:
        """The model version in use."""
        return self.teller.alerts.bundle

    @property
    def threshold(self) -> float:
        """The score above which the next record alerts."""
        return self.decider.limit

    @property
    def promise(self) -> Limit | None:
        """What to expect above the calibrated threshold; None where that is not known."""
        return self.decider.promise

    def drifted(self) -> Drifted:
        """How far records have moved away from the model; any thread may ask."""
        return self.drift.now

    @property
    def suppressing(self) -> Sequence[str]:
        """What may suppress alerts, by name."""
        return self.teller.suppressor.names

    def open_episodes(self) -> int:
        """Episodes that somebody was told of and that are not over; any thread may ask."""
        return self.teller.episodes.told

    def memories(self) -> Mapping[str, Memory]:
        """What is remembered of keys after all that was processed."""
        own = {name: Memory(part.made_by, part.keyed_state) for name, part in self._remembering.items()}
        return {**self.features.memories(), **own}

    def take_over(self, memories: Mapping[str, Memory]) -> Mapping[str, str]:
        """Go on with what was remembered at the last commit, or by the model before this one; why not, by name."""
        of_features = {name: memory for name, memory in memories.items() if name not in OWN}
        reasons = self.features.take_over(of_features)
        for name in memories.keys() & OWN:
            part = self._remembering.get(name)
            reason = part.take_over(memories[name]) if part else "alert.adaptive is off"
            if reason:
                reasons[name] = reason
        return reasons

    def join(self, changes: Sequence[MemoryChange]) -> tuple[list[MemoryChange], dict[str, str]]:
        """Remember also what another daemon did of keys whose records come here from now on; see ``joining``."""
        return join(changes, self.memories(), self.take_over)

    @property
    def in_order(self) -> bool:
        """Whether what becomes of a record depends on those before it."""
        return self.features.remembers or self.averaging.length > 1 or isinstance(self.decider, Adaptation)

    def score(self, raw: RawBatch, prepared: Prepared | None = None) -> Scored:
        """Parse, encode and score what was not prepared of it elsewhere; nothing is counted."""
        prepared = prepared.unpacked(raw) if prepared else self.prepare(raw)
        records = prepared.records
        matrix = prepared.matrix or self.features.encode(records)
        scores = self._averaged(records, prepared.scores or self.scorer.score(matrix))
        return Scored(records, matrix, scores, self.decider.limits(scores.scores, records.ok))

    def explain(self, scored: Scored, rows: I64) -> tuple[Alert, ...]:
        """The alerts of some rows of a scored batch, in order."""
        if not len(rows):
            return ()
        return self.teller.alerts.write(scored, rows, self.ingest.context(scored.records.raw, rows))

    def prepare(self, raw: RawBatch, *, scored: bool = True) -> Prepared:
        """What no earlier record has a say in; without ``scored`` no more than the network's input."""
        stages = Stages()
        records = self.ingest.parse(raw)
        stages.passed("parse")
        if self.features.remembers:
            return Prepared(records, None, None, stages.seconds)
        matrix = self.features.encode(records)
        stages.passed("encode")
        if not scored:
            return Prepared(records, matrix, None, stages.seconds)
        scores = self.scorer.score(matrix)
        stages.passed("score")
        return Prepared(records, matrix, scores, stages.seconds)

    def process(self, raw: RawBatch, prepared: Prepared | None = None) -> Processed:
        """The whole path for one batch, of which the beginning may have been prepared by a twin of this pipeline."""
        prepared = prepared.unpacked(raw) if prepared else self.prepare(raw)
        stages = Stages(prepared.seconds)
        records = prepared.records
        matrix = prepared.matrix or self.features.encode(records)
        remembered = self.features.memory_changes()
        stages.passed("encode")
        scores = self._averaged(records, prepared.scores or self.scorer.score(matrix))
        stages.passed("score")
        scored = Scored(records, matrix, scores, self.decider.limits(scores.scores, records.ok))
        newest = self._newest_time(records)
        news = self._decide(scored).followed_by(self.teller.ended(newest)).followed_by(self.teller.heard(records))
        if self.sampler:
            self.sampler.offer(scored)
        self.drift.see(records.ok, matrix.values, self.features.layout.width, self._field_errors, news.begun)
        stages.passed("decide")
        outcome = Outcome(
            stream=self.stream,
            positions=(Position(raw.origin, raw.next_offset, raw.tail),),
            counts=replace(count(records), alerts=len(scored.alerting), episodes=news.begun, told=news.told),
            alerts=news.alerts,
            suppressed=news.suppressed,
            withdrawn=news.withdrawn,
            released=news.released,
            resolved=news.resolved,
            dead_letters=dead_letters(records, self.teller.alerts.redaction),
            memories=(*remembered, *self._remembered()),
            limit_changes=self.decider.changes(),
        )
        ok, lost = records.ok, self.scorer.lost_device
        return Processed(outcome, scores.scores[ok], scores.l1[ok], newest, stages.seconds, lost)

    def idle(self, *, ending: bool = False) -> Processed | None:
        """What there is to commit while nothing comes: what waited to be told, the end of episodes, silence.

        ``ending``: nothing will come, so nothing waits any longer.
        """
        news = self.teller.ended(None, at_once=ending).followed_by(self.teller.silent())
        if not news:
            return None
        outcome = Outcome(
            stream=self.stream,
            positions=(),
            counts=Counts(told=news.told),
            alerts=news.alerts,
            withdrawn=news.withdrawn,
            released=news.released,
            resolved=news.resolved,
            memories=tuple(self._remembered()),
        )
        return Processed(outcome, np.empty(0), np.empty(0), None, {})

    def _decide(self, scored: Scored) -> News:
        rows = scored.alerting
        if not len(rows):
            return News()
        return self.teller.tell(scored, rows, self.ingest.context(scored.records.raw, rows))

    def _field_errors(self, values: F32) -> F64:
        """The error of each feature of some encoded rows [n, total], [n, features]."""
        return self.scorer.field_errors(values, self.scorer.reconstruct(values))

    def _remembered(self) -> Iterator[MemoryChange]:
        for name, part in self._remembering.items():
            change = part.keyed_changes()
            if any(change):
                yield MemoryChange(name, part.made_by, *change, moves=name == SCORES)

    def _averaged(self, records: RecordBatch, scores: ScoreBatch) -> ScoreBatch:
        return replace(scores, scores=self.averaging.apply(records, scores.scores))

    def _newest_time(self, records: RecordBatch) -> float | None:
        """The event time of the last record that could be parsed, if it is known; asked for once a second at most."""
        now = time.monotonic()
        if now - self._time_asked < NEWEST_TIME_SECONDS:
            return None
        self._time_asked = now
        last = np.flatnonzero(records.ok)[-1:]
        times = self.ingest.context(records.raw, last).times
        return float(times[0]) if times is not None and np.isfinite(times).any() else None


def count(records: RecordBatch) -> Counts:
    """What happened to each record of a batch; header lines are filtered, not unparsed."""
    raw = records.raw
    return Counts(
        read=len(records) + raw.sampled_out,
        scored=int(records.ok.sum()),
        unparsed=int(records.unparsed.sum()),
        filtered=int(records.headers.sum()),
        sampled_out=raw.sampled_out,
        bytes=raw.input_bytes,
        truncated=int(raw.truncated.sum()),
        replaced_bytes=raw.replaced_bytes,
        dropped_bytes=raw.dropped_bytes,
        skipped_bytes=raw.skipped_bytes,
    )


def dead_letters(records: RecordBatch, redaction: Redaction) -> tuple[DeadLetter, ...]:
    """The first few unparsed records of a batch, with the reason."""
    raw = records.raw
    rows = np.flatnonzero(records.unparsed)[:DEAD_LETTER_SAMPLE].tolist()
    return tuple(
        DeadLetter(raw.origin, int(raw.offsets[row]), redaction.text(records.reasons[row]), text)
        for row, text in ((row, redaction.text(raw.line(row))[:DEAD_LETTER_CHARACTERS]) for row in rows)
    )
