"""What the service manager is told, word for word, over a real socket."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.core.accounting import Counts
from monitor.core.clock import ManualClock
from monitor.runtime.service_manager import ServiceManager
from monitor.runtime.thread_names import show_name
from monitor.runtime.throughput import Throughput
from monitor.web import Health


class Listener:
    """The service manager's end of the socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(10)

    def heard(self) -> list[str]:
        """The lines of one message."""
        return self.socket.recv(4096).decode().split("\n")

    def silent(self) -> bool:
        """Whether no message waits."""
        self.socket.setblocking(False)
        try:
            self.socket.recv(4096)
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(10)
        return False


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(str(tmp_path / "notify"))
    yield listener
    listener.socket.close()


def manager(tmp_path: Path, clock: ManualClock | None = None, **environ: str) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify"), **environ}, clock or ManualClock())


def test_a_start_asks_for_time_step_by_step_and_is_over_once(listener: Listener, tmp_path: Path) -> None:
    told = manager(tmp_path)

    told.starting("loading the model of stream web")
    told.ready()
    told.ready()

    assert listener.heard() == ["STATUS=loading the model of stream web", "EXTEND_TIMEOUT_USEC=120000000"]
    assert listener.heard() == ["READY=1"]
    assert listener.silent()


def test_a_reload_says_when_it_began_and_that_it_is_over(listener: Listener, tmp_path: Path) -> None:
    clock = ManualClock()
    clock.advance(7.5)
    told = manager(tmp_path, clock)
    told.ready()
    listener.heard()

    told.reloading()
    told.ready()

    assert [listener.heard(), listener.heard()] == [["RELOADING=1", "MONOTONIC_USEC=7500000"], ["READY=1"]]


def test_stopping_and_status_cannot_be_broken_by_what_is_shown(listener: Listener, tmp_path: Path) -> None:
    told = manager(tmp_path)

    told.stopping()
    told.status("not ready: stream a\nREADY=1")

    assert listener.heard()[0] == "STOPPING=1"
    assert listener.heard() == ["STATUS=not ready: stream a\\nREADY=1"]


def test_the_watchdog_is_fed_four_times_in_its_interval_and_no_oftener(listener: Listener, tmp_path: Path) -> None:
    clock = ManualClock()
    told = manager(tmp_path, clock, WATCHDOG_USEC="8000000", WATCHDOG_PID=str(os.getpid()))

    for _ in range(5):
        told.alive()
        clock.advance(1.0)

    assert [listener.heard() for _ in range(3)] == [["WATCHDOG=1"]] * 3
    assert listener.silent()


@pytest.mark.parametrize("environ", [{}, {"WATCHDOG_USEC": "8000000", "WATCHDOG_PID": "1"}])
def test_a_watchdog_that_is_not_ours_is_not_fed(listener: Listener, tmp_path: Path, environ: dict[str, str]) -> None:
    manager(tmp_path, None, **environ).alive()

    assert listener.silent()


def test_the_watchdog_is_fed_by_the_loop_that_scores_and_by_no_other(listener: Listener, tmp_path: Path) -> None:
    clock = ManualClock()
    told = manager(tmp_path, clock, WATCHDOG_USEC="8000000")
    health = Health(clock, {"scorer": told.alive})

    health.beat("reader")
    assert listener.silent()
    health.beat("scorer")

    assert listener.heard() == ["WATCHDOG=1"]


def test_an_abstract_socket_is_found(tmp_path: Path) -> None:
    name = f"@aemonitor-test-{os.getpid()}"
    listener = Listener("\0" + name[1:])

    ServiceManager({"NOTIFY_SOCKET": name}, ManualClock()).ready()

    assert listener.heard() == ["READY=1"]
    listener.socket.close()


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}])
def test_where_nobody_listens_nothing_happens(environ: dict[str, str]) -> None:
    told = ServiceManager(environ, ManualClock())

    told.starting("x")
    told.ready()
    told.stopping()


def test_the_line_for_people_has_the_rate_since_the_last_one() -> None:
    clock = ManualClock()
    throughput = Throughput(clock)
    clock.advance(4)
    assert throughput.line(Counts(scored=10), []) is None
    clock.advance(4)

    first = throughput.line(Counts(scored=8_000), [])
    clock.advance(5)
    second = throughput.line(Counts(scored=8_000, alerts=2), ["stream db has no usable model"])

    assert first == "scoring; 1,000.0 records/s, 8,000 scored, 0 alerts since the start"
    assert second == ("not ready: stream db has no usable model; 0.0 records/s, 8,000 scored, 2 alerts since the start")


def test_a_thread_shows_its_name_to_the_operating_system() -> None:
    found: list[str] = []

    def look() -> None:
        show_name()
        found.append(Path(f"/proc/self/task/{threading.get_native_id()}/comm").read_text())

    thread = threading.Thread(target=look, name="scorer")
    thread.start()
    thread.join()

    assert found == ["scorer\n"]
