"""What `logger` sends over the network is scored by a real daemon, before and after it was killed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from monitor.app.demo import free_port
from tests.e2e.broker_faults import site_reading
from tests.e2e.support import need, wait_for

KINDS = (["-d"], ["-T"], ["-T", "--octet-count"])
EACH = 5


@pytest.mark.timeout(300)
def test_what_is_sent_while_it_listens_is_scored(tmp_path: Path, models: Path) -> None:
    port = free_port()
    site = site_reading(
        tmp_path / "site", models, f"{{syslog_net: {{listen: ['udp://127.0.0.1:{port}', 'tcp://127.0.0.1:{port}']}}}}"
    )
    try:
        for life in range(1, 3):
            site.start_and_wait()
            wait_for(lambda: site.metric("source_connected") == 1, "the listeners")
            for options in KINDS * EACH:
                program = [need("logger"), "-n", "127.0.0.1", "-P", str(port), *options, '{"level": 20, "mode": "a"}']
                subprocess.run(program, check=True)
            expected = life * EACH * len(KINDS)
            wait_for(lambda expected=expected: site.metric("records_read_total") >= expected, "all of it")  # type: ignore[misc]
            wait_for(lambda: site.metric("records_in_flight") == 0, "all to be committed")
            assert site.metric("records_read_total") == expected
            site.kill()
    finally:
        site.close()
