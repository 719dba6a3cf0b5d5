"""What `logger` and rsyslog send over the network is scored by a real daemon, before and after either was killed."""

from __future__ import annotations

import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from monitor.app.demo import free_port
from tests.e2e.broker_faults import FAULT_EVERY, TIMES, Sender, kill_in_turn, site_reading, told
from tests.e2e.support import need, wait_for
from tests.e2e.traffic import BACKLOG_SECONDS, lines

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


CHUNK = 20
FORWARDING = """
module(load="imfile")
global(workDirectory="{work}" maxMessageSize="64k")
template(name="line" type="string" string="%msg%\\n")
input(type="imfile" file="{log}" tag="site" freshStartTail="off" persistStateInterval="1" addMetadata="off")
action(
  type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="line"
  action.resumeRetryCount="-1" action.resumeInterval="1" action.resumeIntervalMax="1"
  queue.type="Disk" queue.filename="forward" queue.checkpointInterval="1" queue.size="1000000"
)
"""


class Rsyslog:
    """Follows a file and sends its lines on; what cannot be sent it keeps."""

    def __init__(self, root: Path, log: Path, port: int) -> None:
        self._config, self._pid = root / "rsyslog.conf", root / "rsyslog.pid"
        (root / "work").mkdir()
        self._config.write_text(FORWARDING.format(work=root / "work", log=log, port=port))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._pid.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [need("rsyslogd"), "-n", "-f", str(self._config), "-i", str(self._pid)], stderr=subprocess.DEVNULL
        )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.mark.parametrize("times", TIMES)
def test_kills_of_daemon_and_sender_cost_no_more_than_what_was_on_the_way(
    tmp_path: Path, models: Path, times: int
) -> None:
    """Syslog acknowledges nothing: whoever dies takes with it what it had accepted, and nothing else may be missing."""
    port, log = free_port(), tmp_path / "site.log"
    log.touch()
    rsyslog = Rsyslog(tmp_path, log, port)
    site = site_reading(tmp_path / "site", models, f"{{syslog_net: {{listen: ['tcp://127.0.0.1:{port}']}}}}")

    def write(first: int) -> int:
        with log.open("ab") as file:
            file.write(lines(CHUNK, first, FAULT_EVERY))
        return first + CHUNK

    sender = Sender(write)
    rsyslog.start()
    try:
        kill_in_turn(site, rsyslog, sender, times)
        before = sender.written
        wait_for(lambda: max(told(site), default=0) >= before - FAULT_EVERY, "what was written last", BACKLOG_SECONDS)
        last = set(range(before, write(before), FAULT_EVERY))
        wait_for(lambda: told(site).keys() >= last, "what is written when all is over", BACKLOG_SECONDS)
        assert site.stop(within_seconds=60) == 0
    finally:
        rsyslog.kill()
        site.close()

    lost = sorted(set(range(0, before, FAULT_EVERY)) - told(site).keys())
    gaps = 1 + sum(after - one > CHUNK for one, after in pairwise(lost)) if lost else 0
    print(f"{before:,} messages, {times} kills of each: {len(lost) * FAULT_EVERY:,} lost, in {gaps} places")
    assert gaps <= 2 * times
