"""What ``retrain`` tells of a training: for a person as text, for a program as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from monitor.app.gates.contest import Contest
from monitor.app.gates.replay import Disagreements
from monitor.app.gates.trying import Tried, total
from monitor.app.publication import Verdict
from monitor.app.silences import SECTION
from monitor.app.suspicions import Suspicion, listing
from monitor.core.errors import AemonitorError, TryLaterError
from monitor.core.limit import Limit
from monitor.core.model_config import Network
from monitor.explaining.silences import lasting
from monitor.model.calibration import method_of
from monitor.model.history import Candidate
from monitor.model.trials import Gate
from monitor.training.recipe import Trained


class Trial(msgspec.Struct, frozen=True):
    """How a model did: ``false_alarms`` is the share of the replayed benign records that alert.

    ``recall`` is the share found of ``planted`` faults, as if each lasted long enough to fill the average of scores,
    ``named`` the share of alerts asked that name the spoiled field first. None where there is nothing to share.
    """

    false_alarms: float
    planted: int
    recall: float | None
    named: float | None

    def text(self) -> str:
        """The faults, for a person."""
        if self.recall is None:
            return "no fault can be planted in these fields"
        named = "" if self.named is None else f", {self.named:.0%} of these name the field first"
        return f"{self.recall:.0%} of {self.planted:,} planted in held-out records are found{named}"


class Report(msgspec.Struct, frozen=True):
    """What a retraining did.

    ``published`` is the new version; None after a dry run, or where gates were not passed: ``refused`` says why in
    words. With ``--force`` both are there. ``disagreements`` are with the model in use, None where there is none.
    ``method`` is what scores, ``average`` over how many records; ``limit`` what to expect above ``threshold``.
    ``suspects`` were left out of all of it; ``candidates`` are the bottlenecks tried. ``older`` records were
    scored to calibrate besides; they did so if ``limit`` rests on more records than ``calibration``.
    ``silent_seconds`` is after how long a silence of the stream is told; ``missed_keys`` are there all the time, and
    the silence of each is told after ``key_silent_seconds`` at most. None where the records do not tell.
    """

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
    method: str
    average: int
    threshold: float
    limit: Limit | None
    trial: Trial
    left_out: dict[str, str]
    device: str
    refused: str | None = None
    network: Network = "dense"
    candidates: tuple[Candidate, ...] = ()
    suspects: tuple[Suspicion, ...] = ()
    gates: tuple[Gate, ...] = ()
    disagreements: Disagreements | None = None
    out_of_time: bool = False
    silent_seconds: float | None = None
    missed_keys: int | None = None
    key_silent_seconds: float | None = None
    older: int = 0

    def text(self) -> str:
        """The report for a person."""
        layers = "-".join(map(str, self.layers)) or "none"
        lines = [
            f"stream {self.stream}: {self.records_read:,} records read"
            + (f", {self.unparsed:,} of them do not parse" if self.unparsed else ""),
            f"  split      {self._split()}",
            *self._older(),
            f"  device     {self.device}",
            *listing(self.suspects),
            f"  network    {self._kind()}{layers}{self._beside()}, best of {self.epochs} epochs: {self.best_epoch}"
            + (", then the time was up (--max-seconds)" if self.out_of_time else ""),
            *([f"  bottleneck {self._bottleneck()}"] if len(self.candidates) > 1 else []),
            *([f"  learned    {self._learned()}"] if self.explained is not None else []),
            f"  benign     errors {self.error_low:.4g} to {self.error_high:.4g} are l1 scores 0 to 1"
            + ("" if self.state == "ok" else f" ({STATES[self.state]})"),
            f"  score      {self._score()}",
            f"  alerts     above {self.threshold:g}" + (f": {self.limit.text()}" if self.limit else ""),
            *([f"             {self.limit.share_text()}"] if self.limit and self.limit.daily else []),
            *self._silence(),
            f"  faults     {self.trial.text()}",
            *(f"  left out   {name}: {reason}" for name, reason in self.left_out.items()),
            *(f"  gate       {gate.name}: {'' if gate.passed else 'FAILED: '}{gate.words}" for gate in self.gates),
            *self._differences(),
            self._outcome(),
        ]
        return "\n".join(lines)

    def _silence(self) -> Iterator[str]:
        if self.silent_seconds is not None:
            yield f"  silence    told after {lasting(self.silent_seconds)} without a record"
        if self.missed_keys is not None and self.key_silent_seconds is not None:
            yield (
                f"             of each of {self.missed_keys:,} keys that are there all the time after "
                f"{lasting(self.key_silent_seconds)}, within a day by its own habit"
            )

    def _score(self) -> str:
        told = METHODS.get(self.method, self.method)
        return told if self.average == 1 else f"{told}; the mean of a key's last {self.average} records"

    def _outcome(self) -> str:
        if self.published:
            return f"  published  {self.published}" + (" by force, against the gates" if self.refused else "")
        return f"  refused    {self.refused}" if self.refused else "  dry run: nothing was published"

    def _split(self) -> str:
        if self.split == "none":
            return f"none: the same {self.train:,} records to learn and to calibrate; new ones will score higher"
        return f"{self.train:,} to learn, {self.early_stop:,} to stop by, {self.calibration:,} to calibrate"

    def _differences(self) -> list[str]:
        found = self.disagreements
        if found is None:
            return []
        counts = f"{found.both:,} with both, {found.only_new:,} now, {found.only_old:,} with the one in use only"
        return [f"  replayed   records that alert: {counts}", *(f"             {each.text()}" for each in found.shown)]

    def _older(self) -> list[str]:
        if not self.older:
            return []
        if self.limit and self.limit.records > self.calibration:
            return [f"             {self.older:,} older ones, of which nothing was learned, calibrate with them"]
        return [f"             {self.older:,} older ones score otherwise than the newest and do not calibrate"]

    def _kind(self) -> str:
        return "" if self.network == "dense" else f"{self.network} "

    def _bottleneck(self) -> str:
        tried = ", ".join(f"{candidate.loss:.1%} with {candidate.bottleneck}" for candidate in self.candidates)
        return f"{min(self.layers)}: of the variation of held-out records is left {tried}"

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

METHODS = {
    "l1": "l1, the summed error of the network",
    "field": "field, how rare its worst field is: 0 the best benign, 1 the limit",
    "masked": "masked, how rare its worst field is, looked at twice: 0 the best benign, 1 the limit",
    "blend": "blend, how rare the record or its worst field is: 0 the best benign, 1 the limit",
}

STATES = {
    "few": "fewer than 100 calibration records: expect false alerts",
    "flat": "all benign records look the same: any difference alerts",
}


def report_of(
    trained: Trained,
    contest: Contest,
    tried: Tried,
    verdict: Verdict,
    *,
    read: int,
    unparsed: int,
    device: str,
) -> Report:
    """The report of a training, of its trials and of what became of the model."""
    contents = trained.contents
    history, silence = contents.history, contents.sections.get(SECTION, {})
    best = next((epoch for epoch in history.epochs if epoch.number == history.best_epoch), None)
    return Report(
        stream=contents.stream,
        published=verdict.version,
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
        method=method_of(contents.score),
        average=1 if contents.score is None else contents.score.average,
        threshold=contest.candidate.threshold,
        limit=contents.limit,
        trial=_trial(contest, tried),
        left_out=dict(trained.features.left_out),
        device=device,
        refused=verdict.refused,
        network=contents.config.network,
        candidates=history.candidates,
        gates=verdict.gates,
        out_of_time=history.out_of_time,
        silent_seconds=silence.get("seconds"),
        missed_keys=silence.get("keys"),
        key_silent_seconds=silence.get("key_seconds"),
    )


def _trial(contest: Contest, tried: Tried) -> Trial:
    records, found = total(tried.candidate)
    return Trial(
        false_alarms=float(contest.replay.alerts.mean()),
        planted=records,
        recall=found / records if records else None,
        named=tried.named,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one stream: a report, or the error that left it without one; ``seconds`` it took."""

    stream: str
    found: Report | AemonitorError
    seconds: float


def check_published(outcomes: Sequence[Outcome]) -> None:
    """Say which streams have no new model that were to have one.

    Raises:
        AemonitorError: that of a stream that could not be trained.
        TryLaterError: gates kept a model back, and it was not published by force.
    """
    kept = [f"stream {o.stream}: {_lack(o.found)}" for o in outcomes if _lack(o.found)]
    failed = [outcome.found for outcome in outcomes if isinstance(outcome.found, AemonitorError)]
    if failed:
        raise failed[0] if len(kept) == 1 else type(failed[0])("; ".join(kept))
    if kept:
        raise TryLaterError("; ".join(kept) + ". What was in use stays; --force publishes all the same")


def _lack(found: Report | AemonitorError) -> str | None:
    """Why there is no new model of a stream; None where there is one, or none was to be."""
    if isinstance(found, AemonitorError):
        return str(found)
    return f"not published: {found.refused}" if found.refused and not found.published else None
