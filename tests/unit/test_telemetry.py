"""Metrics add up at every moment and keep their names and labels few."""

from __future__ import annotations

import math
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.core import Metric as Family
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from monitor.core.accounting import Counts
from monitor.core.clock import ManualClock, SystemClock
from monitor.core.drifted import Drifted, Usual
from monitor.core.limit import Daily, Limit
from monitor.telemetry import Telemetry, describe_metrics
from monitor.telemetry.names import LEVELS, METRICS, RETRAIN_METRICS, SCORE_BOUNDS
from monitor.telemetry.store import MOST_WORDS, Store
from tests.conftest import REPOSITORY

Sample = tuple[str, frozenset[tuple[str, str]]]
OPENMETRICS = "application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def scraped(telemetry: Telemetry) -> dict[Sample, float]:
    body, _ = telemetry.scrape()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_plain(body.decode())
        for sample in family.samples
    }


def parse_openmetrics(text: str) -> Iterable[Family]:
    parse = cast("Callable[[str], Iterable[Family]]", openmetrics_parser.text_string_to_metric_families)
    return parse(text)


def value(telemetry: Telemetry, name: str, **labels: str) -> float:
    return scraped(telemetry)[(f"aemonitor_{name}", frozenset(labels.items()))]


def scores(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def telemetry(clock: ManualClock) -> Telemetry:
    return Telemetry(clock)


def full(telemetry: Telemetry) -> None:
    """Use every metric there is."""
    stream = telemetry.stream("web")
    stream.framed(2)
    stream.model(
        version="v1", sha256="ab", method="blend", created=1.0, threshold=0.7, low=0.1, high=2.0,
        limit=Limit("rate", 2.0, 2, 99, 0.02, 0.05, Daily(43_200.0, 864.0, 1728.0, 500, 900)),
    )  # fmt: skip
    stream.watch_drift(lambda: Drifted(2, 1, 0.5, {"status": 3.0}, Usual({"status": 2.0}, 0.01)))
    stream.model_refused("v2", ValueError("bad"))
    stream.batch(
        Counts(read=2, scored=2), scores(0.5, 1.5), {"parse": 0.1}, 1_699_999_990.0,
        l1=scores(0.5, 1.5), dead_letters=1,
    )  # fmt: skip
    stream.alert("status is 418", "warning", "ab" * 16, 1.5)
    stream.suppression({"maintenance": 1})
    stream.files(1, 2)
    stream.lag(10)
    stream.connected("broker")
    stream.lag_records(3)
    stream.file_failed("/x", PermissionError(13, "denied"))
    telemetry.build_info("0.1.0", "3.11.2", "2.13.0")
    telemetry.device("cpu", "no GPU was found")
    telemetry.committed(0.002)
    telemetry.outbox("ops", 1, 2.0)


# -- the scrape ------------------------------------------------------------------------------------------------


def test_every_metric_of_the_table_can_appear(telemetry: Telemetry) -> None:
    full(telemetry)

    body, _ = telemetry.scrape()

    shown = {line.split()[2] for line in body.decode().splitlines() if line.startswith("# TYPE")}
    assert {metric.name for metric in METRICS} <= shown
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"} <= shown


def test_openmetrics_is_served_to_whoever_asks_and_is_valid(telemetry: Telemetry) -> None:
    full(telemetry)

    body, content_type = telemetry.scrape(OPENMETRICS)

    assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert body.endswith(b"# EOF\n")
    names = {family.name for family in parse_openmetrics(body.decode())}
    assert {metric.family for metric in METRICS} <= names


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/html",
        "application/openmetrics-text; version=x",
        "text/plain; version=é.1",
        ",;=,;;",
        "\x00" * 50,
    ],
)
def test_any_other_accept_header_gets_the_plain_format(telemetry: Telemetry, accept: str) -> None:
    body, content_type = telemetry.scrape(accept)

    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert list(parse_plain(body.decode()))


def test_a_version_in_the_accept_header_is_not_echoed(telemetry: Telemetry) -> None:
    _, content_type = telemetry.scrape("application/openmetrics-text; version=9.9.9-hello")

    assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"


def test_a_new_stream_starts_every_counter_at_zero(telemetry: Telemetry) -> None:
    telemetry.stream("web")

    now = scraped(telemetry)

    stream = {("stream", "web")}
    zero = {sample for sample, number in now.items() if number == 0}
    for name in ("read", "scored", "unparsed", "filtered", "sampled_out"):
        assert (f"aemonitor_records_{name}_total", frozenset(stream)) in zero
    assert ("aemonitor_records_in_flight", frozenset(stream)) in zero
    assert ("aemonitor_rotations_total", frozenset(stream | {("kind", "copytruncate")})) in zero
    assert ("aemonitor_abandoned_bytes_total", frozenset(stream | {("reason", "max_rotated_age")})) in zero
    assert ("aemonitor_file_errors_total", frozenset(stream | {("reason", "EACCES")})) in zero
    assert ("aemonitor_score_bucket", frozenset(stream | {("le", "1.0")})) in zero
    assert ("aemonitor_score_count", frozenset(stream)) in zero


def test_what_the_limit_promises_is_shown_in_base_units(telemetry: Telemetry) -> None:
    full(telemetry)

    assert value(telemetry, "expected_false_alert_ratio", stream="web") == 0.02
    assert value(telemetry, "expected_false_alert_upper_ratio", stream="web") == 0.05
    assert value(telemetry, "expected_false_alerts_per_second", stream="web") == 0.01
    assert value(telemetry, "expected_false_alerts_upper_per_second", stream="web") == 0.02


@pytest.mark.parametrize(
    ("limit", "shown"),
    [(None, set[str]()), (Limit("rate", 2.0, 2, 99, 0.02, 0.05, None), {"alert_ratio", "alert_upper_ratio"})],
)
def test_a_model_that_promises_less_leaves_no_promise_of_the_one_before(
    telemetry: Telemetry, limit: Limit | None, shown: set[str]
) -> None:
    full(telemetry)

    telemetry.stream("web").model(
        version="v2", sha256="cd", method="l1", created=1.0, threshold=1.0, low=0.1, high=2.0, limit=limit
    )

    prefix = "aemonitor_expected_false_"
    assert {name.removeprefix(prefix) for name, _ in scraped(telemetry) if name.startswith(prefix)} == shown


def test_metric_names_follow_the_rules_of_prometheus() -> None:
    for metric in (*METRICS, *RETRAIN_METRICS):
        assert metric.name.startswith("aemonitor_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.name.endswith("_info") == (metric.kind == "info")
        assert metric.text.endswith(".")
        assert not {"path", "file", "key", "le"} & set(metric.labels)


def test_the_reference_page_is_what_the_program_prints() -> None:
    page = (REPOSITORY / "docs" / "reference" / "metrics.md").read_text()

    assert page == describe_metrics()
    assert all(f"`{metric.name}`" in page for metric in (*METRICS, *RETRAIN_METRICS))


def test_drift_is_shown_as_far_as_it_is_known(telemetry: Telemetry) -> None:
    now = Drifted(2, 1, 0.5, {"status": 3.0, "constant": 0.5}, Usual({"status": 2.0, "constant": 0.0}, 0.01))
    telemetry.stream("web").watch_drift(lambda: now)
    assert value(telemetry, "field_drift_ratio", stream="web", field="status") == 1.5
    assert value(telemetry, "unseen_ratio", stream="web") == 0.5

    telemetry.stream("web").watch_drift(lambda: Drifted(0, 0, math.nan, {"other": math.nan}, Usual({"other": 1.0})))

    assert not [name for name, _ in scraped(telemetry) if "drift" in name or "unseen" in name]


# -- accounting ------------------------------------------------------------------------------------------------


def accounted(now: dict[Sample, float]) -> tuple[float, float]:
    stream = frozenset({("stream", "web")})
    parts = ("scored_total", "unparsed_total", "filtered_total", "sampled_out_total", "in_flight")
    return now[("aemonitor_records_read_total", stream)], sum(now[(f"aemonitor_records_{p}", stream)] for p in parts)


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads take turns as often as Python can, so that whatever is not one step is torn apart."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("hasty_threads")
def test_records_add_up_at_every_scrape_while_threads_read_and_commit() -> None:
    telemetry = Telemetry(SystemClock())
    stream, enough = telemetry.stream("web"), threading.Event()
    framed: queue.Queue[bool] = queue.Queue(maxsize=4)

    def read() -> None:
        while not enough.is_set():
            stream.framed(10)
            framed.put(True)
        framed.put(False)

    def commit() -> None:
        while framed.get():
            stream.batch(Counts(read=10, scored=6, unparsed=2, filtered=1, sampled_out=1), scores(*[0.5] * 6), {})

    threads = [threading.Thread(target=read), threading.Thread(target=commit)]
    for thread in threads:
        thread.start()
    seen = [accounted(scraped(telemetry)) for _ in range(100)]
    enough.set()
    for thread in threads:
        thread.join()

    assert [pair for pair in seen if pair[0] != pair[1]] == []
    assert len({read_total for read_total, _ in seen}) > 10  # the scrapes did fall between changes
    total, parts = accounted(scraped(telemetry))
    assert total == parts > 0
    assert value(telemetry, "records_in_flight", stream="web") == 0
    assert value(telemetry, "score_count", stream="web") == total * 0.6


def test_a_scrape_waits_for_the_end_of_a_change(clock: ManualClock) -> None:
    store = Store(clock)
    scrape = threading.Thread(target=store.snapshot)

    with store.lock:
        scrape.start()
        scrape.join(0.05)  # passes at once only if nothing holds it back
        waited = scrape.is_alive()

    scrape.join()
    assert waited


def test_a_batch_that_does_not_add_up_shows_in_the_scrape(telemetry: Telemetry) -> None:
    stream = telemetry.stream("web")
    stream.framed(3)

    stream.batch(Counts(read=3, scored=2), scores(0.1, 0.2), {})

    read_total, rest = accounted(scraped(telemetry))
    assert read_total != rest


def test_counters_go_on_from_the_totals_of_the_ledger(telemetry: Telemetry) -> None:
    stream = telemetry.stream("web")
    stream.restored(Counts(read=100, scored=90, unparsed=10, alerts=3, bytes=5000, truncated=1, dropped_bytes=7))

    stream.framed(2)
    stream.batch(Counts(read=1, scored=1, alerts=1, bytes=50), scores(0.5), {})

    assert value(telemetry, "records_read_total", stream="web") == 102
    assert value(telemetry, "records_scored_total", stream="web") == 91
    assert value(telemetry, "records_in_flight", stream="web") == 1
    assert value(telemetry, "alerts_total", stream="web") == 4
    assert value(telemetry, "tail_bytes_read_total", stream="web") == 5050
    assert value(telemetry, "truncated_bytes_total", stream="web") == 7


def test_records_that_are_read_a_second_time_are_counted_once(telemetry: Telemetry) -> None:
    stream = telemetry.stream("web")
    stream.framed(5)
    stream.batch(Counts(read=2, scored=2), scores(0.1, 0.2), {})

    stream.restored(Counts(read=2, scored=2))
    stream.framed(2)
    stream.framed(4)

    assert value(telemetry, "records_read_total", stream="web") == 2 + 3 + 3
    assert value(telemetry, "records_in_flight", stream="web") == 6


def test_records_committed_after_all_are_not_taken_for_repeated_ones(telemetry: Telemetry) -> None:
    stream = telemetry.stream("web")
    stream.framed(5)
    stream.restored(Counts())

    stream.batch(Counts(read=5, scored=5), scores(*[0.1] * 5), {})
    stream.framed(3)

    assert value(telemetry, "records_read_total", stream="web") == 8
    assert value(telemetry, "records_in_flight", stream="web") == 3


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["frame", "commit", "reopen"]), st.integers(0, 9)),
        max_size=30,
    )
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_reading_committing_and_reopening_in_any_order_keeps_the_sum(steps: list[tuple[str, int]]) -> None:
    telemetry = Telemetry(ManualClock())
    stream, committed, flying, highest = telemetry.stream("web"), 0, 0, 0.0

    for action, count in steps:
        if action == "frame":
            stream.framed(count)
            flying += count
        elif action == "commit":
            stream.batch(Counts(read=flying, scored=flying), scores(*[0.5] * flying), {})
            committed, flying = committed + flying, 0
        else:
            stream.restored(Counts(read=committed, scored=committed))
            flying = 0

        snapshot = telemetry.overview()[0]
        assert snapshot.read == snapshot.scored + snapshot.unparsed + snapshot.in_flight
        assert snapshot.read >= highest
        assert snapshot.scored == committed
        assert snapshot.in_flight >= flying
        highest = snapshot.read


# -- gauges and words ------------------------------------------------------------------------------------------


def test_only_the_model_in_use_is_shown(telemetry: Telemetry, clock: ManualClock) -> None:
    stream = telemetry.stream("web")
    stream.model(version="v1", sha256="a", created=5.0, threshold=1.0, low=0.5, high=2.0)
    clock.advance(60)

    stream.model(version="v2", sha256="b", created=6.0, threshold=1.0, low=0.25, high=3.0)

    infos = [dict(labels) for (name, labels) in scraped(telemetry) if name == "aemonitor_model_info"]
    assert infos == [{"stream": "web", "version": "v2", "sha256": "b", "method": "l1"}]
    assert value(telemetry, "model_loaded_timestamp_seconds", stream="web") == clock.now()
    assert value(telemetry, "benign_error_max", stream="web") == 3.0


def test_paused_time_grows_while_paused_and_stays_afterwards(telemetry: Telemetry, clock: ManualClock) -> None:
    stream = telemetry.stream("web")

    stream.paused("disk full")
    clock.advance(3)
    stream.paused("disk full")
    clock.advance(2)
    during = value(telemetry, "paused_seconds_total", stream="web")
    stream.resumed()
    clock.advance(100)
    stream.resumed()

    assert during == 5
    assert value(telemetry, "paused_seconds_total", stream="web") == 5


def test_the_oldest_alert_ages_even_if_the_sender_hangs(telemetry: Telemetry, clock: ManualClock) -> None:
    telemetry.outbox("ops", 2, 10.0)
    clock.advance(7)
    aged = value(telemetry, "outbox_oldest_seconds", sink="ops")
    telemetry.outbox("ops", 0, 0.0)
    clock.advance(7)

    assert aged == 17
    assert value(telemetry, "outbox_oldest_seconds", sink="ops") == 0
    assert value(telemetry, "sink_delivered_total", sink="ops") == 0


def test_event_lag_is_the_age_of_the_newest_event(telemetry: Telemetry, clock: ManualClock) -> None:
    stream = telemetry.stream("web")

    stream.batch(Counts(), scores(), {}, clock.now() - 4)
    stream.batch(Counts(), scores(), {}, float("nan"))
    stream.batch(Counts(), scores(), {}, None)

    assert value(telemetry, "source_event_lag_seconds", stream="web") == 4


def test_reloads_are_counted_by_their_result(telemetry: Telemetry, clock: ManualClock) -> None:
    clock.advance(10)
    telemetry.config_reloaded(ok=True)
    loaded = clock.now()
    clock.advance(10)

    telemetry.config_reloaded(ok=False, reason="line 3: no such key")

    assert value(telemetry, "config_last_reload_successful") == 0
    assert value(telemetry, "config_last_reload_success_timestamp_seconds") == loaded
    assert value(telemetry, "config_reloads_total", result="success") == 1
    assert value(telemetry, "config_reloads_total", result="failure") == 1


def test_paths_and_endless_words_become_no_labels(telemetry: Telemetry) -> None:
    stream = telemetry.stream("web")

    for i in range(100):
        stream.rotated(f"/var/log/{i}.log", f"kind{i}")
        stream.identity_reset(f"/var/log/{i}.log", f"/var/log/{i}")
        stream.bytes_abandoned(f"/var/log/{i}.log", 5, "max_pinned_bytes")
        stream.file_failed(f"/var/log/{i}.log", OSError(5, "Input/output error"))

    body = telemetry.scrape()[0].decode()
    assert "/var/log" not in body
    assert value(telemetry, "identity_resets_total", stream="web", reason="other") == 100
    assert value(telemetry, "abandoned_bytes_total", stream="web", reason="max_pinned_bytes") == 500
    assert value(telemetry, "file_errors_total", stream="web", reason="EIO") == 100
    assert body.count("aemonitor_rotations_total{") == MOST_WORDS + 1
    assert value(telemetry, "rotations_total", stream="web", kind="other") == 100 - MOST_WORDS + 5


def test_a_stream_and_a_sink_that_are_gone_leave_no_series(telemetry: Telemetry) -> None:
    full(telemetry)
    telemetry.stream("db")

    telemetry.forget_stream("web")
    telemetry.forget_sink("ops")

    left = scraped(telemetry)
    assert not [labels for _, labels in left if ("stream", "web") in labels or ("sink", "ops") in labels]
    assert value(telemetry, "records_read_total", stream="db") == 0


def test_label_values_are_escaped(telemetry: Telemetry) -> None:
    name = 'a"b\\c\nd'
    telemetry.stream(name)

    assert value(telemetry, "records_read_total", stream=name) == 0


def test_a_metric_that_is_not_in_the_table_or_has_other_labels_is_refused(clock: ManualClock) -> None:
    store = Store(clock)

    with pytest.raises(KeyError, match="no_such_metric"):
        store.add(1, "no_such_metric")
    with pytest.raises(ValueError, match=r"aemonitor_alerts_total has the labels \('stream',\), not the values \(\)"):
        store.add(1, "alerts_total")


def test_the_overview_shows_each_stream_as_it_stands(telemetry: Telemetry) -> None:
    telemetry.stream("z")
    full(telemetry)

    web, last = telemetry.overview()

    assert (web.name, web.version, web.threshold, web.read, web.scored, web.lag_bytes) == ("web", "v1", 0.7, 2, 2, 10)
    assert (last.name, last.version, last.threshold) == ("z", None, None)


# -- exemplars -------------------------------------------------------------------------------------------------


def exemplars(telemetry: Telemetry) -> dict[tuple[str, str | None], tuple[str, float, float]]:
    """By metric and bucket: the alert shown beside it, its value and when it was."""
    body, _ = telemetry.scrape(OPENMETRICS)
    return {
        (sample.name, sample.labels.get("le")): (
            sample.exemplar.labels["alert_id"], sample.exemplar.value, float(sample.exemplar.timestamp or 0)
        )
        for family in parse_openmetrics(body.decode())
        for sample in family.samples
        if sample.exemplar
    }  # fmt: skip


def test_the_last_alert_of_each_bucket_is_its_exemplar(telemetry: Telemetry, clock: ManualClock) -> None:
    stream = telemetry.stream("web")
    stream.alert("status is 418", "warning", "aa" * 16, 1.4)
    stream.alert("status is 500", "critical", "bb" * 16, math.inf)
    clock.advance(5)
    stream.alert("status is 419", "warning", "cc" * 16, 1.5)

    assert exemplars(telemetry) == {
        ("aemonitor_alerts_total", None): ("cc" * 16, 1.0, clock.now()),
        ("aemonitor_score_bucket", "1.5"): ("cc" * 16, 1.5, clock.now()),
        ("aemonitor_score_bucket", "+Inf"): ("bb" * 16, 1e9, clock.now() - 5),
    }
    assert b"aa" * 16 not in telemetry.scrape(OPENMETRICS)[0]
    assert b"alert_id" not in telemetry.scrape()[0]  # the plain format has none


def test_however_many_alerts_come_the_exemplars_are_few(telemetry: Telemetry) -> None:
    for number in range(1_000):
        telemetry.stream("web").alert("odd", "warning", f"{number:032x}", number / 5)

    shown = exemplars(telemetry)

    assert len(shown) <= 2 + len(SCORE_BOUNDS)
    assert shown["aemonitor_alerts_total", None][0] == f"{999:032x}"


def test_exemplars_go_with_the_histogram_and_with_the_stream(telemetry: Telemetry) -> None:
    full(telemetry)
    assert {name for name, _ in exemplars(telemetry)} == {"aemonitor_alerts_total", "aemonitor_score_bucket"}

    telemetry.stream("web").model(version="v2", sha256="cd", created=1.0, threshold=0.8, low=0.1, high=2.0)
    assert {name for name, _ in exemplars(telemetry)} == {"aemonitor_alerts_total"}

    telemetry.forget_stream("web")
    telemetry.stream("web")
    assert not exemplars(telemetry)


# -- states that an operator is called for -----------------------------------------------------------------------


def test_open_episodes_are_asked_for_at_every_scrape(telemetry: Telemetry) -> None:
    going_on = ["a", "b"]
    telemetry.stream("web").watch_episodes(lambda: len(going_on))
    assert value(telemetry, "episodes_open", stream="web") == 2

    going_on.clear()

    assert value(telemetry, "episodes_open", stream="web") == 0


def test_a_refused_model_is_shown_until_one_is_loaded(telemetry: Telemetry) -> None:
    stream = telemetry.stream("web")
    stream.model_refused("v1", ValueError("truncated"))
    assert value(telemetry, "model_last_load_successful", stream="web") == 0

    stream.model(version="v2", sha256="cd", created=1.0, threshold=0.8, low=0.1, high=2.0)

    assert value(telemetry, "model_last_load_successful", stream="web") == 1


def test_a_state_that_cannot_be_written_is_shown_until_it_can(telemetry: Telemetry) -> None:
    assert value(telemetry, "checkpoint_last_successful") == 1

    telemetry.commit_failed(OSError(30, "Read-only file system"))
    assert value(telemetry, "checkpoint_last_successful") == 0

    telemetry.committed(0.1)
    assert value(telemetry, "checkpoint_last_successful") == 1


def test_log_events_are_counted_by_level_also_those_the_log_does_not_show(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    stream = telemetry.stream("web")

    with caplog.at_level("ERROR"):
        stream.rotated("/a", "rename")
        stream.identity_reset("/a", "marker")
        stream.bytes_abandoned("/a", 1, "hole")
        stream.bytes_abandoned("/a", 1, "hole")

    levels = {level: value(telemetry, "log_events_total", level=level) for level in LEVELS}
    assert levels == {"info": 1, "warning": 1, "error": 2}


# -- what was expected and what came ---------------------------------------------------------------------------


def test_what_is_recent_leaves_the_windows_by_itself(telemetry: Telemetry, clock: ManualClock) -> None:
    def recent(window: str) -> tuple[float, float]:
        return (
            value(telemetry, "recent_records_scored", stream="web", window=window),
            value(telemetry, "recent_alert_episodes", stream="web", window=window),
        )

    stream = telemetry.stream("web")
    stream.restored(Counts(read=900, scored=900, episodes=90))  # of earlier runs
    stream.batch(Counts(read=5, scored=5, episodes=2), scores(*[0.5] * 5), {})
    clock.advance(1_800)
    stream.batch(Counts(read=3, scored=3, episodes=1), scores(*[0.5] * 3), {})

    assert (recent("1h"), recent("1d")) == ((8, 3), (8, 3))
    clock.advance(1_900)
    assert (recent("1h"), recent("1d")) == ((3, 1), (8, 3))
    clock.advance(86_400)
    assert (recent("1h"), recent("1d")) == ((0, 0), (0, 0))
    assert value(telemetry, "alert_episodes_total", stream="web") == 93


def test_a_threshold_that_follows_is_shown_as_it_stands(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    full(telemetry)

    with caplog.at_level("INFO"):
        telemetry.stream("web").threshold_moved(0.7, 0.9, "exceeded in 8 of the last 15 periods")

    assert value(telemetry, "threshold", stream="web") == 0.9
    assert value(telemetry, "threshold_changes_total", stream="web") == 1
    assert ("aemonitor_score_bucket", frozenset({("stream", "web"), ("le", "0.7")})) in scraped(telemetry)
    (event,) = [record for record in caplog.records if record.msg == "threshold_moved"]
    assert vars(event)["fields"] == {
        "stream": "web", "old": 0.7, "new": 0.9, "because": "exceeded in 8 of the last 15 periods",
    }  # fmt: skip


def test_a_memory_that_is_dropped_is_called_by_a_name_a_person_can_read(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("gap", "\0limit", ""):
        telemetry.stream("web").memory_dropped(name, f"reason {len(caplog.records)}")

    assert [vars(record)["fields"]["feature"] for record in caplog.records] == ["gap", "limit", "scores"]
