"""What the ledger, and who shows it, make of records that are a broker's messages and stand in no file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from monitor.cli import execute
from monitor.core.accounting import Counts, Outcome, Position
from monitor.core.alerts import SourceRef
from monitor.core.records import Origin
from monitor.ledger import Ledger
from tests.support_files import alert

ORIGIN = Origin("kafka:orders/3@id", 0, "kafka:orders/3")
CONFIG = """
state_dir: {state}
streams:
  web:
    source: {{kafka: {{brokers: ["127.0.0.1:1"], topics: [orders]}}}}
    parser: json_lines
    features: {{a: numeric}}
"""


def delivered(next_number: int, *alerts: int, read: int = 10) -> Outcome:
    """A batch of messages, with the alerts of some of them."""
    counts = Counts(read=read, scored=read, bytes=read * 100, alerts=len(alerts))
    return Outcome("web", (Position(ORIGIN, next_number, b""),), counts, [alert(number) for number in alerts])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "aemonitor.yaml"
    path.write_text(CONFIG.format(state=tmp_path / "state"))
    return path


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "state") as opened:
        opened.register(["ops"])
        yield opened


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command; what it wrote."""

    def run(*arguments: str, code: int = 0) -> str:
        status = execute(list(arguments))
        written = capsys.readouterr()
        assert status == code, written
        return written.out + written.err

    return run


def test_messages_are_accounted_for_without_a_file(ledger: Ledger, config: Path, said: Callable[..., str]) -> None:
    ledger.commit([delivered(10)])
    ledger.commit([delivered(25)])

    told = said("verify", "-c", str(config))

    assert "20 read = 20 scored" in told
    assert "kafka:orders/3 epoch 0 up to message 25" in told
    assert "20 records of messages, which stand in no file: no proof by file" in told
    assert "proven" in told


def test_the_state_of_a_partition_is_told_by_message(ledger: Ledger, config: Path, said: Callable[..., str]) -> None:
    ledger.commit([delivered(10)])

    told = said("state", "show", "-c", str(config))

    assert "  kafka:orders/3  epoch 0  message 10  committed " in told
    assert "gone" not in told


def test_a_message_that_comes_again_is_counted_again_and_its_alert_sent_once(ledger: Ledger) -> None:
    ledger.commit([delivered(10, 1)])

    ledger.commit([delivered(10, 1, 2)])

    assert [msgspec.json.decode(body)["id"] for _, body in ledger.pending("ops")] == [alert(1).id, alert(2).id]
    assert ledger.counts("web").read == 20
    assert ledger.duplicate_alerts("web") == 1


def test_a_place_that_a_broker_keeps_too_can_be_forgotten_and_not_set(
    ledger: Ledger, config: Path, said: Callable[..., str]
) -> None:
    ledger.commit([delivered(10)])
    ledger.close()
    reset = ("state", "reset", "-c", str(config), "--stream", "web")

    for to in ("beginning", "end"):
        assert "kafka:orders/3 is no file" in said(*reset, "--to", to, code=2)
    assert "there is nothing to adopt" in said("state", "adopt", "-c", str(config), "--stream", "web",
                                               ORIGIN.path, str(config), code=2)  # fmt: skip
    assert "kafka:orders/3 (message 10 of epoch 0) is forgotten" in said(*reset, "--yes")


def test_where_a_message_stands_is_told_by_its_number() -> None:
    assert SourceRef(ORIGIN.path, 1200, ORIGIN.file_id).text() == "kafka:orders/3, message 1,200"
    assert SourceRef("/var/log/x", 1200, replace(ORIGIN, file_id="0b7e").file_id).text() == "/var/log/x, byte 1,200"
