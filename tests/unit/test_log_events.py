"""Log lines cannot be forged, are few when much goes wrong, and carry the right level."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.clock import ManualClock
from monitor.telemetry import Telemetry, setup_logging
from monitor.telemetry.events import BURST, WINDOW_SECONDS, Events, LogfmtFormatter, is_journal, quoted


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def log() -> Iterator[tuple[io.StringIO, logging.Logger]]:
    out, logger = io.StringIO(), logging.Logger("test")  # noqa: LOG001 - not in the tree of loggers on purpose
    handler = logging.StreamHandler(out)
    handler.setFormatter(LogfmtFormatter(journal=False))
    logger.addHandler(handler)
    yield out, logger
    handler.close()


def test_an_event_is_one_line_of_level_name_and_fields(
    clock: ManualClock, log: tuple[io.StringIO, logging.Logger]
) -> None:
    stream = Telemetry(clock, Events(clock, log[1])).stream("web")

    stream.rotated("/var/log/my app.log", "rename")
    stream.identity_reset("/a", "marker")
    stream.bytes_abandoned("/a", 12, "max_rotated_age")
    stream.file_failed("/a", PermissionError(13, "Permission denied", "/a"))

    assert log[0].getvalue().splitlines() == [
        'INFO rotated stream=web kind=rename path="/var/log/my app.log"',
        "WARNING identity_reset stream=web reason=marker path=/a",
        "ERROR bytes_abandoned stream=web reason=max_rotated_age bytes=12 path=/a",
        "WARNING file_failed stream=web reason=EACCES path=/a message=\"[Errno 13] Permission denied: '/a'\"",
    ]


def test_daemon_events_carry_the_right_level(clock: ManualClock, log: tuple[io.StringIO, logging.Logger]) -> None:
    telemetry = Telemetry(clock, Events(clock, log[1]))

    telemetry.started("http://127.0.0.1:9464")
    telemetry.device("cpu", "no GPU was found")
    telemetry.commit_failed(OSError(28, "No space left on device"))
    telemetry.committed(0.1)
    telemetry.committed(0.1)
    telemetry.delivery_failed("ops", OSError("refused"))
    telemetry.config_reloaded(ok=False, reason="a.yaml:3:1: unknown key")
    telemetry.config_reloaded(ok=True)
    telemetry.stream("web").model_refused("v7", ValueError("weights are not finite"))
    telemetry.stream("web").paused("disk full")
    telemetry.stream("web").resumed()
    telemetry.stopped()

    assert log[0].getvalue().splitlines() == [
        "INFO started url=http://127.0.0.1:9464",
        'INFO device device=cpu message="no GPU was found"',
        'ERROR commit_failed message="[Errno 28] No space left on device"',
        "INFO commit_recovered",
        "WARNING delivery_failed sink=ops message=refused",
        'ERROR config_refused message="a.yaml:3:1: unknown key"',
        "INFO config_reloaded",
        'ERROR model_refused stream=web version=v7 message="weights are not finite"',
        'WARNING paused stream=web reason="disk full"',
        "INFO resumed stream=web",
        "INFO stopped",
    ]


@pytest.mark.parametrize(
    ("given_value", "shown"),
    [
        ("plain/path.log", "plain/path.log"),
        ("", '""'),
        ("a b", '"a b"'),
        ("a=b", '"a=b"'),
        ('say "hi"', r'"say \"hi\""'),
        ("back\\slash", r'"back\\slash"'),
        ("x\nERROR forged event=1", r'"x\nERROR forged event=1"'),
        ("\x1b[31mred", r'"\x1b[31mred"'),
        ("\\n", r'"\\n"'),
        (12, "12"),
        (0.1 + 0.2, "0.3"),
        (True, "true"),
        (False, "false"),
        (None, '""'),
    ],
)
def test_values_are_quoted_where_they_must_be(given_value: str | float | bool | None, shown: str) -> None:
    assert quoted(given_value) == shown


@given(st.text(alphabet=st.characters(categories=None), max_size=80))
@settings(max_examples=150, deadline=None)
def test_no_value_leaves_its_line_or_its_quotes(hostile: str) -> None:
    shown = quoted(hostile)

    assert shown.isprintable()
    if shown.startswith('"'):
        assert shown.endswith('"')
        assert '"' not in shown[1:-1].replace("\\\\", "").replace('\\"', "")
    else:
        assert not set(shown) & set(' "=\\')


def test_alike_events_are_logged_a_few_times_and_then_counted(
    clock: ManualClock, log: tuple[io.StringIO, logging.Logger]
) -> None:
    events = Events(clock, log[1])

    for i in range(100):
        events.warning("file_failed", stream="web", reason="EIO", path=f"/{i}")
    events.warning("file_failed", stream="db", reason="EIO", path="/other")
    clock.advance(WINDOW_SECONDS)
    events.info("started")
    events.warning("file_failed", stream="web", reason="EIO", path="/again")

    lines = log[0].getvalue().splitlines()
    assert lines[:BURST] == [f"WARNING file_failed stream=web reason=EIO path=/{i}" for i in range(BURST)]
    assert lines[BURST:] == [
        "WARNING file_failed stream=db reason=EIO path=/other",
        f"WARNING events_suppressed event=file_failed stream=web reason=EIO count={100 - BURST}",
        "INFO started",
        "WARNING file_failed stream=web reason=EIO path=/again",
    ]


def test_what_was_suppressed_is_told_at_the_end_and_is_a_metric(
    clock: ManualClock, log: tuple[io.StringIO, logging.Logger]
) -> None:
    telemetry = Telemetry(clock, Events(clock, log[1]))
    for _ in range(BURST + 2):
        telemetry.stream("web").alert("odd", "warning", "ab" * 16, 1.5)

    body, _ = telemetry.scrape()
    telemetry.stopped()

    assert b"aemonitor_log_events_suppressed_total 2.0" in body
    assert log[0].getvalue().splitlines()[-2:] == [
        "INFO events_suppressed event=alert stream=web count=2",
        "INFO stopped",
    ]


def test_endless_kinds_of_events_take_bounded_memory(
    clock: ManualClock, log: tuple[io.StringIO, logging.Logger], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.telemetry.events.MOST_KINDS", 8)
    events = Events(clock, log[1])

    for i in range(50):
        events.info("paused", reason=f"reason {i}")

    assert len(events._windows) <= 8  # pyright: ignore[reportPrivateUsage]
    assert len(log[0].getvalue().splitlines()) == 50


def test_events_below_the_level_cost_nothing_and_are_not_counted(clock: ManualClock) -> None:
    logger = logging.Logger("quiet", logging.ERROR)  # noqa: LOG001 - not in the tree of loggers on purpose
    events = Events(clock, logger)

    for _ in range(20):
        events.info("alert")

    assert events.suppressed_total == 0


def test_a_traceback_is_shown_in_lines_that_cannot_pass_for_events(
    clock: ManualClock, log: tuple[io.StringIO, logging.Logger]
) -> None:
    telemetry = Telemetry(clock, Events(clock, log[1]))
    telemetry.crashed("scorer", ValueError("bad\nERROR forged a=1\n\x1b[2J"))

    first, *trace = log[0].getvalue().splitlines()
    assert first == r'ERROR crashed thread=scorer message="ValueError: bad\nERROR forged a=1\n\x1b[2J"'
    assert trace[0].startswith("    ValueError: bad")
    assert all(line.startswith("    ") and line.isprintable() for line in trace)


@pytest.fixture
def root_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("root_logging")
def test_journal_lines_carry_their_priority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        setup_logging("info", stream)
        events = Events(clock)
        events.info("started")
        events.warning("paused")
        events.error("crashed", error=ValueError("x\ny"))
        stream.seek(0)
        lines = stream.read().splitlines()

    assert lines[:3] == ["<6>INFO started", "<4>WARNING paused", "<3>ERROR crashed"]
    assert all(line.startswith("<3>    ") for line in lines[3:])


def test_an_inherited_journal_variable_is_not_believed(tmp_path: Path) -> None:
    with (tmp_path / "redirected").open("w") as stream:
        assert not is_journal(stream, "8:12345")
        assert not is_journal(stream, "")
    assert not is_journal(io.StringIO(), "8:12345")


@pytest.mark.usefixtures("root_logging")
def test_what_libraries_log_becomes_an_event_too() -> None:
    out = io.StringIO()
    setup_logging("warning", out)
    setup_logging("warning", out)

    logging.getLogger("some.library").warning("odd %s", "thing\n")
    logging.getLogger("some.library").info("chatter")

    assert out.getvalue() == 'WARNING log logger=some.library message="odd thing\\n"\n'


@pytest.mark.usefixtures("root_logging")
def test_monitoring_goes_on_when_the_log_cannot_be_written(
    clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w", buffering=1) as full_device:
        setup_logging("info", full_device)

        Events(clock).info("started", message="x" * 10)

        logging.getLogger().handlers[-1].close()
        with pytest.raises(OSError, match="No space left"):
            full_device.close()
    assert capsys.readouterr().err == ""


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="Unknown level: 'LOUD'"):
        setup_logging("loud", io.StringIO())
