"""The reference page of all metrics, made from the tables of their names."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.telemetry.names import (
    ABANDON_REASONS,
    FILE_ERRORS,
    LEVELS,
    METRICS,
    REFUSAL_REASONS,
    RELOAD_RESULTS,
    RESET_REASONS,
    RETRAIN_METRICS,
    ROTATION_KINDS,
    SCORE_BOUNDS,
    STAGES,
    WATCH_MODES,
    WINDOWS,
    Metric,
)


def describe_metrics() -> str:
    """The reference page of all metrics, as Markdown."""
    return "\n".join([*_HEAD, *_rows(METRICS), *_TAIL, *_rows(RETRAIN_METRICS), ""])


def _rows(metrics: Iterable[Metric]) -> list[str]:
    return [*_COLUMNS, *(f"| `{m.name}` | {m.kind} | {', '.join(m.labels) or '-'} | {m.text} |" for m in metrics)]


_COLUMNS = ("| metric | type | labels | meaning |", "|---|---|---|---|")
_HEAD = (
    "# Metrics",
    "",
    "Served at `/metrics`, as OpenMetrics to whoever asks for it and in the Prometheus text format otherwise.",
    "",
    "Every series of a configured stream or sink exists from the start, counters at 0. Counters of records go on over",
    "restarts, because they are committed with the progress. At every scrape, exactly:",
    "",
    "    aemonitor_records_read_total = aemonitor_records_scored_total + aemonitor_records_unparsed_total",
    "        + aemonitor_records_filtered_total + aemonitor_records_sampled_out_total + aemonitor_records_in_flight",
    "",
)
_TAIL = (
    "",
    "Values of the labels:",
    "",
    f"- `kind` of a rotation: {', '.join(ROTATION_KINDS)}.",
    f"- `reason` of an identity reset: {', '.join(RESET_REASONS)}.",
    f"- `reason` of abandoned bytes: {', '.join(ABANDON_REASONS)}.",
    f"- `mode` of watching: {', '.join(WATCH_MODES)}.",
    f"- `reason` of a file error: {', '.join(FILE_ERRORS)}, and the names of others when they come.",
    f"- `result` of a reload: {', '.join(RELOAD_RESULTS)}.",
    f"- `reason` of an HTTP refusal: {', '.join(REFUSAL_REASONS)}; see [Protect the HTTP server](../howto/https.md).",
    f"- `level` of a log event: {', '.join(LEVELS)}.",
    f"- `stage`: {', '.join(STAGES)}.",
    f"- `window`: {', '.join(WINDOWS)}.",
    "- `other` stands for a word beyond the first 24 of a family, so that no label grows without bound.",
    "",
    "What was expected is held against what came, both in episodes: alerts of one key that are close in time are one.",
    "The data have drifted, or something has been wrong for long, when",
    "",
    "    rate(aemonitor_alert_episodes_total[1d]) > aemonitor_expected_false_alerts_upper_per_second",
    "",
    "`aemonitor_recent_alert_episodes` and `aemonitor_recent_records_scored` tell it without a database of metrics:",
    "hold the former against 86,400 (1d) or 3,600 (1h) times the expectation. It is that of the calibrated limit, and",
    "not shown where `alert.threshold` was changed since `retrain`.",
    "",
    "`aemonitor_score` has the buckets "
    + ", ".join(f"{bound:g}" for bound in SCORE_BOUNDS)
    + " and the threshold as it was loaded; when a model comes with another one, the histogram starts again at 0,",
    "which `rate()` takes for a restart. Scores below 0 count as 0, and what is not a finite number as 1e9.",
    "",
    "In OpenMetrics `aemonitor_alerts_total` and the buckets of `aemonitor_score` carry an exemplar each: the",
    "`alert_id` of the last alert told, for `aemonitor alerts show` and `aemonitor explain`. Prometheus keeps them if",
    "started with `--enable-feature=exemplar-storage`.",
    "",
    "The process itself is described by the usual `process_*` metrics: `process_cpu_seconds_total`,",
    "`process_resident_memory_bytes`, `process_virtual_memory_bytes`, `process_open_fds`, `process_max_fds`,",
    "`process_start_time_seconds`.",
    "",
    "What to alert on, and dashboards: [Prometheus, Alertmanager, Grafana](../howto/prometheus.md).",
    "",
    "## Of a retraining",
    "",
    "`aemonitor retrain --metrics-file FILE` leaves them for node_exporter's textfile collector. `reason` is a gate,",
    "or no_input, too_little_data, error.",
    "",
)
