"""The units in a real systemd: what an operator does to the service, and what happens to it, over one growing log."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from monitor.app.units import OWNED
from tests.e2e.container import PACKAGES, SOURCE, SYSTEM_PYTHON, Container, booted
from tests.e2e.support import Site, wait_for
from tests.e2e.traffic import EXTRA, Writer, line, lines

pytestmark = pytest.mark.timeout(600)

PROGRAM = "/opt/aemonitor/bin/aemonitor"
URL = "http://127.0.0.1:9464"
NEVER, OFTEN = 1 << 40, 100
"""Of so many lines one is a fault: none while there is to be learned from them, some at the end."""
QUICK = "[Service]\nRestartSec=1\nWatchdogSec=4\nTimeoutAbortSec=10\n"
"""The shipped times are for real life."""

CONFIG = """\
server: {{listen: '127.0.0.1:{port}'}}
device: cpu
streams:
  web:
    source: {{file_tail: {{include: ['{log}'], rotate_grace_seconds: 1.0}}}}
    parser: json_lines
    features: {{level: numeric, mode: categorical}}
    model: {{epochs: 10}}
    {extra}
    sinks: [file]
sinks:
  file: {{jsonl: {{path: '/var/log/aemonitor/{name}.jsonl'}}}}
"""


class Service:
    """One daemon of the container: its unit, configuration, log, state and metrics."""

    def __init__(self, container: Container, name: str = "aemonitor", port: int = 9464) -> None:
        self.container = container
        self.name = name
        self.unit = "aemonitor.service" if name == "aemonitor" else f"aemonitor@{name}.service"
        self.config = f"/etc/aemonitor/{name}.yaml"
        self.state = "/var/lib/aemonitor" + ("" if name == "aemonitor" else f"/instances/{name}")
        self.log = container.path(f"/var/log/{name}-app/app.log")
        self.url = f"http://127.0.0.1:{port}"
        self.port = port

    def configure(self, **changes: str) -> None:
        """Write the configuration, and a log that belongs to adm, as those of Debian do, if there is none."""
        extra = "\n    ".join(EXTRA.replace("alert: {", "alert: {tell: records, ").splitlines())
        text = CONFIG.format(port=self.port, name=self.name, extra=extra, log=f"/var/log/{self.name}-app/*.log*")
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        self.container.write(self.config, text)
        self.log.parent.mkdir(exist_ok=True)
        self.log.touch()
        shutil.chown(self.log, "root", "adm")
        self.log.chmod(0o640)

    def command(self, *arguments: str, code: int | None = 0) -> str:
        """A command of ours, as the service's user, with the service's configuration and state."""
        return self.container.run(
            "runuser", "-u", "aemonitor", "-g", "aemonitor", "-G", "adm", "--",
            "env", f"STATE_DIRECTORY={self.state}", f"AEMONITOR_CONFIG={self.config}", PROGRAM, *arguments, code=code,
        )  # fmt: skip

    def metric(self, name: str) -> float:
        """The sum of all series of a metric; -1 while nobody answers."""
        prefixes = (f"aemonitor_{name}{{", f"aemonitor_{name} ")
        lines = self.container.fetch(f"{self.url}/metrics").splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(prefixes)) if lines else -1

    def version(self) -> str:
        """The model in use."""
        found = [line for line in self.container.fetch(f"{self.url}/metrics").splitlines() if "model_info{" in line]
        return found[0].partition('version="')[2].partition('"')[0] if found else ""

    def published(self) -> str:
        """The model that ought to be in use."""
        return self.container.path(f"{self.state}/models/web/current").read_text().strip()

    def run_id(self) -> str:
        """What systemd calls this run of the daemon; the next one has another."""
        return self.container.show(self.unit, "InvocationID")

    def demand_another_run(self, before: str) -> None:
        """Wait until the daemon has been started again by itself and is ready."""
        wait_for(lambda: self.run_id() != before and self.active(), "the restart")

    def active(self) -> bool:
        return self.container.show(self.unit, "ActiveState") == "active"

    def journal(self) -> str:
        """All that the daemon and systemd said of the unit."""
        return self.container.run("journalctl", "--no-pager", "-o", "cat", "-u", self.unit)

    def demand_all_scored(self, records: int) -> None:
        """Wait until every record is committed, and let `verify` prove it."""

        def scored() -> int:
            found: dict[str, Any] = json.loads(self.command("verify", "--json", code=None) or "{}")
            return sum(stream["counts"]["scored"] for stream in found.get("streams", []))

        wait_for(lambda: scored() >= records, "every record to be committed")
        assert scored() == records
        assert f"{records:,} of {records:,} records were counted again" in self.command("verify")


@pytest.fixture(scope="module")
def system() -> Iterator[Container]:
    """A container with the program and the units installed."""
    with booted("units") as container:
        container.run("rm", "-rf", *OWNED)  # should the machine itself have them
        container.install_program("/opt/aemonitor")
        container.run(PROGRAM, "systemd", "install")
        yield container


@contextmanager
def growing(log: Path, rate: int = 200) -> Iterator[Writer]:
    """A writer that appends and rotates until the end of the block."""
    writer = Writer(log, rate, rotate_every=4_000, fault_every=NEVER, rotate=renamed_keeping_owner)
    writer.written = 1  # the line before would be a fault
    writer.start()
    try:
        yield writer
    finally:
        writer.stop()


def renamed_keeping_owner(log: Path, number: int) -> None:
    """As logrotate does with `create 0640 root adm`."""
    log.rename(log.with_name(f"{log.name}.{number}"))
    log.touch()
    shutil.chown(log, "root", "adm")
    log.chmod(0o640)


def benign(container: Container, name: str) -> str:
    """A file to learn from, readable for everyone."""
    place = f"/srv/{name}.jsonl"
    container.path(place).write_bytes(b"".join(line(n) for n in range(3_000) if n % 50))
    return place


def test_nothing_is_lost_whatever_happens_to_the_service(system: Container) -> None:
    service = Service(system)
    service.configure()
    system.drop_in(service.unit, QUICK)
    steps: list[Callable[[Service], None]] = [
        it_comes_up_by_itself_once_there_is_a_model,
        ready_means_that_it_scores,
        a_reload_waits_and_a_wrong_one_fails,
        it_comes_back_after_a_kill,
        a_scorer_that_hangs_is_killed_and_started_again,
        the_timer_retrains_and_the_daemon_swaps_and_goes_back,
    ]
    with growing(service.log) as writer:
        for step in steps:
            step(service)
    with service.log.open("ab") as log:
        log.write(lines(1_000, writer.written, OFTEN))
    service.demand_all_scored(writer.written - 1 + 1_000)
    alerts = [json.loads(text) for text in system.path("/var/log/aemonitor/aemonitor.jsonl").read_text().splitlines()]
    found = [json.loads(alert["raw"])["seq"] for alert in alerts]
    assert found == [number for number in range(writer.written, writer.written + 1_000) if number % OFTEN == 0]
    system.systemctl("stop", service.unit)
    assert system.show(service.unit, "Result") == "success"


def it_comes_up_by_itself_once_there_is_a_model(service: Service) -> None:
    system = service.container
    system.systemctl("start", service.unit, code=1)
    assert system.show(service.unit, "ExecMainStatus") == "75"

    service.command("retrain", "--input", benign(system, service.name))

    wait_for(service.active, "the daemon to come up")


def ready_means_that_it_scores(service: Service) -> None:
    service.container.systemctl("restart", service.unit)

    assert service.container.fetch(f"{service.url}/-/ready") == "ready\n"
    assert service.version() == service.published()
    wait_for(lambda: "records/s" in service.container.show(service.unit, "StatusText"), "the line for people")


def a_reload_waits_and_a_wrong_one_fails(service: Service) -> None:
    service.configure(**{"threshold: 3.0": "threshold: 4.0"})
    service.container.systemctl("reload", service.unit)
    assert service.metric("threshold") == 4.0

    service.configure(**{"threshold: 3.0": "threshhold: 5.0"})
    service.container.systemctl("reload", service.unit, code=1)
    assert service.metric("threshold") == 4.0
    assert "threshhold" in service.journal()

    service.configure()
    service.container.systemctl("reload", service.unit)
    assert service.active()


def it_comes_back_after_a_kill(service: Service) -> None:
    before = service.run_id()

    service.container.systemctl("kill", "-s", "KILL", service.unit)

    service.demand_another_run(before)


def a_scorer_that_hangs_is_killed_and_started_again(service: Service) -> None:
    before, pid = service.run_id(), service.container.show(service.unit, "MainPID")

    hanging = service.container.started(SYSTEM_PYTHON, f"{SOURCE}/tests/e2e/stop_thread.py", pid, "scorer")
    assert hanging.stdout is not None
    assert hanging.stdout.readline() == "stopped\n"

    service.demand_another_run(before)
    hanging.communicate()
    assert "Watchdog timeout" in service.journal()


def the_timer_retrains_and_the_daemon_swaps_and_goes_back(service: Service) -> None:
    system, first = service.container, service.published()
    system.drop_in(
        "aemonitor-retrain@aemonitor.timer", "[Timer]\nOnCalendar=*:*:*\nRandomizedDelaySec=0\nAccuracySec=1\n"
    )
    system.systemctl("start", "aemonitor-retrain@aemonitor.timer")
    wait_for(lambda: service.published() != first, "the retrain to publish")
    system.systemctl("stop", "aemonitor-retrain@aemonitor.timer")
    wait_for(lambda: system.show("aemonitor-retrain@aemonitor.service", "ActiveState") == "inactive", "its end")
    second = service.published()
    wait_for(lambda: service.version() == second, "the daemon to take the new model up")
    metrics = "/var/lib/aemonitor-textfile/aemonitor-aemonitor.prom"
    assert "aemonitor_retrain" in system.run("runuser", "-u", "nobody", "--", "cat", metrics)

    service.command("models", "rollback")

    assert service.published() != second
    wait_for(lambda: service.version() == service.published(), "the daemon to go back")


@pytest.fixture
def instance(system: Container, models: Path) -> Service:
    """A second daemon beside the first, with a model."""
    service = Service(system, "second", 9465)
    service.configure()
    shutil.copytree(models, system.path(f"{service.state}/models"))
    return service


def test_an_instance_that_outgrows_its_memory_is_ended_and_loses_nothing(instance: Service) -> None:
    instance.log.write_bytes(b"".join(line(number, NEVER) for number in range(1, 3_000)))
    instance.container.drop_in(instance.unit, f"{QUICK}MemoryMax=100M\n")
    instance.container.systemctl("start", instance.unit, code=1)
    assert instance.container.show(instance.unit, "ExecMainStatus") == "9"

    instance.container.drop_in(instance.unit, QUICK)

    wait_for(instance.active, "the daemon to come up by itself")
    instance.demand_all_scored(2_999)
    instance.container.systemctl("stop", instance.unit)


SINKS = """\
sinks:
  page: {command: {argv: [/usr/local/bin/page]}}
  journal: {journald: {}}
  log: {syslog: {address: 'unix:///dev/log'}}
  people: {apprise: {urls_file: '${env:CREDENTIALS_DIRECTORY}/people.urls'}}
"""
MAIL = "mailto://127.0.0.1:2525?from=monitor@example.net&to=oncall@example.net"


@pytest.fixture
def telling(system: Container, models: Path) -> Iterator[Service]:
    """A daemon that tells a program, the journal, the syslog socket and people, with a mail server and a credential."""
    service = Service(system, "telling", 9467)
    service.configure(**{"sinks: [file]": "sinks: [file, page, journal, log, people]", "sinks:\n": SINKS})
    shutil.copytree(models, system.path(f"{service.state}/models"))
    system.write("/usr/local/bin/page", "#!/bin/sh\ncat >>/var/log/aemonitor/paged\n")
    system.path("/usr/local/bin/page").chmod(0o755)
    system.write("/etc/aemonitor/people.urls", MAIL)
    system.path("/etc/aemonitor/people.urls").chmod(0o600)
    system.drop_in(service.unit, f"{QUICK}LoadCredential=people.urls:/etc/aemonitor/people.urls\n")
    receiving = ("-m", "aiosmtpd", "-n", "-l", "127.0.0.1:2525", "-c", "aiosmtpd.handlers.Mailbox", "/srv/mail")
    system.run("systemd-run", "--unit=mail", f"--setenv=PYTHONPATH={PACKAGES}", SYSTEM_PYTHON, *receiving)
    yield service
    system.systemctl("stop", service.unit, "mail.service")


def test_within_the_sandbox_every_local_sink_has_every_alert_over_a_kill(telling: Service) -> None:
    system = telling.container

    def shown(files: str) -> str:
        """What stands in files, if there are any."""
        return system.run("sh", "-c", f"cat {files} 2>/dev/null || true")

    def told() -> dict[str, set[str]]:
        """The ids that each sink has."""
        paged = shown("/var/log/aemonitor/paged").splitlines()
        journal = [json.loads(text) for text in system.run("journalctl", "-q", "-o", "json").splitlines()]
        return {
            "page": {json.loads(line)["id"] for line in paged},
            "journal": {entry["AEMONITOR_ID"] for entry in journal if "AEMONITOR_ID" in entry},
            "log": set(re.findall(r'aemonitor@32473 id=\\?"(\w+)', str(journal))),
            "people": set(re.findall(r"Alert: (\w{32})", shown("/srv/mail/new/*"))),
        }

    system.systemctl("start", telling.unit)
    telling.log.write_bytes(b"".join(line(number * OFTEN, OFTEN) for number in range(1, 6)))
    wait_for(lambda: min(map(len, told().values())) >= 2, "every sink to have some alerts", 60)
    system.systemctl("kill", "-s", "KILL", telling.unit)
    with telling.log.open("ab") as log:
        log.write(b"".join(line(number * OFTEN, OFTEN) for number in range(6, 11)))
    wait_for(lambda: min(map(len, told().values())) >= 10, "every sink to have all alerts", 60)

    wanted = {json.loads(text)["id"] for text in shown("/var/log/aemonitor/telling.jsonl").splitlines()}
    assert len(wanted) == 10
    assert told() == dict.fromkeys(("page", "journal", "log", "people"), wanted)
    system.systemctl("reload", telling.unit)
    assert telling.metric("config_last_reload_successful") == 1


def test_check_says_what_the_service_cannot_read_and_the_service_reads_what_adm_may(system: Container) -> None:
    service = Service(system, "third", 9466)
    service.configure()
    shutil.chown(service.log, "root", "root")
    asked = (PROGRAM, "check", "--service", "-c", service.config)

    assert "user aemonitor may not read /var/log/third-app/app.log" in system.run(*asked)

    shutil.chown(service.log, "root", "adm")
    assert "warning" not in system.run(*asked)


def test_a_network_that_the_sandbox_forbids_is_refused_with_the_cure(system: Container, tmp_path: Path) -> None:
    site = Site(tmp_path, "web")
    site.configure("json_lines", ["level: {window: {length: 12}}"])
    site.config.write_text(site.config.read_text().replace("{epochs: 20}", "{network: conv, epochs: 2}"))
    (tmp_path / "benign.jsonl").write_bytes(b"".join(line(number, NEVER) for number in range(1, 1_500)))
    site.retrain(tmp_path / "benign.jsonl", "--force")
    (version,) = (path for path in (site.state / "models/web").iterdir() if path.is_dir())
    shutil.copytree(version, system.path(f"/srv/{version.name}"))

    check = (PROGRAM, "models", "verify", "--directory", f"/srv/{version.name}")
    forbidden = system.run("systemd-run", "--pipe", "--quiet", "-p", "MemoryDenyWriteExecute=yes", *check, code=65)

    assert "run `aemonitor systemd install --with window-networks`" in forbidden
    assert ": ok" in system.run("systemd-run", "--pipe", "--quiet", *check)


def test_uninstalling_stops_disables_and_removes_the_units_and_keeps_the_rest() -> None:
    with booted("gone") as system:
        system.run("rm", "-rf", *OWNED)
        system.install_program("/opt/aemonitor")
        system.run(PROGRAM, "systemd", "install")
        system.systemctl("enable", "--now", "aemonitor-retrain@web.timer")

        system.run(PROGRAM, "systemd", "uninstall")

        assert "0 timers" in system.systemctl("list-timers", "--all", "aemonitor*")
        assert not [path for path in system.path("/etc/systemd/system").rglob("aemonitor*") if path.is_symlink()]
        assert not list(system.path("/usr/local/lib").rglob("aemonitor*"))
        assert system.path("/var/lib/aemonitor-textfile").is_dir()
        system.systemctl("cat", "aemonitor.service", code=1)
        system.run(PROGRAM, "systemd", "uninstall", "--purge")
        assert not any(system.path(path).exists() for path in OWNED)
