"""Entries of a real journal: the daemon and systemd-journald are killed in turn, and none that it has is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.broker_faults import TIMES, Sender, kill_in_turn, site_reading
from tests.e2e.support import wait_for
from tests.journal import Journald, journald

CHUNK = 20
NOBODY_IS_TOLD = "threshold: 1000.0"
"""No entry has the fields that the model knows; to explain each of them would take long."""


def sent(running: Journald, first: int) -> int:
    """What the socket took; journald is killed with some of it unread, so only what the journal has is asked for."""
    for number in range(first, first + CHUNK):
        running.log(b"seq=%d" % number)
    return first + CHUNK


@pytest.mark.parametrize("times", TIMES)
def test_no_entry_is_lost_over_kills_of_daemon_and_journal(tmp_path: Path, models: Path, times: int) -> None:
    with journald() as running:
        source = (
            f"{{journald: {{directory: {running.directory}, matches: [SYSLOG_IDENTIFIER=app], fields: [MESSAGE]}}}}"
        )
        site = site_reading(tmp_path / "site", models, source)
        site.config.write_text(site.config.read_text().replace("threshold: 3.0", NOBODY_IS_TOLD))
        sender = Sender(lambda first: sent(running, first), pause_seconds=0.1)
        try:
            kill_in_turn(site, running, sender, times)
            kept = running.messages()
            wait_for(lambda: site.metric("records_read_total") >= len(kept), "every entry to be read")
            wait_for(lambda: site.metric("records_in_flight") == 0, "every entry to be committed")
            read = site.metric("records_read_total")
            assert site.stop(within_seconds=60) == 0
        finally:
            site.close()

        assert read == len(kept)
        print(f"{len(kept):,} entries, {times} kills of each: 0 lost, 0 read twice")
