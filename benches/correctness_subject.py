"""The daemon under test and the log it follows, as `correctness.py` drives them: real processes, files and signals.

The log keeps a copy of every byte that was ever in it, and each way of rotating it proves that it took effect.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from program import aemonitor

from monitor.app.demo import free_port

PATIENCE_SECONDS = 300.0
CONFIG = """server: {{listen: '127.0.0.1:{port}'}}
state_dir: {root}/state
device: cpu
streams:
  web:
    source: {{file_tail: {{include: ['{root}/logs/app.log'], rotate_grace_seconds: 1.0}}}}
    parser: json_lines
    features: {features}
    model: {{epochs: 20}}
    score: {{method: l1}}
    alert: {{threshold: 3.0, tell: records}}
    sinks: [receiver]
sinks:
  receiver: {{jsonl: {{path: '{root}/{receiver}'}}}}
"""


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Look again until it is so; another process has no event to wait on."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {PATIENCE_SECONDS:.0f} s in vain for {what}")
        time.sleep(0.02)


class Subject:
    """A directory with a configuration, a learned model, and the daemon that runs on them."""

    def __init__(self, root: Path, features: str, benign: bytes) -> None:
        shutil.rmtree(root, ignore_errors=True)
        (root / "logs").mkdir(parents=True)
        self.root, self.config = root, root / "aemonitor.yaml"
        self._features, self._port = features, free_port()
        self._daemon: subprocess.Popen[bytes] | None = None
        self.send_to("alerts.jsonl")
        (root / "benign.jsonl").write_bytes(benign)
        self.run("retrain", "--input", str(root / "benign.jsonl"))

    def send_to(self, receiver: str) -> Path:
        """Name the file that gets the alerts from the next start or SIGHUP on."""
        new = self.config.with_suffix(".new")
        new.write_text(CONFIG.format(root=self.root, port=self._port, features=self._features, receiver=receiver))
        new.rename(self.config)
        return self.root / receiver

    def run(self, command: str, *options: str) -> str:
        """Run a command to its end and insist on exit 0; what it prints."""
        call = aemonitor(command, "-c", str(self.config), *options)
        done = subprocess.run(call, check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(call)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> None:
        """Start the daemon and wait until it is ready."""
        with (self.root / "daemon.log").open("ab") as told:
            self._daemon = subprocess.Popen(aemonitor("run", "-c", str(self.config)), stdout=told, stderr=told)
        wait_for(self._ready, "the daemon to become ready")

    def _ready(self) -> bool:
        assert self._daemon is not None
        assert self._daemon.poll() is None, (self.root / "daemon.log").read_text()[-2000:]
        try:
            return bool(self._get("/-/ready"))
        except (urllib.error.URLError, OSError):
            return False

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as answer:
            text: str = answer.read().decode()
        return text

    def metrics(self, *names: str) -> list[int]:
        """The sums of the series of these metrics, of one scrape."""
        rows = [line.rsplit(" ", 1) for line in self._get("/metrics").splitlines() if not line.startswith("#")]
        return [sum(int(float(v)) for k, v in rows if k.split("{")[0] == f"aemonitor_{name}") for name in names]

    def scored(self) -> int:
        """Records scored and committed."""
        return self.metrics("records_scored_total")[0]

    def settle(self, written: int) -> None:
        """Wait until so many records are scored and committed."""
        wait_for(lambda: self.scored() >= written, f"{written:,} records to be scored")

    def reload(self) -> None:
        """SIGHUP, and wait until the new configuration is in use."""
        assert self._daemon is not None
        (before,) = self.metrics("config_reloads_total")
        self._daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: self.metrics("config_reloads_total")[0] > before, "the reload")
        assert self.metrics("config_last_reload_successful") == [1]

    def kill(self) -> None:
        """Kill -9."""
        assert self._daemon is not None
        self._daemon.kill()
        self._daemon.wait()

    def stop(self) -> None:
        """SIGTERM, and insist on a clean end."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGTERM)
        assert self._daemon.wait(60) == 0

    def close(self) -> None:
        """End the daemon if it still runs."""
        if self._daemon is not None and self._daemon.poll() is None:
            self.kill()


class Log:
    """The followed file. ``kept`` has the bytes of each of its lives: of each new file, and each refill."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kept = [bytearray()]
        self.rotations = 0
        self._out = path.open("ab", buffering=0)

    def write(self, text: bytes) -> None:
        """Append to the file in use."""
        self._out.write(text)
        self.kept[-1] += text

    def rename(self, last: bytes) -> None:
        """Rotate by create; ``last`` is written to the old file when the new one is there already."""
        part, inode = self._next_part(), self.path.stat().st_ino
        self.path.rename(part)
        old, self._out = self._out, self.path.open("ab", buffering=0)
        old.write(last)
        old.close()
        self.kept[-1] += last
        assert part.stat().st_ino == inode != self.path.stat().st_ino, "the rename had no effect"
        assert part.read_bytes() == self.kept[-1]
        assert self.path.stat().st_size == 0
        self.kept.append(bytearray())

    def copytruncate(self, last: bytes) -> None:
        """Copy the file, empty it, and append ``last`` to the copy."""
        part = self._next_part()
        shutil.copyfile(self.path, part)
        assert part.stat().st_ino != self.path.stat().st_ino
        assert part.read_bytes() == self.kept[-1], "the copy had no effect"
        self.truncate()
        with part.open("ab") as out:
            out.write(last)
        self.kept[-2] += last

    def truncate(self) -> None:
        """Empty the file in place."""
        before = self.path.stat()
        assert before.st_size == len(self.kept[-1]) > 0
        os.truncate(self.path, 0)
        after = self.path.stat()
        assert (after.st_size, after.st_ino) == (0, before.st_ino), "the truncation had no effect"
        self.kept.append(bytearray())

    def close(self) -> None:
        """Write no more."""
        self._out.close()

    def _next_part(self) -> Path:
        self.rotations += 1
        return self.path.with_name(f"{self.path.name}.{self.rotations}")
