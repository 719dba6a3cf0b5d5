"""What a retraining did, as a file that node_exporter's textfile collector picks up: whole at every moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from monitor.core.errors import CannotCreateError
from monitor.telemetry.names import PREFIX, RETRAIN_METRICS


@dataclass(frozen=True, slots=True)
class RetrainRun:
    """One stream of a run. ``reason`` is a gate or one word for what was lacking, None where nothing was.

    ``ended`` and ``last_success`` are seconds since 1970 UTC.
    """

    stream: str
    ended: float
    seconds: float
    published: bool
    last_success: float
    gates: Mapping[str, bool]
    reason: str | None


def write_textfile(runs: Sequence[RetrainRun], path: Path) -> None:
    """Write the file; whoever reads it has the one before or the new one.

    Raises:
        CannotCreateError: it cannot be written.
    """
    registry = CollectorRegistry()
    gauges = {
        metric.name.removeprefix(PREFIX): Gauge(metric.name, metric.text, metric.labels, registry=registry)
        for metric in RETRAIN_METRICS
    }
    for run in runs:
        _tell(run, gauges)
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise CannotCreateError(f"{path}: cannot write the metrics: {error.strerror}") from error


def _tell(run: RetrainRun, gauges: Mapping[str, Gauge]) -> None:
    gauges["retrain_last_run_timestamp_seconds"].labels(run.stream).set(run.ended)
    gauges["retrain_last_success_timestamp_seconds"].labels(run.stream).set(run.last_success)
    gauges["retrain_duration_seconds"].labels(run.stream).set(run.seconds)
    gauges["retrain_published"].labels(run.stream).set(run.published)
    for gate, passed in run.gates.items():
        gauges["retrain_gate_passed"].labels(run.stream, gate).set(passed)
    if run.reason:
        gauges["retrain_refused"].labels(run.stream, run.reason).set(1)
