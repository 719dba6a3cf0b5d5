"""``alerts tail`` shows the newest alerts and then each one that is told, once, beside the daemon that writes them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from monitor.app.history import followed
from monitor.cli import execute
from monitor.cli.exits import ExitCode
from monitor.core.accounting import Counts, Outcome
from monitor.core.alerts import Alert
from monitor.core.errors import UsageError
from monitor.ledger import Ledger
from tests.support_files import alert

CONFIG = """
state_dir: {root}/state
streams:
  web: &any {{source: stdin, parser: json_lines, features: {{ms: numeric}}}}
  db: {{source: stdin, parser: json_lines, features: {{ms: numeric}}}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "aemonitor.yaml"
    path.write_text(CONFIG.format(root=tmp_path).replace("&any ", ""))
    (tmp_path / "state").mkdir()
    commit(path, *(alert(number) for number in range(5)))
    return path


def commit(config: Path, *alerts: Alert) -> None:
    with Ledger.open(config.parent / "state") as ledger:
        ledger.commit([Outcome(one.stream, (), Counts(), alerts=[one]) for one in alerts])


def summaries(config: Path, stream: str | None, limit: int, count: int, meanwhile: Callable[[], object]) -> list[str]:
    def wait() -> bool:
        meanwhile()
        return True

    lines = islice(followed(config, stream, limit, wait), count)
    return [msgspec.json.decode(line, type=Alert).summary for line in lines]


def unexpected() -> None:
    raise AssertionError("there was something to show")


def test_the_newest_come_first_and_then_what_is_told_meanwhile(config: Path) -> None:
    later = iter([[alert(10)], [], [alert(11), alert(12, state="held"), alert(13)]])

    shown = summaries(config, None, 2, 5, lambda: commit(config, *next(later)))

    assert shown == ["alert 3", "alert 4", "alert 10", "alert 11", "alert 13"]


def test_a_backlog_longer_than_a_look_is_shown_whole(config: Path) -> None:
    commit(config, *(alert(number) for number in range(100, 700)))

    assert len(set(summaries(config, None, 605, 605, unexpected))) == 605
    assert summaries(config, None, 1, 1, unexpected) == ["alert 699"]


def test_one_stream_is_followed_and_from_now_on_if_so_asked(config: Path) -> None:
    told = iter([[alert(20), alert(21, "db")]])

    assert summaries(config, "db", 0, 1, lambda: commit(config, *next(told))) == ["alert 21"]
    with pytest.raises(UsageError, match="there is no stream 'cache'"):
        summaries(config, "cache", 0, 1, unexpected)


def test_the_command_ends_quietly_when_interrupted(config: Path) -> None:
    command = [sys.executable, "-m", "monitor", "alerts", "tail", "-c", str(config), "--limit", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        first = tail.stdout.readline()
        os.kill(tail.pid, signal.SIGINT)
        _, errors = tail.communicate(timeout=60)

    assert first.endswith("alert 4\n")
    assert (tail.returncode, errors) == (0, "")


@pytest.mark.parametrize("command", ["list", "tail"])
def test_fewer_than_no_alerts_cannot_be_asked_for(config: Path, command: str) -> None:
    assert execute(["alerts", command, "-c", str(config), "--limit", "-1"]) == ExitCode.USAGE
