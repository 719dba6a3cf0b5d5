"""What is remembered of keys goes on: over a crash, a failed commit and a new model. Real features, a real ledger."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor import plugins
from monitor.app.joining import join
from monitor.app.pipeline import Processed
from monitor.core.accounting import Counts, MemoryChange, Outcome, Position
from monitor.core.arrays import F32
from monitor.core.clock import ManualClock
from monitor.core.errors import UnavailableError
from monitor.core.protocols import Encoder
from monitor.core.records import Origin, RawBatch, RecordBatch
from monitor.core.rows import without_lines
from monitor.ingest.features import FeatureSpace
from monitor.ledger import Ledger
from monitor.runtime.byte_queue import ByteQueue, Queued
from monitor.runtime.scorer import Scorer
from monitor.telemetry import Telemetry
from monitor.web import Health
from tests.encoding import encoder
from tests.records import part, records

BATCH = 4
"""Records of a batch: too few for all the keys that are remembered."""

GAP = ("gap", encoder("interarrival", "gap", max_keys=4))
OTHER_GAP = ("gap", encoder("interarrival", "gap", max_keys=5))
LEVEL = ("level", encoder("streaming", "level", max_keys=4))


def visits(count: int) -> RecordBatch:
    """Records of five keys, one more than is remembered, in no regular order."""
    rng = np.random.default_rng(3)
    keys = [f"host {key}" for key in rng.integers(0, 5, count)]
    times = np.cumsum(rng.exponential(size=count)).tolist()
    return records(level=rng.normal(size=count).tolist(), times=times, keys=keys)


class Model:
    """The part of a pipeline that encodes; ``rows`` is what it made of each batch. Batches are told by their offset."""

    def __init__(self, *encoders: tuple[str, Encoder]) -> None:
        learned = FeatureSpace.fit(dict(encoders), visits(300))
        self.features = FeatureSpace.restore(learned.state(), lambda kind: plugins.module("encoders", kind))
        self.memories = self.features.memories
        self.take_over = self.features.take_over
        self.learned: list[MemoryChange] = []
        self.rows: list[F32] = []

    def process(self, raw: RawBatch, prepared: object = None) -> Processed:
        assert prepared is None
        batch = part(visits(100), raw.next_offset, raw.next_offset + BATCH)
        self.rows.append(self.features.encode(batch).values)
        changes = self.features.memory_changes()
        self.learned += changes
        outcome = Outcome("web", (), Counts(read=BATCH, scored=BATCH), memories=changes)
        return Processed(outcome, np.zeros(BATCH), np.zeros(BATCH), None, {})

    def join(self, changes: Sequence[MemoryChange]) -> tuple[list[MemoryChange], dict[str, str]]:
        return join(changes, self.memories(), self.take_over)

    def idle(self, *, ending: bool = False) -> None:
        """Nothing is known but what came."""


class Flaky:
    """A ledger on a disk that is full for as long as it is told to be."""

    def __init__(self, ledger: Ledger) -> None:
        self.memories = ledger.memories
        self.full = False
        self.refused = threading.Event()
        self._ledger = ledger

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        if self.full:
            self.refused.set()
            raise UnavailableError("the disk is full")
        self._ledger.commit(outcomes)


class Life:
    """One run of a scorer on a state directory. At its end nothing is committed any more, as after kill -9."""

    def __init__(self, state_dir: Path) -> None:
        clock = ManualClock()
        self.ledger = Ledger.open(state_dir)
        self.disk = Flaky(self.ledger)
        self.queue = ByteQueue(1 << 20)
        self.failures: list[BaseException] = []
        self.scorer = Scorer(
            self.queue, self.disk, Telemetry(clock), Health(clock), clock,
            max_records=2 * BATCH, failed=self.failures.append, committed=lambda *_: None,
        )  # fmt: skip

    def __enter__(self) -> Life:
        self.scorer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.scorer.stop()
        self.scorer.join(30)
        self.ledger.close()
        assert not self.failures

    def use(self, model: Model) -> None:
        self.scorer.swap({"web": model})

    def put(self, *batches: int) -> None:
        zeros = np.zeros(BATCH, dtype=np.int64)
        for number in batches:
            self.queue.put(Queued("web", replace(without_lines(), starts=zeros, next_offset=BATCH * number)))

    def score(self, *batches: int) -> None:
        """Returns when they are committed."""
        self.put(*batches)
        assert self.queue.drained(30)

    def remembered(self) -> dict[str, Any]:
        """What the ledger has."""
        return {name: memory.state() for name, memory in self.ledger.memories("web").items()}


def life_of(state_dir: Path, model: Model, *batches: int) -> dict[str, Any]:
    """What is in the ledger after a run that nothing disturbs."""
    with Life(state_dir) as life:
        life.use(model)
        life.score(*batches)
        return life.remembered()


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record for record in caplog.records if record.msg == "memory_dropped"]
    assert {record.levelname for record in found} <= {"WARNING"}
    fields: list[dict[str, str]] = [vars(record)["fields"] for record in found]
    assert {each["stream"] for each in fields} <= {"web"}
    return [f"{each['feature']}: {each['reason']}" for each in fields]


@pytest.mark.parametrize("committed", [0, 1, 2, 3])
def test_after_a_crash_scoring_goes_on_as_if_there_had_been_none(tmp_path: Path, committed: int) -> None:
    before, after = Model(GAP, LEVEL), Model(GAP, LEVEL)
    with Life(tmp_path) as killed:
        killed.use(before)
        killed.score(*range(committed))
        killed.disk.full = True
        killed.put(committed)
        assert killed.disk.refused.wait(30)  # encoded, but not committed
    with Life(tmp_path) as life:
        life.use(after)
        life.score(*range(committed, 6))
        assert life.remembered() == after.features.keyed_state()

    whole = Model(GAP, LEVEL)
    life_of(tmp_path / "whole", whole, *range(6))
    np.testing.assert_array_equal(before.rows[:committed] + after.rows, whole.rows)


def test_a_new_model_goes_on_with_what_is_remembered_also_while_a_commit_fails(tmp_path: Path) -> None:
    before, after = Model(GAP, LEVEL), Model(LEVEL, GAP)
    with Life(tmp_path) as life:
        life.use(before)
        life.score(0, 1)
        life.disk.full = True
        life.put(2)
        assert life.disk.refused.wait(30)
        life.use(after)
        life.disk.full = False
        life.score(3, 4, 5)
        assert life.remembered() == after.features.keyed_state()

    assert before.features.layout != after.features.layout
    whole = Model(LEVEL, GAP)
    life_of(tmp_path / "whole", whole, *range(6))
    np.testing.assert_array_equal(after.rows, whole.rows[3:])


@pytest.mark.parametrize("restarted", [False, True])
def test_a_feature_with_other_options_begins_empty_and_its_rows_go_with_the_next_commit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, restarted: bool
) -> None:
    before, after = Model(GAP, LEVEL), Model(OTHER_GAP, LEVEL)
    with ExitStack() as stack:
        life = stack.enter_context(Life(tmp_path))
        life.use(before)
        life.score(0, 1)
        old = life.remembered()
        if restarted:
            stack.pop_all().close()
            life = stack.enter_context(Life(tmp_path))

        life.use(after)
        not_yet = life.remembered()
        life.score(2)

        assert not_yet == old
        assert life.remembered() == after.features.keyed_state()
    assert events(caplog) == ["gap: the feature's kind, field or options are others now"]
    assert life_of(tmp_path / "anew", Model(OTHER_GAP), 2)["gap"] == after.features.keyed_state()["gap"]
    assert life_of(tmp_path / "on", Model(LEVEL), 0, 1, 2)["level"] == after.features.keyed_state()["level"]


def test_what_a_feature_that_is_gone_remembered_goes_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Life(tmp_path) as life:
        life.use(Model(GAP, LEVEL))
        life.score(0)
        life.use(Model(LEVEL))
        life.score(1)

        assert set(life.remembered()) == {"level"}
    assert events(caplog) == ["gap: the model has no such feature any more"]


def test_damaged_memory_begins_empty_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    life_of(tmp_path, Model(GAP, LEVEL), 0)
    connection = sqlite3.connect(tmp_path / "ledger.sqlite3")
    connection.execute("UPDATE remembered SET numbers = x'00' WHERE memory = 1")  # not one double
    connection.execute("UPDATE remembered SET numbers = zeroblob(8) WHERE memory = 2")  # one double, not four
    connection.commit()
    connection.close()

    after = life_of(tmp_path, Model(GAP, LEVEL), 1)

    assert events(caplog) == [
        "gap: remembered keys: a row of the ledger is damaged: unpack requires a buffer of 0 bytes",
        "level: remembered keys: not 4 finite numbers for each of 3 keys",
    ]
    assert after == life_of(tmp_path / "anew", Model(GAP, LEVEL), 1)


def test_a_stream_taken_off_and_put_back_goes_on_with_what_is_in_the_ledger(tmp_path: Path) -> None:
    with Life(tmp_path) as life:
        life.use(Model(GAP))
        life.score(0)
        life.use(Model(OTHER_GAP))  # which nothing is ever scored with
        life.scorer.remove("web")
        life.use(Model(GAP))
        life.score(1)

        assert life.remembered() == life_of(tmp_path / "whole", Model(GAP), 0, 1)


ARRIVED = Position(Origin("kafka:readings/3", 0, "kafka:readings/3"), 12, b"")


@pytest.mark.parametrize("restarted", [False, True])
def test_what_another_daemon_remembered_is_gone_on_with(tmp_path: Path, restarted: bool) -> None:
    before, after = Model(GAP, LEVEL), Model(GAP, LEVEL)
    life_of(tmp_path / "other", before, 0, 1, 2)
    with ExitStack() as stack:
        life = stack.enter_context(Life(tmp_path / "own"))
        life.use(Model(GAP, LEVEL) if restarted else after)
        life.queue.put(Queued("web", sightings=(ARRIVED,), memories=before.learned))
        assert life.queue.drained(30)
        if restarted:
            stack.pop_all().close()
            life = stack.enter_context(Life(tmp_path / "own"))
            life.use(after)
        life.score(3, 4, 5)

        assert life.remembered() == after.features.keyed_state()
        assert [(each.origin, each.offset) for each in life.ledger.resume("web")] == [(ARRIVED.origin, ARRIVED.offset)]

    whole = Model(GAP, LEVEL)
    life_of(tmp_path / "whole", whole, *range(6))
    np.testing.assert_array_equal(after.rows, whole.rows[3:])


def test_what_another_daemon_remembers_otherwise_is_told_and_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before, after = Model(OTHER_GAP, LEVEL), Model(GAP)
    life_of(tmp_path / "other", before, 0)
    with Life(tmp_path / "own") as life:
        life.use(after)
        life.score(0)
        held = life.remembered()
        life.queue.put(Queued("web", sightings=(ARRIVED,), memories=before.learned))
        assert life.queue.drained(30)

        assert life.remembered() == held == after.features.keyed_state()
    other = "another daemon of the group has it with another kind, field or options"
    assert events(caplog) == [f"gap: {other}", f"level: {other}"]
