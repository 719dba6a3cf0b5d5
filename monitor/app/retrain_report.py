"""What ``retrain`` tells of a training: for a person as text, for a program as JSON."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from monitor.app.gate import Trial
from monitor.app.suspicions import Suspicion, listing
from monitor.core.errors import TryLaterError
from monitor.core.limit import Limit
from monitor.core.model_config import Network
from monitor.model.calibration import method_of
from monitor.model.history import Candidate
from monitor.training.recipe import Trained


class Report(msgspec.Struct, frozen=True):
    """What a retraining did.

    ``published`` is the new version; None after a dry run, or where the gate says in ``refused`` why it must not be.
    ``method`` is what scores, ``average`` over how many records; ``limit`` what to expect above ``threshold``.
    ``suspects`` were left out of all of it; ``candidates`` are the bottlenecks tried.
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

    def text(self) -> str:
        """The report for a person."""
        layers = "-".join(map(str, self.layers)) or "none"
        lines = [
            f"stream {self.stream}: {self.records_read:,} records read"
            + (f", {self.unparsed:,} of them do not parse" if self.unparsed else ""),
            f"  split      {self._split()}",
            f"  device     {self.device}",
            *listing(self.suspects),
            f"  network    {self._kind()}{layers}{self._beside()}, best of {self.epochs} epochs: {self.best_epoch}",
            *([f"  bottleneck {self._bottleneck()}"] if len(self.candidates) > 1 else []),
            *([f"  learned    {self._learned()}"] if self.explained is not None else []),
            f"  benign     errors {self.error_low:.4g} to {self.error_high:.4g} are l1 scores 0 to 1"
            + ("" if self.state == "ok" else f" ({STATES[self.state]})"),
            f"  score      {self._score()}",
            f"  alerts     above {self.threshold:g}" + (f": {self.limit.text()}" if self.limit else ""),
            *([f"             {self.limit.share_text()}"] if self.limit and self.limit.daily else []),
            f"  faults     {self.trial.text()}",
            *(f"  left out   {name}: {reason}" for name, reason in self.left_out.items()),
            self._outcome(),
        ]
        return "\n".join(lines)

    def _score(self) -> str:
        told = METHODS.get(self.method, self.method)
        return told if self.average == 1 else f"{told}; the mean of a key's last {self.average} records"

    def _outcome(self) -> str:
        if self.published:
            return f"  published  {self.published}"
        return f"  refused    {self.refused}" if self.refused else "  dry run: nothing was published"

    def _split(self) -> str:
        if self.split == "none":
            return f"none: the same {self.train:,} records to learn and to calibrate; new ones will score higher"
        return f"{self.train:,} to learn, {self.early_stop:,} to stop by, {self.calibration:,} to calibrate"

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
    trial: Trial,
    refused: str | None,
    version: str | None,
    *,
    read: int,
    unparsed: int,
    device: str,
    threshold: float,
) -> Report:
    """The report of a training; ``version`` is the one published, if any."""
    contents = trained.contents
    history = contents.history
    best = next((epoch for epoch in history.epochs if epoch.number == history.best_epoch), None)
    return Report(
        stream=contents.stream,
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
        method=method_of(contents.score),
        average=1 if contents.score is None else contents.score.average,
        threshold=threshold,
        limit=contents.limit,
        trial=trial,
        left_out=dict(trained.features.left_out),
        device=device,
        refused=refused,
        network=contents.config.network,
        candidates=history.candidates,
    )


def check_published(reports: Sequence[Report]) -> None:
    """Say which models the gate kept back.

    Raises:
        TryLaterError: one at least.
    """
    kept = [f"stream {report.stream}: not published: {report.refused}" for report in reports if report.refused]
    if kept:
        raise TryLaterError("; ".join(kept) + ". What was in use stays; --force publishes all the same")
