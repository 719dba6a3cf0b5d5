"""A state directory that cannot be written: reading pauses, everyone is told, and it goes on by itself with 0 lost."""

from __future__ import annotations

import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from monitor.ledger import Ledger
from tests.e2e.support import Site, need, wait_for
from tests.e2e.traffic import FAULT_EVERY, Writer, settle, trained

RATE = 1_000
INSIDE = """
mount -t tmpfs -o size=8m tmpfs "$1" && cp -r "$2" "$1/models" && shift 2 && exec "$@"
"""
"""In a mount namespace of its own: a small disk for the state directory, with the model on it."""


@contextmanager
def on_a_small_disk(site: Site) -> Iterator[Path]:
    """The daemon with a state directory of 8 MB; gives that directory as this process sees it."""
    models = site.state.joinpath("models").rename(site.root / "models")
    probe = [need("unshare"), "-rm", "mount", "-t", "tmpfs", "tmpfs", str(site.state)]
    if (done := subprocess.run(probe, capture_output=True, check=False)).returncode:
        pytest.skip(f"no user namespaces here: {done.stderr.decode().strip()}")
    run = [sys.executable, "-m", "monitor", "run", "-c", str(site.config)]
    command = [need("unshare"), "-rm", "sh", "-c", INSIDE, "sh", str(site.state), str(models), *run]
    with (site.root / "daemon.log").open("ab") as log:
        site.daemon = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(site.ready, "the daemon to become ready")
        yield Path(f"/proc/{site.daemon.pid}/root{site.state}")
    finally:
        site.close()


def fill(ballast: Path) -> None:
    """Take every block that is left."""
    with suppress(OSError), ballast.open("wb", buffering=0) as stream:
        while stream.write(bytes(4096)):
            pass


def why_not_ready(site: Site) -> str:
    """What /-/ready says; empty when it is ready."""
    try:
        with urllib.request.urlopen(f"{site.url}/-/ready", timeout=5):
            return ""
    except urllib.error.HTTPError as answer:
        return answer.read().decode() if answer.code == 503 else ""


def alerts(state: Path, copy: Path) -> list[int]:
    """The numbers of all records that alerted, as the ledger has them; SQLite cannot look into another namespace."""
    copy.mkdir()
    for part in state.glob("ledger.sqlite3*"):
        shutil.copy(part, copy)
    with Ledger.open(copy) as ledger:
        bodies = ledger.alerts("web", limit=1_000_000)[::-1]
    return [int(msgspec.json.decode(msgspec.json.decode(body)["raw"])["seq"]) for body in bodies]


def demand_a_pause(site: Site, reason: str, seconds: float) -> None:
    """While nothing can be committed nothing new is scored, and everything says so."""
    wait_for(lambda: reason in why_not_ready(site), "/-/ready to tell the reason")
    wait_for(lambda: site.metric("paused_seconds_total") > 0, "the pause to be counted")
    scored, paused = site.metric("records_scored_total"), site.metric("paused_seconds_total")
    time.sleep(seconds)  # how long the disk is full is the input of this test
    assert site.metric("records_scored_total") == scored
    assert site.metric("paused_seconds_total") >= paused + 0.9 * seconds
    assert site.metric("checkpoint_errors_total") > 0


def full_for(tmp_path: Path, models: Path, seconds: float) -> None:
    site = trained(tmp_path, models)
    writer = Writer(site.log, RATE, rotate_every=5 * RATE)
    with on_a_small_disk(site) as state:
        writer.start()
        try:
            wait_for(lambda: site.metric("records_scored_total") > 500, "some records")
            fill(state / "ballast")
            demand_a_pause(site, "SQLITE_FULL", seconds)
            (state / "ballast").unlink()
            wait_for(site.ready, "the daemon to go on by itself")
        finally:
            writer.stop()
        settle(site, writer.written)
        assert site.metric("records_read_total") == site.metric("records_scored_total") == writer.written
        assert alerts(state, tmp_path / "copy") == list(range(0, writer.written, FAULT_EVERY))
        assert site.stop() == 0
    assert re.search("commit_recovered", (site.root / "daemon.log").read_text())


@pytest.mark.timeout(300)
def test_a_full_disk_pauses_the_daemon_and_nothing_is_lost(tmp_path: Path, models: Path) -> None:
    full_for(tmp_path, models, seconds=2)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_disk_that_is_full_for_a_minute_loses_nothing(tmp_path: Path, models: Path) -> None:
    full_for(tmp_path, models, seconds=60)


@pytest.mark.timeout(300)
def test_writes_that_fail_pause_the_daemon_and_nothing_is_lost(tmp_path: Path, models: Path) -> None:
    site = trained(tmp_path, models)
    writer = Writer(site.log, RATE)
    site.start_and_wait()
    assert site.daemon is not None
    try:
        writer.start()
        wait_for(lambda: site.metric("records_scored_total") > 500, "some records")
        _, hard = resource.prlimit(site.daemon.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(site.daemon.pid, resource.RLIMIT_FSIZE, (4096, hard))  # from now on write() fails with EFBIG
        demand_a_pause(site, "cannot use", seconds=1)
        resource.prlimit(site.daemon.pid, resource.RLIMIT_FSIZE, (hard, hard))
        wait_for(site.ready, "the daemon to go on by itself")
        writer.stop()
        settle(site, writer.written)
        assert site.metric("records_read_total") == site.metric("records_scored_total") == writer.written
        assert alerts(site.state, tmp_path / "copy") == list(range(0, writer.written, FAULT_EVERY))
        site.daemon.send_signal(signal.SIGTERM)
        assert site.daemon.wait(5) == 0
    finally:
        writer.stop()
        site.close()
