"""The shipped rules, routes and dashboards, with the real daemon, a real Prometheus and a real Alertmanager."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.monitoring import Prometheus, Receiver, running
from tests.e2e.support import Site, aemonitor, need, wait_for
from tests.grafana import DASHBOARDS, asked, expressions

pytestmark = pytest.mark.timeout(600)

GAP_SECONDS = 8.0
"""Longer than ``group_interval`` of the routes: what begins and ends between two messages of a group is never told."""
TOLD_WITHIN_SECONDS = 10.0
"""From the record's being written to the message, and from the end of the episode to the next one."""
TRIES = 5
"""On a machine with much else to do a single incident may take longer; the quickest of so many shows what it takes."""
PAGES = ("/", "/about", "/shop")


def reading(number: int, when: datetime, level: float | None = None) -> str:
    record = {
        "time": when.isoformat(),
        "page": PAGES[number % 3],
        "level": 20.0 + number % 17 if level is None else level,
    }
    return json.dumps(record) + "\n"


def now() -> datetime:
    return datetime.now(UTC)


class Traffic(threading.Thread):
    """Benign records at a steady pace, and an anomalous one for each time it was told to ``plant``."""

    def __init__(self, log: Path) -> None:
        super().__init__(daemon=True)
        self._log = log
        self._stopped = threading.Event()
        self.storm = threading.Event()
        self._number = 0

    def plant(self) -> float:
        """Write one anomalous record; when it was written, in monotonic seconds."""
        with self._log.open("a") as out:
            out.write(reading(0, now(), 900.0))
        return time.monotonic()

    def run(self) -> None:
        while not self._stopped.wait(0.1):
            with self._log.open("a") as out:
                out.write("".join(reading(self._number + n, now()) for n in range(5)))
            self._number += 5
            if self.storm.is_set():
                self.plant()

    def stop(self) -> None:
        self._stopped.set()
        self.join()


@dataclass(frozen=True)
class Watched:
    """A daemon on a growing log, scraped by Prometheus, whose alerts Alertmanager sends to a receiver."""

    site: Site
    traffic: Traffic
    prometheus: Prometheus
    receiver: Receiver


def configure(site: Site) -> None:
    site.config.write_text(f"""\
server: {{listen: '{site.url.removeprefix("http://")}'}}
state_dir: {site.state}
device: cpu
streams:
  web:
    source: {{file_tail: {{include: ['{site.log}']}}}}
    parser: json_lines
    time: {{field: time}}
    features: {{level: numeric, page: categorical}}
    model: {{epochs: 20}}
    score: {{method: l1}}
    alert: {{episode_gap_seconds: {GAP_SECONDS}}}
    sinks: [file]
sinks:
  file: {{jsonl: {{path: '{site.alerts_file}'}}}}
""")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    for program in ("prometheus", "prometheus-alertmanager", "prometheus-node-exporter"):
        need(program)
    root = tmp_path_factory.mktemp("watched")
    textfiles = root / "textfiles"
    textfiles.mkdir()
    site = Site(root / "site")
    configure(site)
    benign = root / "benign.jsonl"
    begin = now() - timedelta(days=2)
    benign.write_text("".join(reading(n, begin + timedelta(seconds=40 * n)) for n in range(4_000)))
    site.retrain(benign, "--metrics-file", str(textfiles / "aemonitor.prom"))
    site.log.touch()
    traffic, receiver = Traffic(site.log), Receiver()
    try:
        site.start_and_wait()
        traffic.start()
        with running(root, site.url, textfiles, receiver.url) as prometheus:
            wait_for(lambda: bool(prometheus.numbers("aemonitor_records_scored_total > 0")), "the first scrape")
            yield Watched(site, traffic, prometheus, receiver)
    finally:
        if traffic.is_alive():
            traffic.stop()
        receiver.close()
        site.close()


def incident(watched: Watched) -> tuple[float, float]:
    """Plant one; how long until somebody is told that it is there, and how long after its end that it is over."""
    wait_for(lambda: quiet(watched), "the end of what others planted")
    planted = watched.traffic.plant()
    told = arrived(watched.receiver, "firing", planted)
    over = arrived(watched.receiver, "resolved", told)
    return told - planted, over - planted - GAP_SECONDS


def quiet(watched: Watched) -> bool:
    """Whether nothing is going on, and everybody was told so."""
    still = watched.prometheus.numbers("aemonitor_episodes_open > 0 or ALERTS{alertname='AemonitorAnomaly'}")
    return not (still or watched.site.metric("episodes_open") or watched.receiver.firing("AemonitorAnomaly"))


def arrived(receiver: Receiver, status: str, since: float) -> float:
    wait_for(lambda: receiver.first("AemonitorAnomaly", status, since) is not None, f"the message {status}")
    notice = receiver.first("AemonitorAnomaly", status, since)
    assert notice is not None
    return notice.when


def test_a_planted_incident_and_its_end_reach_the_receiver_within_ten_seconds(watched: Watched) -> None:
    begun = time.monotonic()
    seen: list[tuple[float, float]] = []
    while not seen or (max(seen[-1]) >= TOLD_WITHIN_SECONDS and len(seen) < TRIES):
        seen.append(incident(watched))

    print(f"told after {seen[-1][0]:.1f} s, its end after {seen[-1][1]:.1f} s, tries {len(seen)}")
    assert max(seen[-1]) < TOLD_WITHIN_SECONDS, seen
    notice = watched.receiver.first("AemonitorAnomaly", "firing", begun)
    assert notice is not None
    assert notice.path == "/anomalies"
    (alert,) = notice.body["alerts"]
    instance = watched.site.url.removeprefix("http://")
    assert (alert["labels"]["stream"], alert["labels"]["instance"]) == ("web", instance)
    assert alert["annotations"]["summary"] == f"web on {instance}: 1 anomalous episode going on"
    others = {(n.path, each["labels"]["alertname"]) for n in watched.receiver.notices for each in n.body["alerts"]}
    assert others == {("/anomalies", "AemonitorAnomaly")}


def test_the_exemplar_of_a_metric_leads_to_the_alert(watched: Watched) -> None:
    watched.traffic.plant()
    found: list[str] = []

    def scraped() -> bool:
        series = watched.prometheus.ask(
            "query_exemplars", query="aemonitor_alerts_total", start=time.time() - 600, end=time.time()
        )
        found.extend(each["labels"]["alert_id"] for one in series for each in one["exemplars"])
        return bool(found)

    wait_for(scraped, "an exemplar")

    shown = aemonitor("alerts", "show", "-c", str(watched.site.config), found[-1])
    assert b"level" in shown.stdout


def test_every_panel_shows_data(watched: Watched) -> None:
    watched.traffic.storm.set()
    missing = {(path.stem, *each) for path in DASHBOARDS for each in expressions(path)}
    assert len(missing) > 80

    def everything() -> bool:
        for each in sorted(missing):
            if watched.prometheus.numbers(asked(each[2], stream="web", interval="10s")):
                missing.discard(each)
        return not missing

    try:
        wait_for(everything, "every panel to have data", 120)
    except pytest.fail.Exception:
        pytest.fail(f"no data: {sorted(missing)}")
    finally:
        watched.traffic.storm.clear()


def test_every_rule_is_evaluated_and_every_target_answers(watched: Watched) -> None:
    wait_for(lambda: not watched.prometheus.sick_rules(), "every rule to be well")

    wait_for(lambda: len(watched.prometheus.numbers("up")) == 2, "both targets to be scraped")
    assert watched.prometheus.numbers("up") == [1, 1]


def test_what_the_daemon_serves_follows_the_rules_for_metrics(watched: Watched) -> None:
    body = watched.site.metrics()

    done = subprocess.run(
        [need("promtool"), "check", "metrics"], input=body, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")
