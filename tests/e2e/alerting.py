"""A real Alertmanager beside the daemon, and a site whose alerts go to several sinks."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monitor.app.demo import free_port
from tests.e2e.support import Site, need, wait_for
from tests.e2e.traffic import trained


class Alertmanager:
    """Alertmanager on the loopback, without a cluster, that routes everything to ``hook`` at once.

    What nobody repeats it would forget after ``resolve_timeout``, one second: alerts that last do so because of us.
    """

    def __init__(self, root: Path, hook: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._root = root
        root.mkdir(exist_ok=True)
        config = root / "alertmanager.yml"
        config.write_text(
            "global: {resolve_timeout: 1s}\n"
            "route: {receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}\n"
            f"receivers: [{{name: hook, webhook_configs: [{{url: '{hook}', send_resolved: true}}]}}]\n"
        )
        subprocess.run([need("amtool"), "check-config", str(config)], check=True, capture_output=True)
        with (root / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    need("prometheus-alertmanager"), f"--config.file={config}", f"--storage.path={root / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=log,
            )  # fmt: skip
        wait_for(self._ready, "Alertmanager to be ready")

    def alerts(self) -> list[dict[str, Any]]:
        """Every alert that is active."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts?active=true", timeout=5) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found

    def keys(self) -> list[str]:
        """The keys of these alerts."""
        return sorted(alert["labels"].get("key", "") for alert in self.alerts())

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def _ready(self) -> bool:
        assert self.process.poll() is None, (self._root / "log").read_text()[-3000:]
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def alertmanager(root: Path, hook: str, port: int | None = None) -> Generator[Alertmanager, None, None]:
    running = Alertmanager(root, hook, port)
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def site_with(
    root: Path, models: Path, sinks: Mapping[str, str], *, alert: str = "tell: records"
) -> Generator[Site, None, None]:
    """A site that sends the alerts of its hosts to these sinks, too; ``alert`` replaces how they are told."""
    site = trained(root, models)
    text = site.config.read_text().replace("tell: records", alert)
    text = text.replace("    sinks: [file]\n", f"    key: host\n    sinks: [{', '.join(['file', *sinks])}]\n")
    site.config.write_text(text + "".join(f"  {name}: {options}\n" for name, options in sinks.items()))
    try:
        yield site
    finally:
        site.close()


def odd(host: str) -> str:
    """A reading that is an anomaly."""
    return json.dumps({"host": host, "level": 900.0, "mode": "a"}) + "\n"


def write(site: Site, *lines: str) -> None:
    with site.log.open("a") as log:
        log.writelines(lines)
