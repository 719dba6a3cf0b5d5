"""Prometheus, Alertmanager and node_exporter for real, on loopback, with the files that are shipped."""

from __future__ import annotations

import http.server
import json
import math
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from monitor.app.demo import free_port
from tests.conftest import REPOSITORY
from tests.e2e.support import need, wait_for

SHIPPED = REPOSITORY / "deploy" / "prometheus"


@dataclass(frozen=True, slots=True)
class Notice:
    """What a receiver of Alertmanager got: when (monotonic seconds), at which path, and the message."""

    when: float
    path: str
    body: dict[str, Any]

    def tells(self, alert: str, status: str) -> bool:
        """Whether it says this of the alert."""
        alerts = self.body["alerts"]
        return any((each["labels"]["alertname"], each["status"]) == (alert, status) for each in alerts)


class Receiver:
    """Takes what Alertmanager posts and keeps it, in order."""

    def __init__(self) -> None:
        notices = self.notices = list[Notice]()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                notices.append(Notice(time.monotonic(), self.path, body))
                self.send_response(200)
                self.end_headers()

            def log_request(self, code: object = "-", size: object = "-") -> None:
                """Not into the output of the tests."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def first(self, alert: str, status: str, since: float) -> Notice | None:
        """The first notice since then that says this of the alert."""
        return next((each for each in self.notices if each.when >= since and each.tells(alert, status)), None)

    def firing(self, alert: str) -> bool:
        """Whether the last notice about the alert says that it fires."""
        about = [each for each in self.notices if each.tells(alert, "firing") or each.tells(alert, "resolved")]
        return bool(about) and about[-1].tells(alert, "firing")

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Prometheus:
    """A running Prometheus, asked by its HTTP interface."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **parameters: object) -> Any:
        """The data of an answer."""
        return json.loads(get(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))["data"]

    def numbers(self, expression: str) -> list[float]:
        """The values of an expression now, those that are numbers."""
        values = [float(series["value"][1]) for series in self.ask("query", query=expression)["result"]]
        return [value for value in values if not math.isnan(value)]  # which is nothing divided by nothing

    def sick_rules(self) -> list[str]:
        """What is wrong with rules that were evaluated, or that they were not yet."""
        rules = [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]
        return [f"{rule['name']}: {rule.get('lastError', rule['health'])}" for rule in rules if rule["health"] != "ok"]


@contextmanager
def running(directory: Path, scraped: str, textfiles: Path, receiver: str) -> Iterator[Prometheus]:
    """All three, with the shipped configurations but for addresses and for everything being asked each second."""
    addresses = {name: f"127.0.0.1:{free_port()}" for name in ("prometheus", "alertmanager", "node")}
    targets = {"aemonitor": scraped.removeprefix("http://"), "node": addresses["node"]}
    prometheus = _written(directory / "prometheus.yml", _prometheus(targets, addresses["alertmanager"]))
    alertmanager = _written(directory / "alertmanager.yml", _alertmanager(receiver))
    listen = {name: f"--web.listen-address={address}" for name, address in addresses.items()}
    commands = {
        "node": ["prometheus-node-exporter", listen["node"], "--collector.disable-defaults", "--collector.textfile",
                 f"--collector.textfile.directory={textfiles}"],
        "alertmanager": ["prometheus-alertmanager", listen["alertmanager"], f"--config.file={alertmanager}",
                         f"--storage.path={directory / 'alertmanager'}", "--cluster.listen-address="],
        "prometheus": ["prometheus", listen["prometheus"], f"--config.file={prometheus}",
                       f"--storage.tsdb.path={directory / 'tsdb'}", "--enable-feature=exemplar-storage"],
    }  # fmt: skip
    with ExitStack() as stack:
        for name, command in commands.items():
            stack.enter_context(_process(directory / f"{name}.log", command))
        for name in ("alertmanager", "prometheus"):
            wait_for(_answers(f"http://{addresses[name]}/-/ready"), f"{name} to be ready")
        yield Prometheus(f"http://{addresses['prometheus']}")


def _prometheus(targets: Mapping[str, str], alertmanager: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(SHIPPED / pattern) for pattern in config["rule_files"]]
    config["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": [alertmanager]}]
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [targets[job["job_name"]]]}]
    return config


def _alertmanager(receiver: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((SHIPPED / "alertmanager.yml").read_text())
    for each in config["receivers"]:
        each["webhook_configs"] = [{"url": f"{receiver}/{each['name']}"}]
    return config


def _written(path: Path, config: Mapping[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(dict(config)))
    return path


@contextmanager
def _process(log: Path, command: Sequence[str]) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen([need(command[0]), *command[1:]], stdout=out, stderr=out, cwd=log.parent)
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)


def get(url: str) -> str:
    """The body of an answer."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def _answers(url: str) -> Callable[[], bool]:
    def answers() -> bool:
        try:
            get(url)
        except OSError:
            return False
        return True

    return answers
