"""Every metric the program has: its name, what it counts, its labels. The reference page is made from these tables.

Labels are a stream, a sink, or one of a few words the program itself chose; nothing that is read from input or from the
file system ever becomes one, so the number of series is set by the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PREFIX = "aemonitor_"
Kind = Literal["counter", "gauge", "histogram", "info"]

SCORE_BOUNDS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
"""1 is the benign limit, so the bounds are close together around it; the threshold in use joins them."""
COMMIT_BOUNDS = (0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Seconds: a commit takes 0.2 ms on a quiet disk, 4 ms with fsync, and seconds when the disk is in trouble."""

ROTATION_KINDS = ("rename", "copytruncate", "truncate", "recreate", "symlink")
RESET_REASONS = ("head", "marker", "shrunk", "misaligned", "recreated")
ABANDON_REASONS = (
    "max_rotated_files",
    "max_pinned_bytes",
    "max_rotated_age",
    "truncated",
    "hole",
    "damaged",
    "error",
)
FILE_ERRORS = ("EACCES", "EIO", "EMFILE", "ESTALE")
"""Those that are to be expected; others join them when they come."""
WATCH_MODES = ("inotify", "poll")
RELOAD_RESULTS = ("success", "failure")
REFUSAL_REASONS = ("attempts", "certificate", "connections", "handshake", "host", "password", "rate")
WINDOWS = {"1h": 3_600.0, "1d": 86_400.0}
"""Of what is recent, in seconds."""
STAGES = ("parse", "encode", "score", "decide")
LEVELS = ("info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Metric:
    """One family: ``name`` as it is scraped, ``text`` its help, ``labels`` the names of its label values in order."""

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """The name without the suffix that belongs to the sample."""
        return self.name.removesuffix({"counter": "_total", "info": "_info"}.get(self.kind, ""))


def _metrics(kind: Kind, *rows: tuple[str, str, str]) -> list[Metric]:
    return [Metric(PREFIX + name, kind, text, tuple(labels.split())) for name, labels, text in rows]


METRICS: tuple[Metric, ...] = (
    # Records: read = scored + unparsed + filtered + sampled_out + in_flight, exact at every scrape.
    *_metrics(
        "counter",
        ("records_read_total", "stream", "Records framed from the input."),
        ("records_scored_total", "stream", "Records scored by the model and committed."),
        ("records_unparsed_total", "stream", "Records that could not be parsed, committed."),
        ("records_filtered_total", "stream", "Records left out on purpose (column headers, filters), committed."),
        ("records_sampled_out_total", "stream", "Records passed over because of overload, committed."),
        ("alerts_total", "stream", "Records that crossed the threshold, committed."),
        ("alert_episodes_total", "stream", "Alerts of which near ones of a key are one, committed; see below."),
        ("alerts_told_total", "stream", "Alerts for the sinks: of each episode, or each record (`alert.tell`)."),
        ("alerts_suppressed_total", "stream rule", "Records among them of which nobody is told, by the rule."),
        ("threshold_changes_total", "stream", "Changes of a threshold that follows (`alert.adaptive`)."),
        ("truncated_records_total", "stream", "Records longer than the size limit; their first bytes were used."),
        ("truncated_bytes_total", "stream", "Bytes cut off records longer than the size limit."),
        ("decode_errors_total", "stream", "Bytes that were not valid in the input's encoding and became U+FFFD."),
        ("nul_bytes_skipped_total", "stream", "NUL bytes before records: holes left by a writer after a truncation."),
        ("dead_letters_total", "stream", "Unparsed records kept for inspection."),
        ("tail_bytes_read_total", "stream", "Bytes of the input that were dealt with and committed."),
        ("stage_seconds_total", "stream stage", "Time spent in each stage of the data path."),
        ("rotations_total", "stream kind", "Files found rotated, by the way it was done."),
        (
            "identity_resets_total",
            "stream reason",
            "Files and topics that proved to be other ones; they are read anew.",
        ),
        ("identity_adoptions_total", "stream", "Copies and moved files in which reading went on where it had come to."),
        ("copies_ignored_total", "stream", "Files passed over because they repeat another one that is there, too."),
        ("abandoned_bytes_total", "stream reason", "Bytes that existed and will never be read."),
        ("file_errors_total", "stream reason", "Failed attempts to open or read a file, by errno; they are repeated."),
        ("source_disconnections_total", "stream", "How often a broker was lost, or not reached; it is tried again."),
        ("source_lost_records_total", "stream", "Messages that the broker deleted before they were read."),
        ("paused_seconds_total", "stream", "Time in which reading was paused."),
        ("model_refusals_total", "stream", "Published models that were not loaded; the previous one stays in use."),
        (
            "reservoir_errors_total",
            "stream",
            "Failed attempts to save the sample of benign records; they are repeated.",
        ),
        ("checkpoint_errors_total", "", "Failed attempts to commit; they are repeated and nothing is lost."),
        ("helped_batches_total", "", "Batches that helping processes prepared; see `helpers`."),
        ("helper_failures_total", "", "How often helping processes died; the daemon did their work and replaced them."),
        ("config_reloads_total", "result", "Attempts to load a changed configuration."),
        ("web_config_reloads_total", "result", "Attempts to load a changed web configuration or certificate."),
        ("http_refusals_total", "reason", "Requests and connections that the HTTP server refused."),
        ("sink_delivered_total", "sink", "Alerts a sink accepted."),
        ("sink_failures_total", "sink", "Failed attempts to deliver; they are repeated and nothing is lost."),
        ("sink_refused_total", "sink", "Alerts put aside because the receiver would never take them; see the log."),
        ("log_events_total", "level", "Log events, also those that were left out of the log."),
        ("log_events_suppressed_total", "", "Log events left out because the same event had been logged often."),
    ),
    *_metrics(
        "gauge",
        ("records_in_flight", "stream", "Records read and not yet committed."),
        ("threshold", "stream", "The score above which a record is an alert, as it stands now."),
        ("expected_false_alert_ratio", "stream", "Share of benign records expected above the threshold."),
        ("expected_false_alert_upper_ratio", "stream", "The same, at most: the upper end of its 95 % confidence."),
        (
            "expected_false_alerts_per_second",
            "stream",
            "Alerts expected of benign records; near ones of a key are one.",
        ),
        ("expected_false_alerts_upper_per_second", "stream", "The same, at most, with 95 % confidence."),
        ("episodes_open", "stream", "Episodes that somebody was told of and that are not over."),
        ("recent_records_scored", "stream window", "Records scored in the last hour (1h) and day (1d) of this run."),
        ("recent_alert_episodes", "stream window", "Alerts in that time, near ones of a key being one."),
        ("benign_error_min", "stream", "Smallest L1 error of the model's benign calibration records (score 0)."),
        ("benign_error_max", "stream", "Largest L1 error of the model's benign calibration records (score 1)."),
        ("field_drift_ratio", "stream field", "Mean error of each feature in recent records, per that of calibration."),
        ("unseen_ratio", "stream", "Share of recent records with a value that benign data had never shown."),
        ("expected_unseen_ratio", "stream", "The same of the records the model was calibrated with."),
        ("model_last_load_successful", "stream", "1 if the newest published model is in use, 0 if it was refused."),
        ("device_lost", "stream", "1 since the GPU failed and the CPU computes instead, until the next model."),
        ("model_created_timestamp_seconds", "stream", "When the model in use was trained."),
        ("model_loaded_timestamp_seconds", "stream", "When the model in use was loaded."),
        ("tail_lag_bytes", "stream", "Bytes in the followed files that are not committed."),
        ("source_connected", "stream", "1 while connected to the broker; streams without one do not have it."),
        ("source_lag_records", "stream", "Messages that the broker has for the stream and that are not committed."),
        ("tail_oldest_unread_seconds", "stream", "For how long the oldest byte not committed has been in its file."),
        ("pinned_deleted_bytes", "stream", "Disk space that deleted files take because they are held open."),
        ("scan_seconds", "stream", "Time the last look for files took."),
        ("watch_mode", "stream mode", "1 for the way new files are noticed: at once by inotify, or by polling alone."),
        ("files_open", "stream", "Files held open."),
        ("files_tracked", "stream", "Files whose progress is remembered."),
        ("reservoir_records", "stream", "Benign records kept to learn from, when they were saved last."),
        ("reservoir_bytes", "stream", "Bytes of their values, before compression."),
        (
            "reservoir_last_save_timestamp_seconds",
            "stream",
            "When the sample last changed on disk; 0 before the first.",
        ),
        ("queue_bytes", "", "Bytes read and waiting to be scored."),
        ("queue_batches", "", "Batches of records waiting to be scored."),
        ("source_event_lag_seconds", "stream", "Age of the newest event of the last batch when it was committed."),
        ("source_newest_event_timestamp_seconds", "stream", "Event time of the newest event of the last batch."),
        ("checkpoint_last_successful", "", "1 while progress can be committed; 0: nothing is read until it can."),
        ("checkpoint_last_success_timestamp_seconds", "", "When progress was last committed; 0 before the first."),
        ("outbox_depth", "sink", "Alerts committed and not yet accepted by the sink."),
        ("outbox_oldest_seconds", "sink", "How long the oldest of them has been waiting."),
        ("sink_stopped", "sink", "1 if the receiver wants no more alerts (410 Gone); they wait for another `url`."),
        ("config_last_reload_successful", "", "1 if the configuration in use is the newest one that was offered."),
        ("config_last_reload_success_timestamp_seconds", "", "When the configuration in use was loaded."),
        ("web_config_last_reload_successful", "", "The same of the web configuration and its certificate."),
        ("web_certificate_expiry_timestamp_seconds", "", "When the server's certificate expires; +Inf without one."),
    ),
    *_metrics(
        "histogram",
        ("score", "stream", "Scores of committed records, not below 0; 1 is the calibrated limit of the method."),
        ("score_l1", "stream", "Normalised L1 errors of the same records; 1 is the worst benign calibration record."),
        ("checkpoint_commit_seconds", "", "Time one commit takes."),
    ),
    *_metrics(
        "info",
        ("build_info", "version python torch", "Versions of the program and what it runs on; always 1."),
        ("device_info", "device", "Where the model is computed; always 1."),
        ("model_info", "stream version sha256 method", "The model in use and its score method; always 1."),
    ),
)

RETRAIN_METRICS: tuple[Metric, ...] = tuple(
    _metrics(
        "gauge",
        ("retrain_last_run_timestamp_seconds", "stream", "When the last retraining of the stream ended."),
        ("retrain_last_success_timestamp_seconds", "stream", "When the model in use was published; 0: there is none."),
        ("retrain_duration_seconds", "stream", "How long the last retraining took."),
        ("retrain_published", "stream", "1 if it published a model, 0 if not."),
        ("retrain_gate_passed", "stream gate", "1 for each gate that its model passed, 0 for each that it did not."),
        ("retrain_refused", "stream reason", "1 for the reason why it published none: a gate, or what was lacking."),
    )
)
"""What a retraining leaves in a file, not in the daemon's scrape; all are gauges, since each run writes it anew."""

BY_NAME = {metric.name.removeprefix(PREFIX): metric for metric in METRICS}
