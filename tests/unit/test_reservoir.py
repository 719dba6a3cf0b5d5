"""A reservoir survives restarts, damage and full disks, and costs no scoring."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from monitor.core.clock import ManualClock
from monitor.core.records import Field, FieldType, Origin
from monitor.core.rows import places_only
from monitor.reservoir.columns import HASH, Sampled, numbers
from monitor.reservoir.files import Day, read_days
from monitor.reservoir.keeper import Keeper
from monitor.reservoir.reservoir import Reservoir
from monitor.reservoir.sample import Limits
from monitor.telemetry import Telemetry
from tests.records import records

MS, NOTE = Field("ms", FieldType.NUMBER), Field("note", FieldType.TEXT)
LIMITS = Limits(24_000, 10**7, 30)
HOUR = 3600.0


@pytest.fixture
def opened(tmp_path: Path, telemetry: Telemetry) -> Callable[..., Reservoir]:
    def open_(fields: tuple[Field, ...] = (MS,)) -> Reservoir:
        return Reservoir(tmp_path / "web", fields, LIMITS, telemetry.stream("web"), now=5.0)

    return open_


def offer(reservoir: Reservoir, count: int, hour: int = 0, file_id: str = "f") -> None:
    raw = places_only(Origin(f"{file_id}{hour}", 0, "a.log"), count)
    times = np.full(count, hour * HOUR)
    batch = records({MS: [1.0] * count, NOTE: ["n"] * count}, times=times.tolist())
    spans = (times // HOUR).astype(np.int64)
    reservoir.add(Sampled(raw, np.arange(count), batch, times, spans, reservoir.hashes(raw), times))


def hashes(directory: Path) -> list[int]:
    days = [day for _, day in read_days(directory, [MS])]
    return sorted(hash_ for day in days if isinstance(day, Day) for hash_ in numbers(day.table, HASH).tolist())


def metric(telemetry: Telemetry, name: str) -> float:
    line = f'aemonitor_reservoir_{name}{{stream="web"}} '
    return float(telemetry.scrape()[0].decode().split(line)[1].split("\n")[0])


def test_a_sample_goes_on_after_a_restart_and_knows_its_records_again(
    tmp_path: Path, opened: Callable[..., Reservoir]
) -> None:
    first = opened()
    offer(first, 3000)
    first.save(7.0)
    kept = hashes(tmp_path / "web")

    again = opened()
    offer(again, 3000)
    again.save(8.0)

    assert (len(kept), again.newest) == (1000, 0)
    assert hashes(tmp_path / "web") == kept


def test_a_day_is_a_file_and_only_what_changed_is_written(tmp_path: Path, opened: Callable[..., Reservoir]) -> None:
    reservoir = opened()
    offer(reservoir, 5)
    offer(reservoir, 5, hour=24)
    reservoir.save(7.0)
    before = {path.name: path.stat().st_ino for path in (tmp_path / "web").glob("*.parquet")}

    offer(reservoir, 3, hour=24, file_id="g")
    reservoir.save(8.0)

    after = {path.name: path.stat().st_ino for path in (tmp_path / "web").glob("*.parquet")}
    assert before.keys() == after.keys() == {"1970-01-01.parquet", "1970-01-02.parquet"}
    assert [name for name in before if before[name] != after[name]] == ["1970-01-02.parquet"]


def test_days_out_of_sight_are_deleted_and_what_is_not_ours_stays(
    tmp_path: Path, opened: Callable[..., Reservoir]
) -> None:
    reservoir = opened()
    offer(reservoir, 5)
    reservoir.save(7.0)
    (tmp_path / "web" / "notes.parquet").write_text("mine")

    offer(reservoir, 5, hour=31 * 24)
    reservoir.save(8.0)

    assert {path.name for path in (tmp_path / "web").glob("*.parquet")} == {"1970-02-01.parquet", "notes.parquet"}


def damaged(path: Path) -> str:
    path.write_bytes(path.read_bytes()[:100])
    return "damaged"


def other_layout(path: Path) -> str:
    pq.write_table(pq.ParquetFile(path).read().replace_schema_metadata({"aemonitor.layout": "v0"}), path)
    return "its layout is not aemonitor.reservoir/v1"


def empty(path: Path) -> str:
    path.write_bytes(b"")
    return "damaged"


@pytest.mark.parametrize("harm", [damaged, other_layout, empty])
def test_a_file_that_cannot_be_used_is_told_of_and_costs_its_day(
    harm: Callable[[Path], str], tmp_path: Path, opened: Callable[..., Reservoir], caplog: pytest.LogCaptureFixture
) -> None:
    first = opened()
    offer(first, 5)
    offer(first, 7, hour=24)
    first.save(7.0)
    reason = harm(tmp_path / "web" / "1970-01-01.parquet")

    with caplog.at_level(logging.WARNING):
        opened().save(8.0)

    told = [record.fields for record in caplog.records if record.msg == "reservoir_skipped"]  # type: ignore[attr-defined]
    assert [reason in fields["reason"] for fields in told] == [True]
    assert len(hashes(tmp_path / "web")) == 7


def test_records_kept_for_other_features_are_passed_over(tmp_path: Path, opened: Callable[..., Reservoir]) -> None:
    first = opened()
    offer(first, 5)
    first.save(7.0)

    (found,) = read_days(tmp_path / "web", [MS, NOTE])

    assert found[1] == "kept for other features, without text:note"
    assert len(hashes(tmp_path / "web")) == 5


def test_a_disk_that_fails_is_counted_and_the_next_save_makes_up_for_it(
    tmp_path: Path, opened: Callable[..., Reservoir], telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "web").write_text("in the way")
    reservoir = opened()
    offer(reservoir, 5)

    with caplog.at_level(logging.WARNING):
        reservoir.save(7.0)
    failed = metric(telemetry, "errors_total")
    (tmp_path / "web").unlink()
    reservoir.save(8.0)

    assert (failed, metric(telemetry, "records")) == (1, 5)
    assert [record.msg for record in caplog.records] == ["reservoir_failed"]
    assert metric(telemetry, "last_save_timestamp_seconds") == 8.0
    assert metric(telemetry, "bytes") == 40


def test_the_keeper_opens_a_reservoir_once_and_saves_it_at_the_end(tmp_path: Path, telemetry: Telemetry) -> None:
    keeper = Keeper(tmp_path, telemetry, ManualClock())
    keeper.start()
    first = keeper.reservoir("web", [MS], LIMITS)
    offer(first, 5)

    assert keeper.reservoir("web", [MS], Limits(48_000, 10**7, 30)) is first
    keeper.close()
    keeper.close()

    assert len(hashes(tmp_path / "web")) == 5
    assert keeper.reservoir("web", [MS], LIMITS, stretches=True) is not first
    assert keeper.reservoir("web", [MS, NOTE], LIMITS) is not first


def test_the_keeper_saves_now_and_then(tmp_path: Path, telemetry: Telemetry) -> None:
    keeper = Keeper(tmp_path, telemetry, ManualClock(), save_seconds=0.01)
    offer(keeper.reservoir("web", [MS], LIMITS), 5)
    saved = tmp_path / "web" / "1970-01-01.parquet"

    keeper.start()
    try:
        while not saved.exists():  # the test's own time limit ends it
            pass
    finally:
        keeper.close()

    assert len(hashes(tmp_path / "web")) == 5
