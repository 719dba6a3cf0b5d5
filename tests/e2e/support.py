"""Runs the product as a user does: real processes, real files, real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from monitor.app.demo import free_port

PATIENCE_SECONDS = 300.0
"""A wait costs nothing where all is well, and a busy machine is not a fault."""


def demand(holds: bool, reason: str) -> None:
    """Where something is missing the test skips at home, and fails in CI."""
    if not holds:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


def need(program: str) -> str:
    """The path of a program the test drives; without it the test skips at home and fails in CI."""
    import shutil

    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    demand(found is not None, f"{program} is not installed")
    return str(found)


def wait_for(condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Look again until it is so; waiting for another process has no event to wait on."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.02)


def aemonitor(*arguments: str, stdin: bytes | None = None, code: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end and insist on its exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "monitor", *arguments], input=stdin, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == code, (
        f"{arguments}: exit {done.returncode}\n{done.stdout.decode()}\n{done.stderr.decode()}"
    )
    return done


def _taken(text: str, start: str) -> tuple[str, list[str]]:
    """What follows ``start`` in the line that begins with it, if one does, and the other lines."""
    lines = text.splitlines()
    found = [line.removeprefix(start) for line in lines if line.startswith(start)]
    return "".join(found), [line for line in lines if not line.startswith(start)]


class Site:
    """A directory with a configuration, a log, a state directory and whatever daemon runs on them."""

    def __init__(self, root: Path, stream: str = "web") -> None:
        self.root = root
        self.stream = stream
        self.log = root / "logs" / "app.log"
        self.log.parent.mkdir(parents=True)
        self.config = root / "aemonitor.yaml"
        self.state = root / "state"
        self.alerts_file = root / "alerts.jsonl"
        self.url = f"http://127.0.0.1:{free_port()}"
        self.daemon: subprocess.Popen[bytes] | None = None

    def configure(
        self,
        parser: str,
        features: Sequence[str],
        *,
        include: str | None = None,
        extra: str = "",
        tell: str = "records",
    ) -> None:
        """Write the configuration: one stream, one jsonl sink, which by default gets each anomalous record."""
        alert, rest = _taken(extra, "alert: {")
        lines = [
            f"server: {{listen: '{self.url.removeprefix('http://')}'}}",
            f"state_dir: {self.state}",
            "device: cpu",
            "streams:",
            f"  {self.stream}:",
            f"    source: {{file_tail: {{include: ['{include or self.log}'], rotate_grace_seconds: 1.0}}}}",
            f"    parser: {parser}",
            "    features:",
            *(f"      {feature}" for feature in features),
            "    model: {epochs: 20}",
            f"    alert: {{tell: {tell}, {alert or '}'}",
            *(f"    {line}" for line in rest),
            "    sinks: [file]",
            "sinks:",
            f"  file: {{jsonl: {{path: '{self.alerts_file}'}}}}",
        ]
        self.config.write_text("\n".join(lines) + "\n")

    def retrain(self, benign: Path, *options: str) -> None:
        """Learn from a file."""
        aemonitor("retrain", "-c", str(self.config), "--input", str(benign), *options)

    def start(self) -> None:
        """Start the daemon; returns at once."""
        with (self.root / "daemon.log").open("ab") as log:
            self.daemon = subprocess.Popen(
                [sys.executable, "-m", "monitor", "run", "-c", str(self.config)], stdout=log, stderr=log
            )

    def ready(self) -> bool:
        """Whether /-/ready says 200."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            assert self.daemon is None or self.daemon.poll() is None, (self.root / "daemon.log").read_text()[-3000:]
            return False

    def start_and_wait(self) -> None:
        """Start the daemon and wait until it is ready."""
        self.start()
        wait_for(self.ready, "the daemon to become ready")

    def kill(self) -> None:
        """Kill -9."""
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait()

    def stop(self, within_seconds: float = 5.0) -> int:
        """SIGTERM; the exit code. Fails when it takes longer than promised."""
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGTERM)
        return self.daemon.wait(within_seconds)

    def hang_up(self) -> None:
        """SIGHUP."""
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGHUP)

    def metrics(self) -> str:
        """The text of a scrape."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
        return text

    def metric(self, name: str) -> float:
        """The sum of all series of a metric."""
        prefixes = (f"aemonitor_{name}{{", f"aemonitor_{name} ")
        return sum(float(line.rsplit(" ", 1)[1]) for line in self.metrics().splitlines() if line.startswith(prefixes))

    def ledger_alerts(self) -> list[dict[str, Any]]:
        """Every alert the ledger has, oldest first."""
        done = aemonitor("alerts", "list", "-c", str(self.config), "--limit", "1000000", "--json")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def close(self) -> None:
        """End the daemon if it still runs."""
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.kill()
            self.daemon.wait()
