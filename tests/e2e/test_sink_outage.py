"""Receivers that are down for a while cost nothing: no alert, no order, no other sink, no scoring."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from monitor.app.demo import free_port
from tests.e2e.alerting import alertmanager, odd, site_with, write
from tests.e2e.support import Site, wait_for
from tests.receiving import Answer, Receiving, hang, misbehaving, receiving

SECRET = "whsec_" + "QUJD" * 10


def series(site: Site, name: str, sink: str) -> float:
    start = f'aemonitor_{name}{{sink="{sink}"}} '
    return next(float(line.removeprefix(start)) for line in site.metrics().splitlines() if line.startswith(start))


def ids_of(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_bytes().splitlines()] if path.exists() else []


def got(peer: Receiving) -> list[str]:
    return [request.json["id"] for request in peer.requests]


def outage(tmp_path: Path, models: Path, seconds: float) -> None:
    hook_port, manager_port = free_port(), free_port()
    (tmp_path / "hook.secret").write_text(SECRET)
    sinks = {
        "hook": f"{{webhook: {{url: 'http://127.0.0.1:{hook_port}/', secret_file: '{tmp_path / 'hook.secret'}'}}}}",
        "am": f"{{alertmanager: {{urls: ['http://127.0.0.1:{manager_port}'], record_seconds: 3600.0}}}}",
    }
    with receiving() as routed, site_with(tmp_path / "site", models, sinks) as site:
        site.start_and_wait()
        with receiving(port=hook_port) as early, alertmanager(tmp_path / "am", routed.url, manager_port) as manager:
            write(site, odd("h0"), odd("h1"))
            wait_for(lambda: len(got(early)) == 2 and len(manager.keys()) == 2, "the first alerts")
        begun, count = time.monotonic(), 2
        while time.monotonic() - begun < seconds:
            write(site, odd(f"h{count}"))
            count += 1
            time.sleep(0.1)  # how long the receivers are down is the input of this test
        wait_for(lambda: len(ids_of(site.alerts_file)) == count, "the sink that is not down to have all alerts")
        assert site.metric("records_scored_total") == count
        wait_for(lambda: series(site, "outbox_depth", "hook") == count - 2, "the alerts that wait to be counted")
        assert series(site, "outbox_depth", "am") == count - 2
        assert series(site, "outbox_oldest_seconds", "hook") > 0
        assert min(series(site, "sink_failures_total", name) for name in sinks) > 0
        assert series(site, "outbox_depth", "file") == series(site, "sink_failures_total", "file") == 0
        with receiving(port=hook_port) as late, alertmanager(tmp_path / "am2", routed.url, manager_port) as manager:
            wait_for(lambda: len(got(late)) == count - 2, "the webhook to have all alerts")
            wait_for(lambda: len(manager.keys()) == count - 2, "Alertmanager to have all alerts")
            told = [alert["id"] for alert in site.ledger_alerts()]

            assert manager.keys() == sorted(f"h{number}" for number in range(2, count))
            assert ids_of(site.alerts_file) == told
            assert got(early) + got(late) == told
            assert [request.headers["webhook-id"] for request in late.requests] == [f"{id_}-firing" for id_ in told[2:]]
            assert site.stop() == 0
    log = (tmp_path / "site" / "daemon.log").read_text()
    assert SECRET not in log
    print(f"receivers down for {seconds:g} s: {count} alerts, none lost, none doubled, in order")


@pytest.mark.timeout(300)
def test_receivers_that_are_down_for_a_moment_cost_no_alert(tmp_path: Path, models: Path) -> None:
    outage(tmp_path, models, 3)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_receivers_that_are_down_for_a_minute_cost_no_alert(tmp_path: Path, models: Path) -> None:
    outage(tmp_path, models, 60)


@pytest.mark.timeout(300)
def test_a_receiver_that_hangs_holds_up_nobody_and_not_the_end_either(tmp_path: Path, models: Path) -> None:
    with misbehaving(hang) as url:
        sinks = {"stuck": f"{{webhook: {{url: '{url}', timeout_seconds: 2.0}}}}"}
        with site_with(tmp_path / "site", models, sinks) as site:
            site.start_and_wait()
            write(site, *(odd(f"h{number}") for number in range(50)))
            wait_for(lambda: len(ids_of(site.alerts_file)) == 50, "the sink that does not hang")
            wait_for(lambda: series(site, "sink_failures_total", "stuck") > 0, "the one that hangs to be given up")

            assert site.metric("records_scored_total") == 50
            assert series(site, "outbox_depth", "stuck") == 50
            assert site.stop() == 0


@pytest.mark.timeout(300)
def test_after_a_kill_and_an_outage_every_alert_arrives_with_its_id(tmp_path: Path, models: Path) -> None:
    port = free_port()
    with site_with(tmp_path / "site", models, {"hook": f"{{webhook: {{url: 'http://127.0.0.1:{port}/'}}}}"}) as site:
        site.start_and_wait()
        write(site, *(odd(f"h{number}") for number in range(20)))
        wait_for(lambda: site.metric("records_scored_total") == 20, "the records to be scored")
        site.kill()
        with receiving(Answer(503, {"Retry-After": "1"}), Answer(), port=port) as peer:
            site.start_and_wait()
            wait_for(lambda: len(set(got(peer))) == 20, "every alert to arrive")

            told = [alert["id"] for alert in site.ledger_alerts()]
            assert got(peer) == [told[0], *told]
            assert site.stop() == 0


@pytest.mark.timeout(300)
def test_who_wants_no_more_is_left_alone_until_another_url_is_configured(tmp_path: Path, models: Path) -> None:
    with ExitStack() as stack:
        gone, other = (stack.enter_context(receiving(Answer(status))) for status in (410, 200))
        sinks = {"hook": f"{{webhook: {{url: '{gone.url}'}}}}"}
        with site_with(tmp_path / "site", models, sinks) as site:
            site.start_and_wait()
            write(site, odd("h0"))
            wait_for(lambda: series(site, "sink_stopped", "hook") == 1, "the sink to stop")
            write(site, odd("h1"))
            wait_for(lambda: series(site, "outbox_depth", "hook") == 2, "the alerts to wait")
            site.config.write_text(site.config.read_text().replace(gone.url, other.url))
            site.hang_up()
            other.wait_for(2)
            wait_for(lambda: series(site, "sink_stopped", "hook") == 0, "the sink to go on")

            assert len(gone.requests) == 1
            assert got(other) == [alert["id"] for alert in site.ledger_alerts()]
            assert site.stop() == 0
            assert "ERROR sink_stopped" in (site.root / "daemon.log").read_text()


@pytest.mark.timeout(300)
def test_a_reload_with_a_sink_that_cannot_be_used_is_refused_and_alerts_go_on(tmp_path: Path, models: Path) -> None:
    with receiving() as peer:
        sinks = {"hook": f"{{webhook: {{url: '{peer.url}'}}}}"}
        with site_with(tmp_path / "site", models, sinks) as site:
            site.start_and_wait()
            text = site.config.read_text()
            site.config.write_text(text.replace(peer.url, f"{peer.url}', secret_file: '/no/such"))
            site.hang_up()
            wait_for(lambda: site.metric("config_last_reload_successful") == 0, "the configuration to be refused")
            write(site, odd("h0"))
            peer.wait_for(1)

            assert "/no/such: there is no such file" in (site.root / "daemon.log").read_text()
            assert site.stop() == 0
