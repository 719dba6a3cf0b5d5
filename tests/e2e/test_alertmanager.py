"""A real Alertmanager knows of an episode as long as it goes on, and no longer, whatever happens to the daemon."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.sinks.alertmanager import ENDS_AFTER_REPEATS
from tests.e2e.alerting import Alertmanager, alertmanager, odd, site_with, write
from tests.e2e.support import wait_for
from tests.receiving import Receiving, receiving

LIFETIME = timedelta(seconds=ENDS_AFTER_REPEATS)
"""How long an alert lasts that is sent every second and then no more."""


def told(hook: Receiving) -> list[tuple[str, str]]:
    """What Alertmanager told of which host, in order."""
    return [(alert["labels"]["key"], alert["status"]) for request in hook.requests for alert in request.json["alerts"]]


def the_alert(manager: Alertmanager) -> dict[str, Any]:
    (alert,) = manager.alerts()
    return alert


def ends(alert: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(alert["endsAt"])


@pytest.mark.timeout(300)
def test_an_episode_is_routed_stays_because_it_is_repeated_and_goes_when_it_is_over(
    tmp_path: Path, models: Path
) -> None:
    with receiving() as hook, alertmanager(tmp_path / "am", hook.url) as manager:
        sinks = {"am": f"{{alertmanager: {{urls: ['{manager.url}'], repeat_seconds: 1.0, least_seconds: 0.0}}}}"}
        with site_with(tmp_path / "site", models, sinks, alert="episode_gap_seconds: 10.0") as site:
            site.start_and_wait()
            write(site, odd("db-1"))
            wait_for(lambda: len(told(hook)) == 1, "the alert to be routed")
            first = the_alert(manager)
            wait_for(lambda: ends(the_alert(manager)) > ends(first) + LIFETIME, "the alert to outlast itself")
            wait_for(lambda: not manager.alerts(), "the end of the episode")
            wait_for(lambda: len(told(hook)) == 2, "the end to be routed")

            assert told(hook) == [("db-1", "firing"), ("db-1", "resolved")]
            assert (first["labels"]["stream"], first["labels"]["severity"]) == ("web", "warning")
            alert_id = first["annotations"]["alert_id"]
            assert [alert["id"] for alert in site.ledger_alerts()] == [alert_id, alert_id]
            assert site.metric("sink_failures_total") == 0
            assert site.stop() == 0


@pytest.mark.timeout(300)
def test_a_daemon_that_was_killed_goes_on_telling_what_it_told(tmp_path: Path, models: Path) -> None:
    with receiving() as hook, alertmanager(tmp_path / "am", hook.url) as manager:
        sinks = {"am": f"{{alertmanager: {{urls: ['{manager.url}'], repeat_seconds: 1.0}}}}"}
        with site_with(tmp_path / "site", models, sinks, alert="episode_gap_seconds: 3600.0") as site:
            site.start_and_wait()
            write(site, odd("db-1"), odd("db-2"))
            wait_for(lambda: manager.keys() == ["db-1", "db-2"], "both alerts")
            before = {alert["fingerprint"]: alert["startsAt"] for alert in manager.alerts()}
            site.kill()
            wait_for(lambda: manager.keys() == [], "Alertmanager to give up on the daemon that is gone")
            site.start_and_wait()
            wait_for(lambda: manager.keys() == ["db-1", "db-2"], "both alerts again")

            assert {alert["fingerprint"]: alert["startsAt"] for alert in manager.alerts()} == before
            assert len(site.ledger_alerts()) == 2
            assert site.stop() == 0
