"""What a retraining did, as metrics: of every stream, also of those that could not be trained."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from monitor.app.retrain_report import Outcome, Report
from monitor.app.streams import models_root
from monitor.core.clock import SystemClock
from monitor.core.errors import AemonitorError, BundleError, NoInputError, TryLaterError
from monitor.model.manifest import read_manifest
from monitor.model.versions import version_directory
from monitor.plugins import load_config
from monitor.telemetry.textfile import RetrainRun, write_textfile

REASONS: tuple[tuple[type[AemonitorError], str], ...] = ((NoInputError, "no_input"), (TryLaterError, "too_little_data"))
"""One word for what kept a stream from being trained; ``error`` for whatever else it was."""


def write_metrics(config_path: Path, outcomes: Sequence[Outcome], path: Path) -> None:
    """Write the metrics file.

    Raises:
        CannotCreateError: it cannot be written.
    """
    root, now = models_root(load_config(config_path)), SystemClock().now()
    write_textfile([_run(root, outcome, now) for outcome in outcomes], path)


def _run(root: Path, outcome: Outcome, now: float) -> RetrainRun:
    found = outcome.found
    gates = {gate.name: gate.passed for gate in found.gates} if isinstance(found, Report) else {}
    return RetrainRun(
        stream=outcome.stream,
        ended=now,
        seconds=outcome.seconds,
        published=isinstance(found, Report) and found.published is not None,
        last_success=_last_success(root, outcome.stream),
        gates=gates,
        reason=_reason(found),
    )


def _reason(found: Report | AemonitorError) -> str | None:
    if isinstance(found, AemonitorError):
        return next((word for kind, word in REASONS if isinstance(found, kind)), "error")
    return next((gate.name for gate in found.gates if not gate.passed), None)


def _last_success(root: Path, stream: str) -> float:
    """When the model in use was published; the file before this one need not be there to know it."""
    try:
        manifest = read_manifest(version_directory(root, stream))
        return datetime.fromisoformat(manifest.created).timestamp()
    except (BundleError, NoInputError):
        return 0.0
