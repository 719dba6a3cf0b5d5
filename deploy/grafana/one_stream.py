"""The dashboard of one stream: how its scores lie to the limit, whether the model still fits, whether all is read."""

from __future__ import annotations

from frame import ONE_STREAM, Section, begun, filled, runbooks, streams
from grafana_foundation_sdk.builders import dashboard
from panels import RECORDS, SOURCE, Column, Query, buckets, graph, one_value, rows

S = '{instance=~"$instance", stream="$stream"}'
RATE = "[$__rate_interval]"


def build() -> dashboard.Dashboard:
    """The dashboard."""
    made = (
        begun(
            "aemonitor: one stream",
            ONE_STREAM,
            "One stream: its scores and their limit, drift, records, files, and what the next model learns from.",
        )
        .with_variable(streams())
        .with_variable(runbooks())
        .annotation(
            dashboard.AnnotationQuery()
            .name("A model was taken up")
            .expr(f"changes(aemonitor_model_loaded_timestamp_seconds{S}[1m]) > 0")
            .enable(True)
            .datasource(SOURCE)
            .icon_color("blue")
        )
    )
    return filled(made, _now(), _scores(), _findings(), _drift(), _records(), _files(), _learning())


def _now() -> Section:
    return "Now", [
        one_value(
            "Open episodes",
            Query(f"sum(aemonitor_episodes_open{S})"),
            "Anomalies somebody was told of and that are not over: `aemonitor alerts list`.",
            steps=[1, 10],
            runbook="AemonitorAnomaly",
        ),
        one_value(
            "Records scored",
            Query(f"sum(rate(aemonitor_records_scored_total{S}{RATE}))"),
            "In a second.",
            unit=RECORDS,
        ),
        one_value(
            "Oldest unread record",
            Query(f"max(aemonitor_tail_oldest_unread_seconds{S})"),
            "For how long the oldest byte that is not scored has been in its file.",
            unit="s",
            steps=[60, 300],
            runbook="AemonitorLagGrowing",
        ),
        one_value(
            "Records that cannot be parsed",
            Query(f"max(instance_stream:aemonitor_records_unparsed:ratio_rate15m{S})"),
            "Share of the records of 15 minutes; what is not parsed is not scored.",
            unit="percentunit",
            steps=[0.01, 0.1],
            runbook="AemonitorUnparsedRecords",
        ),
        one_value(
            "Model",
            Query(f"aemonitor_model_info{S}", "{{version}} ({{method}})"),
            "The version that scores, and its method: `aemonitor models show`.",
            runbook="AemonitorModelMissing",
            span=4,
        ),
        one_value(
            "Age of the model",
            Query(f"max(time() - aemonitor_model_created_timestamp_seconds{S})"),
            "Since it was trained.",
            unit="s",
            steps=[30 * 86400, 90 * 86400],
            runbook="AemonitorModelStale",
            span=2,
        ),
        one_value(
            "Newest model",
            Query(f"min(aemonitor_model_last_load_successful{S})"),
            "Whether what was published last is in use.",
            words={1: "in use", 0: "refused"},
            runbook="AemonitorModelRefused",
        ),
        one_value(
            "False episodes expected a day",
            Query(f"max(86400 * aemonitor_expected_false_alerts_per_second{S})"),
            "What the limit promises of data like those it was calibrated with. No data: nothing is promised.",
        ),
    ]


def _scores() -> Section:
    of_100 = [
        Query(f"histogram_quantile({q}, sum by (le) (rate(aemonitor_score_bucket{S}{RATE})))", legend, exemplars)
        for q, legend, exemplars in ((0.5, "half are below", False), (0.99, "99 of 100 are below", True))
    ]
    return "Scores: 0 is the best benign record, 1 the calibrated limit", [
        buckets(
            "Scores",
            Query(f"sum by (le) (increase(aemonitor_score_bucket{S}{RATE}))", exemplars=True),
            "How many records fell into each bucket. A point is an alert that was told, with its alert_id.",
        ),
        graph(
            "Scores and the limit",
            [*of_100, Query(f"max(aemonitor_threshold{S})", "limit")],
            "Interpolated within the buckets. The limit moves only where alert.adaptive is on.",
            runbook="AemonitorBudgetExceeded",
            span=12,
        ),
    ]


def _findings() -> Section:
    return "What was found", [
        graph(
            "Anomalous records",
            [
                Query(f"sum(increase(aemonitor_alerts_total{S}[5m]))", "above the limit", exemplars=True),
                Query(f"sum(increase(aemonitor_alerts_told_total{S}[5m]))", "told to the sinks"),
                Query(f"sum(increase(aemonitor_alerts_suppressed_total{S}[5m])) or vector(0)", "suppressed by rules"),
            ],
            "In five minutes.",
            runbook="AemonitorAnomaly",
        ),
        graph(
            "Episodes in a day",
            [
                Query(f"sum(instance_stream:aemonitor_alert_episodes:increase1d{S})", "came"),
                Query(f"sum(86400 * aemonitor_expected_false_alerts_per_second{S})", "expected of benign data"),
                Query(f"sum(instance_stream:aemonitor_alert_episodes:most1d{S})", "at most by chance"),
            ],
            "Of the 24 hours before. Above the third line it is no chance: an incident that lasts, or drift.",
            runbook="AemonitorBudgetExceeded",
        ),
        graph(
            "Share of records above the limit",
            [
                Query(
                    f"sum(rate(aemonitor_alerts_total{S}[1h])) / sum(rate(aemonitor_records_scored_total{S}[1h]))",
                    "came",
                ),
                Query(f"max(aemonitor_expected_false_alert_ratio{S})", "expected of benign data"),
                Query(f"max(aemonitor_expected_false_alert_upper_ratio{S})", "at most, with 95 % confidence"),
            ],
            "Of the hour before.",
            unit="percentunit",
            runbook="AemonitorBudgetExceeded",
        ),
    ]


def _drift() -> Section:
    return "Does the model still fit?", [
        graph(
            "Drift of fields",
            [Query(f"max by (field) (aemonitor_field_drift_ratio{S})", "{{field}}")],
            "Mean error of each field in recent records, per that of calibration. 1: as then.",
            steps=[2],
            runbook="AemonitorFieldDrift",
            span=12,
        ),
        graph(
            "Records with values never seen",
            [
                Query(f"max(aemonitor_unseen_ratio{S})", "recent records"),
                Query(f"max(aemonitor_expected_unseen_ratio{S})", "when the model was made"),
            ],
            "Share of records with a value that benign data had never shown.",
            unit="percentunit",
            runbook="AemonitorUnseenValues",
            span=12,
        ),
    ]


def _records() -> Section:
    def rate(what: str) -> Query:
        return Query(f"sum(rate(aemonitor_records_{what}_total{S}{RATE}))", what.replace("_", " "))

    return "Records", [
        graph(
            "What became of the records",
            [rate("scored"), rate("unparsed"), rate("filtered"), rate("sampled_out")],
            "Together they are what was read: every record is in exactly one of them.",
            unit=RECORDS,
            stacked=True,
            runbook="AemonitorUnparsedRecords",
        ),
        graph(
            "Time a record takes",
            [
                Query(
                    f"sum by (stage) (rate(aemonitor_stage_seconds_total{S}{RATE}))"
                    f" / ignoring (stage) group_left sum(rate(aemonitor_records_scored_total{S}{RATE}))",
                    "{{stage}}",
                )
            ],
            "By stage of the data path. Explanations of anomalous records are in decide.",
            unit="s",
            stacked=True,
            runbook="AemonitorLagGrowing",
        ),
        graph(
            "Damage in the input",
            [
                Query(f"sum(increase(aemonitor_dead_letters_total{S}[15m]))", "unparsed records kept"),
                Query(f"sum(increase(aemonitor_truncated_records_total{S}[15m]))", "records too long"),
                Query(f"sum(increase(aemonitor_decode_errors_total{S}[15m]))", "bytes not valid in the encoding"),
                Query(f"sum(increase(aemonitor_nul_bytes_skipped_total{S}[15m]))", "NUL bytes skipped"),
            ],
            "In 15 minutes.",
            runbook="AemonitorUnparsedRecords",
        ),
    ]


def _files() -> Section:
    return "Files", [
        graph(
            "Backlog",
            [
                Query(f"sum(aemonitor_tail_lag_bytes{S})", "not scored"),
                Query(f"sum(aemonitor_pinned_deleted_bytes{S})", "deleted and held open"),
            ],
            "Bytes in the followed files. What is held open takes disk space until it has been read.",
            unit="bytes",
            runbook="AemonitorLagGrowing",
            span=6,
        ),
        graph(
            "Lateness",
            [
                Query(f"max(aemonitor_tail_oldest_unread_seconds{S})", "oldest unread byte"),
                Query(f"max(aemonitor_source_event_lag_seconds{S})", "newest event, when it was committed"),
            ],
            "The first by the time it was in the file, the second by the record's own time, if it has one.",
            unit="s",
            steps=[300],
            runbook="AemonitorLagGrowing",
            span=6,
        ),
        graph(
            "Bytes read",
            [Query(f"sum(rate(aemonitor_tail_bytes_read_total{S}{RATE}))", "read and committed")],
            "In a second.",
            unit="Bps",
            span=6,
        ),
        graph(
            "Reading paused",
            [Query(f"max(rate(aemonitor_paused_seconds_total{S}{RATE}))", "share of the time")],
            "Because the queue was full, or progress could not be committed.",
            unit="percentunit",
            steps=[0.5],
            runbook="AemonitorReadingPaused",
            span=6,
        ),
        graph(
            "Bytes lost",
            [Query(f"sum by (reason) (increase(aemonitor_abandoned_bytes_total{S}[1h]))", "{{reason}}")],
            "That existed and will never be read, in the hour before.",
            unit="bytes",
            runbook="AemonitorBytesAbandoned",
            span=6,
        ),
        graph(
            "Files that cannot be read",
            [Query(f"sum by (reason) (increase(aemonitor_file_errors_total{S}[10m]))", "{{reason}}")],
            "Failed attempts in ten minutes, by the name of the error.",
            runbook="AemonitorFileErrors",
            span=6,
        ),
        graph(
            "Rotations",
            [
                Query(f"sum by (kind) (increase(aemonitor_rotations_total{S}[1h]))", "{{kind}}"),
                Query(f"sum by (reason) (increase(aemonitor_identity_resets_total{S}[1h]))", "read anew: {{reason}}"),
            ],
            "In the hour before, and files that proved to be other ones.",
            span=6,
        ),
        graph(
            "Files",
            [
                Query(f"sum(aemonitor_files_open{S})", "held open"),
                Query(f"sum(aemonitor_files_tracked{S})", "remembered"),
            ],
            "Rotated ones stay open until all of them is read.",
            span=6,
        ),
    ]


def _learning() -> Section:
    gates = [
        Column("passed", 'min by (gate) (aemonitor_retrain_gate_passed{stream="$stream"})', words={1: "yes", 0: "no"})
    ]
    return "What the next model learns from", [
        graph(
            "Benign records kept",
            [Query(f"sum(aemonitor_reservoir_records{S})", "records")],
            "The sample that `aemonitor retrain` reads. 0 where the stream keeps none.",
            runbook="AemonitorReservoirNotSaved",
            span=8,
        ),
        graph(
            "Models refused",
            [Query(f"sum(increase(aemonitor_model_refusals_total{S}[1h]))", "in the hour before")],
            "Published, and not loaded: damage, mostly.",
            runbook="AemonitorModelRefused",
            span=8,
        ),
        rows(
            "Gates of the last retraining",
            {"gate": ("gate", "")},
            gates,
            "Of node_exporter's textfile collector. Runbook: AemonitorRetrainFailing.",
            span=8,
        ),
    ]
