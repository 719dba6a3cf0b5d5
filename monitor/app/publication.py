"""Publishes a model that passed its trials, with all that they showed, or finds out that nobody could load it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from monitor.app.gates import loads, refusal, schema
from monitor.app.gates.contest import Contest
from monitor.app.gates.trying import Tried
from monitor.app.model_page import attachments
from monitor.core.errors import BundleError
from monitor.ingest.features import FeatureSpace
from monitor.model.bundle import BundleContents
from monitor.model.publishing import publish
from monitor.model.trials import Gate, Trials


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gates say, and the version that was published, if any."""

    gates: tuple[Gate, ...]
    version: str | None = None

    @property
    def refused(self) -> str | None:
        """Why the model must not be published, in words; None when it may be."""
        return refusal(self.gates)


@dataclass(frozen=True, slots=True)
class Finished:
    """A new model that passed its gates, and its features with all the values that benign records showed."""

    contest: Contest
    gates: Sequence[Gate]
    tried: Tried
    known: FeatureSpace

    def contents(self) -> BundleContents:
        """The model with what it showed."""
        contest = self.contest
        layout = contest.candidate.features.layout
        new = contest.candidate.encode(contest.held_out)[:, layout.width :]
        trials = Trials(
            gates=(*self.gates, loads.gate(None)),  # there is no card of a model that fails the last one
            planted=self.tried.candidate,
            missing=schema.missing(contest.records),
            novel=float((new > 0).any(axis=1).mean()),
        )
        return replace(contest.candidate.contents, trials=trials, features=self.known.state())


def published(root: Path, finished: Finished, *, now: float, dry_run: bool) -> Verdict:
    """Publish, once a fresh process has loaded the files; a dry run writes them to a place of its own."""
    contents, contest, gates = finished.contents(), finished.contest, finished.gates
    files = attachments(contents, contest, finished.tried, now)
    try:
        if dry_run:
            with TemporaryDirectory(prefix="aemonitor-") as place:
                publish(Path(place), contents, now=now, attachments=files, check=loads.check)
            version = None
        else:
            keep = contest.stream.keep_models
            version = publish(root, contents, now=now, keep=keep, attachments=files, check=loads.check)
    except BundleError as error:
        return Verdict((*gates, loads.gate(error)))
    return Verdict((*gates, loads.gate(None)), version)
