"""The made-up month of the retraining bench: what grows, what rises and falls, and which records are an attack."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
from thirty_days_traffic import (
    DRIFT,
    PROBES,
    SCANNED_ON,
    STOLEN_ON,
    TAKEN,
    attack,
    midnight,
    rows_of,
    traffic,
)

MONTH = range(1, 31)


def attacks(table: pa.Table) -> dict[str | None, int]:
    kinds = [attack(*pair) for pair in zip(table["client"].to_pylist(), table["path"].to_pylist(), strict=True)]
    return {kind: kinds.count(kind) for kind in set(kinds)}


def test_a_month_has_as_many_records_as_asked_and_weekends_have_half() -> None:
    rows = [rows_of(day, 1_000_000, 30) for day in MONTH]

    assert abs(sum(rows) - 1_000_000) < 30
    assert abs(rows[6] / rows[0] - 0.5 * DRIFT**6) < 1e-4  # Sunday and Monday


def test_a_day_is_in_order_and_within_itself() -> None:
    times = traffic(3, 1000)["time"].to_pylist()

    assert times == sorted(times)
    assert times[0] >= "2026-01-07T00:00:00.000Z"
    assert times[-1] < "2026-01-08T00:00:00.000Z"
    assert datetime.fromtimestamp(midnight(3), UTC).isoformat() == "2026-01-08T00:00:00+00:00"


def test_each_attack_is_in_its_day_and_nowhere_else() -> None:
    assert attacks(traffic(SCANNED_ON, 500)) == {None: 500, "scanner": PROBES}
    assert attacks(traffic(STOLEN_ON, 500)) == {None: 500, "exfiltration": TAKEN}
    assert attacks(traffic(1, 5000)) == {None: 5000}


def test_sizes_and_durations_grow_by_a_hundredth_a_day() -> None:
    early, late = traffic(1, 20_000), traffic(30, 20_000)

    for name in ("bytes", "request_bytes", "duration_ms"):
        grown = pc.quantile(late[name], 0.5)[0].as_py() / pc.quantile(early[name], 0.5)[0].as_py()
        assert abs(grown - DRIFT**29) < 0.08, name
