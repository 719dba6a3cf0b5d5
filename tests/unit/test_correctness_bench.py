"""The correctness benchmark counts what is lost, double or torn, and none of its rotations can be a no-op."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from correctness import at_receiver, block, line, tally, wrapped
from correctness_subject import Log


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    opened = Log(tmp_path / "app.log")
    opened.write(block(line, 0, 10))
    yield opened
    opened.close()


def test_what_is_lost_double_or_foreign_is_counted() -> None:
    found = tally(range(5), Counter({0: 1, 1: 3, 2: 1, 9: 1}), torn=1)

    assert (found.lost, found.double, found.torn, found.passed) == (2, 2, 2, False)
    assert tally(range(3), Counter(range(3)), torn=0).passed


@pytest.mark.parametrize("make", [line, wrapped])
def test_an_alert_counts_only_with_the_line_that_was_written(tmp_path: Path, make: Callable[[int], bytes]) -> None:
    raws = [make(0), make(50), make(50), make(100)[:-4] + b"}}\n"]
    receiver = tmp_path / "alerts.jsonl"
    receiver.write_text("".join(json.dumps({"raw": raw.decode().rstrip()}) + "\n" for raw in raws))

    found = at_receiver([receiver], make, lines=200)

    assert (found.expected, found.lost, found.double, found.torn) == (4, 2, 1, 1)


def test_the_log_keeps_every_byte_of_every_life(tmp_path: Path, log: Log) -> None:
    log.rename(line(10))
    log.write(line(11))
    log.copytruncate(line(12))
    log.write(line(13))
    log.truncate()

    assert [bytes(life) for life in log.kept] == [block(line, 0, 11), block(line, 11, 13), line(13), b""]
    assert (tmp_path / "app.log.1").read_bytes() == log.kept[0]
    assert (tmp_path / "app.log.2").read_bytes() == log.kept[1]


def test_a_rename_that_does_nothing_is_noticed(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    def only_link(old: Path, new: Path) -> None:
        os.link(old, new)

    monkeypatch.setattr(Path, "rename", only_link)

    with pytest.raises(AssertionError, match="the rename had no effect"):
        log.rename(line(10))


def test_a_copy_that_does_nothing_is_noticed(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.copyfile", lambda _, new: Path(new).touch())

    with pytest.raises(AssertionError, match="the copy had no effect"):
        log.copytruncate(line(10))


def test_a_truncation_that_does_nothing_is_noticed(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "truncate", lambda *_: None)

    with pytest.raises(AssertionError, match="the truncation had no effect"):
        log.truncate()
