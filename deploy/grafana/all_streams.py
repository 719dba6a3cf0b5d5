"""The dashboard of all streams: is anything odd, is every daemon well, and where to look closer."""

from __future__ import annotations

from frame import ALL_STREAMS, ONE_STREAM, Section, begun, filled, runbooks
from grafana_foundation_sdk.builders import dashboard
from panels import RECORDS, Column, Query, graph, one_value, rows

I = '{instance=~"$instance"}'  # noqa: E741 - stands in every expression
RATE = "[$__rate_interval]"
TO_STREAM = (
    f"/d/{ONE_STREAM}?var-datasource=${{datasource}}&var-stream=${{__data.fields.stream}}"
    "&var-instance=${__data.fields.instance}&${__url_time_range}"
)
MODEL, COMMITS = "aemonitor_model_info", "aemonitor_checkpoint_commit_seconds_bucket"
FIRING = 'ALERTS{alertname=~"Aemonitor.+", alertstate="firing", instance=~"$instance"}'
TO_RUNBOOK = "${runbooks}/${__value.raw}.md"


def build() -> dashboard.Dashboard:
    """The dashboard."""
    made = begun(
        "aemonitor: all streams",
        ALL_STREAMS,
        "Every stream of every daemon: what is odd in the data, and whether the monitor itself is well.",
    ).with_variable(runbooks())
    return filled(made, _now(), _streams(), _findings(), _delivery(), _daemons(), _retraining())


def _now() -> Section:
    return "Now", [
        one_value(
            "Open episodes",
            Query(f"sum(aemonitor_episodes_open{I})"),
            "Anomalies somebody was told of and that are not over. All other panels of this row are about the monitor.",
            steps=[1, 10],
            runbook="AemonitorAnomaly",
        ),
        one_value(
            "Daemons that do not answer",
            Query('count(up{job="aemonitor", instance=~"$instance"} == 0) or vector(0)'),
            "Targets of the job aemonitor that cannot be scraped. Nothing is monitored there.",
            steps=[1],
            runbook="AemonitorDown",
        ),
        one_value(
            "Streams without a model",
            Query(f"count(aemonitor_records_read_total{I} unless on (job, instance, stream) {MODEL}) or vector(0)"),
            "Configured and not monitored: nothing was published for them, or it was refused.",
            steps=[1],
            runbook="AemonitorModelMissing",
        ),
        one_value(
            "Oldest unread record",
            Query(f"max(aemonitor_tail_oldest_unread_seconds{I})"),
            "For how long the oldest byte that is not scored has been in its file: so late may alerts be.",
            unit="s",
            steps=[60, 300],
            runbook="AemonitorLagGrowing",
        ),
        one_value(
            "State",
            Query(f"min(aemonitor_checkpoint_last_successful{I})"),
            "Whether every daemon can commit its progress. While one cannot, it reads nothing.",
            words={1: "is written", 0: "cannot be written"},
            runbook="AemonitorStateNotWritable",
        ),
        one_value(
            "Configuration",
            Query(f"min(aemonitor_config_last_reload_successful{I})"),
            "Whether every daemon runs with what its file says.",
            words={1: "in use", 0: "refused"},
            runbook="AemonitorConfigReloadFailed",
        ),
        one_value(
            "Alerts that wait",
            Query(f"sum(aemonitor_outbox_depth{I})"),
            "Committed and not yet taken by a sink.",
            steps=[1, 100],
            runbook="AemonitorOutboxOld",
        ),
        one_value(
            "Records scored",
            Query(f"sum(rate(aemonitor_records_scored_total{I}{RATE}))"),
            "By all streams, in a second.",
            unit=RECORDS,
        ),
        rows(
            "Firing alerts",
            {
                "alertname": ("alert", TO_RUNBOOK),
                "severity": ("severity", ""),
                "stream": ("stream", ""),
                "sink": ("sink", ""),
                "instance": ("instance", ""),
            },
            [Column("", f"max by (alertname, severity, stream, sink, instance) ({FIRING})")],
            "What the rules of Prometheus say now. Each name leads to its runbook.",
            height=6,
        ),
    ]


def _streams() -> Section:
    def each(expr: str) -> str:
        return f"max by (instance, stream) ({expr})"

    columns = [
        Column("records/s", each(f"rate(aemonitor_records_scored_total{I}{RATE})"), RECORDS),
        Column("open episodes", each(f"aemonitor_episodes_open{I}"), steps=[1]),
        Column("episodes in a day", each(f"instance_stream:aemonitor_alert_episodes:increase1d{I}")),
        Column("at most by chance", each(f"instance_stream:aemonitor_alert_episodes:most1d{I}")),
        Column("oldest unread", each(f"aemonitor_tail_oldest_unread_seconds{I}"), "s", [60, 300]),
        Column(
            "not parsed", each(f"instance_stream:aemonitor_records_unparsed:ratio_rate15m{I}"), "percentunit", [0.1]
        ),
        Column("age of the model", each(f"time() - aemonitor_model_created_timestamp_seconds{I}"), "s", [90 * 86400]),
        Column("newest model", each(f"aemonitor_model_last_load_successful{I}"), words={1: "in use", 0: "refused"}),
    ]
    labels = {"stream": ("stream", TO_STREAM), "instance": ("instance", "")}
    text = (
        "A line for each stream; its name leads to its own dashboard. An empty cell: it is not known, or nothing came."
    )
    return "Streams", [rows("Streams", labels, columns, text, height=10)]


def _findings() -> Section:
    def by_stream(expr: str, legend: str = "{{stream}}") -> Query:
        return Query(f"sum by (stream) ({expr})", legend)

    return "What came and what was found", [
        graph(
            "Records read",
            [by_stream(f"rate(aemonitor_records_read_total{I}{RATE})")],
            "A stream that falls to 0 is silent; one that never had so many is in a burst.",
            unit=RECORDS,
            runbook="AemonitorStreamSilent",
        ),
        graph(
            "Anomalous records",
            [by_stream(f"rate(aemonitor_alerts_total{I}{RATE})")],
            "Records above their stream's limit, told or not.",
            unit=RECORDS,
            runbook="AemonitorAnomaly",
        ),
        graph(
            "Episodes in a day",
            [
                by_stream(f"instance_stream:aemonitor_alert_episodes:increase1d{I}"),
                by_stream(f"instance_stream:aemonitor_alert_episodes:most1d{I}", "{{stream}}: at most by chance"),
            ],
            "Begun in the 24 hours before, and the most that chance brings while the data are what the model learned.",
            runbook="AemonitorBudgetExceeded",
        ),
        graph(
            "Records that cannot be parsed",
            [by_stream(f"instance_stream:aemonitor_records_unparsed:ratio_rate15m{I}")],
            "Share of the records of 15 minutes; what is not parsed is not scored.",
            unit="percentunit",
            steps=[0.1],
            runbook="AemonitorUnparsedRecords",
        ),
        graph(
            "Oldest unread record",
            [Query(f"max by (stream) (aemonitor_tail_oldest_unread_seconds{I})", "{{stream}}")],
            "For how long the oldest byte that is not scored has been in its file.",
            unit="s",
            steps=[300],
            runbook="AemonitorLagGrowing",
        ),
        graph(
            "Backlog",
            [by_stream(f"aemonitor_tail_lag_bytes{I}")],
            "Bytes in the followed files, rotated ones included, that are not scored.",
            unit="bytes",
            runbook="AemonitorLagGrowing",
        ),
    ]


def _delivery() -> Section:
    def by_sink(expr: str, how: str = "sum") -> Query:
        return Query(f"{how} by (instance, sink) ({expr})", "{{sink}} ({{instance}})")

    return "Alerts on their way to people", [
        graph(
            "Delivered",
            [by_sink(f"increase(aemonitor_sink_delivered_total{I}[1h])")],
            "Alerts each sink took in the hour before.",
            span=8,
        ),
        graph(
            "Failed deliveries",
            [by_sink(f"increase(aemonitor_sink_failures_total{I}[5m])")],
            "In five minutes. They are repeated, and nothing is lost.",
            runbook="AemonitorSinkFailing",
            span=8,
        ),
        graph(
            "Oldest alert that waits",
            [by_sink(f"aemonitor_outbox_oldest_seconds{I}", "max")],
            "For how long somebody has not been told.",
            unit="s",
            steps=[900],
            runbook="AemonitorOutboxOld",
            span=8,
        ),
    ]


def _daemons() -> Section:
    ours = '{job="aemonitor", instance=~"$instance"}'
    return "Daemons", [
        graph(
            "Processor",
            [Query(f"rate(process_cpu_seconds_total{ours}{RATE})", "{{instance}}")],
            "Cores in use; one at most, and a little for reading.",
            unit="percentunit",
            span=6,
        ),
        graph(
            "Memory",
            [Query(f"process_resident_memory_bytes{ours}", "{{instance}}")],
            "Resident. The unit's MemoryMax is 2 GB.",
            unit="bytes",
            runbook="AemonitorRestarting",
            span=6,
        ),
        graph(
            "Time of a commit",
            [
                Query(
                    f"histogram_quantile(0.99, sum by (instance, le) (rate({COMMITS}{I}{RATE})))",
                    "{{instance}}: 99 of 100 are below",
                )
            ],
            "Milliseconds on a disk that is well; seconds when it is in trouble.",
            unit="s",
            runbook="AemonitorStateNotWritable",
            span=6,
        ),
        graph(
            "Requests refused",
            [Query(f"sum by (reason) (increase(aemonitor_http_refusals_total{I}[5m]))", "{{reason}}")],
            "In five minutes, by the HTTP server: wrong passwords, too many connections.",
            span=6,
        ),
        graph(
            "Failed commits",
            [Query(f"increase(aemonitor_checkpoint_errors_total{I}[5m])", "{{instance}}")],
            "In five minutes. They are repeated, and nothing is lost.",
            runbook="AemonitorStateNotWritable",
            span=6,
        ),
        graph(
            "Waiting to be scored",
            [Query(f"aemonitor_queue_bytes{I}", "{{instance}}")],
            "Bytes that were read. Reading stops at limits.queue_bytes (8 MiB).",
            unit="bytes",
            span=6,
        ),
        graph(
            "Open files",
            [Query(f"process_open_fds{ours} / process_max_fds{ours}", "{{instance}}")],
            "Share of the file descriptors the process may have.",
            unit="percentunit",
            steps=[0.8],
            span=6,
        ),
        graph(
            "Log events",
            [Query(f"sum by (level) (increase(aemonitor_log_events_total{I}[5m]))", "{{level}}")],
            "In five minutes. A warning: it recovered and lost nothing. An error: data was lost, or a person must act.",
            span=6,
        ),
        rows(
            "Versions",
            {"instance": ("instance", ""), "version": ("version", ""), "torch": ("torch", "")},
            [Column("", f"max by (instance, version, torch) (aemonitor_build_info{I})")],
            "What runs where.",
            span=6,
        ),
    ]


def _retraining() -> Section:
    labels = {"stream": ("stream", ""), "instance": ("instance", "")}

    def each(expr: str) -> str:
        return f"max by (instance, stream) ({expr})"

    columns = [
        Column("last run", each("time() - aemonitor_retrain_last_run_timestamp_seconds"), "s", [2 * 86400]),
        Column("model in use", each("time() - aemonitor_retrain_last_success_timestamp_seconds"), "s"),
        Column("took", each("aemonitor_retrain_duration_seconds"), "s"),
        Column("published", each("aemonitor_retrain_published"), words={1: "yes", 0: "no"}),
    ]
    gates = [Column("passed", "min by (stream, gate) (aemonitor_retrain_gate_passed)", words={1: "yes", 0: "no"})]
    return "Retraining, as node_exporter's textfile collector has it", [
        rows("Last retraining", labels, columns, "How long ago, and what came of it.", span=14),
        rows(
            "Gates",
            {"stream": ("stream", ""), "gate": ("gate", "")},
            gates,
            "What the last model had to show. Runbook: AemonitorRetrainFailing.",
            span=10,
        ),
    ]
