"""Which records a training gets, in which order, and what it is told of them; how they got into the sample."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.app.benign import paced
from monitor.app.compose import sampler_of
from monitor.app.sampling import AHEAD_SECONDS, LOOK_BATCHES
from monitor.core.clock import ManualClock
from monitor.core.errors import NoInputError
from monitor.deciding.episode import Policy
from monitor.deciding.episodes import Episodes
from monitor.plugins import load_config
from monitor.reservoir.keeper import Keeper
from monitor.telemetry import Telemetry
from tests.records import records
from tests.sampling import CONFIG, NOW, World

DAY = "2023-11-14"


def line(ms: float, at: str = f"{DAY} 10:00:00", host: str | None = "a") -> str:
    return json.dumps({"ms": ms, "at": at, "host": host, "note": "n"})


def lines(count: int, first: int = 0) -> list[str]:
    return [
        line(ms, f"{DAY} {10 + ms // 3600}:{ms // 60 % 60:02d}:{ms % 60:02d}") for ms in range(first, first + count)
    ]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def write(path: Path, texts: Sequence[str]) -> Path:
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


def test_a_sample_with_enough_records_is_learned_and_told_of(world: World) -> None:
    world.offer(lines(1200))

    assert world.learned() == [float(ms) for ms in range(1200)]
    assert world.said == [
        "web: reservoir: 1,200 records from 2023-11-14 10:00+00:00 to 2023-11-14 10:19+00:00, of about 86,472 a day"
    ]


def test_with_too_few_the_files_are_learned_and_it_is_told(world: World) -> None:
    world.offer(lines(20))
    write(world.root / "app.log", [line(1000)])

    assert world.learned() == [1000.0]
    assert world.said == ["web: reservoir: left out: 20 records, under 1,000; reading files"]


def test_inputs_alone_are_learned_alone(world: World) -> None:
    world.offer(lines(1200))

    assert world.learned([write(world.root / "other.log", [line(7)])]) == [7.0]
    assert world.said == []


def test_a_sample_and_inputs_come_in_the_order_of_time(world: World) -> None:
    world.offer(lines(20, first=100))

    early = write(world.root / "early.log", [line(1, f"{DAY} 09:00:00")])
    late = write(world.root / "late.log", [line(2, f"{DAY} 23:00:00")])

    assert world.learned([early, late], reservoir=True) == [1.0, *map(float, range(100, 120)), 2.0]


def test_without_sample_and_files_nothing_can_be_learned(world: World) -> None:
    with pytest.raises(NoInputError, match=r"stream web: no file matches .*give benign records with --input FILE"):
        world.learned()
    with pytest.raises(NoInputError, match="the reservoir has no record to learn from; the daemon fills it"):
        world.learned(reservoir=True)


def test_a_reservoir_that_is_off_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "aemonitor.yaml"
    path.write_text(
        CONFIG.format(root=tmp_path, extra="", features="{ms: numeric}", most=48000).replace(
            "max_records: 48000", "enabled: false"
        )
    )
    stream, clock = load_config(path).streams["web"], ManualClock(NOW)

    keeper = Keeper(tmp_path, Telemetry(clock), clock)

    assert sampler_of("web", stream, Episodes(Policy(60.0), clock), clock, keeper) is None


def test_the_rate_is_that_of_the_stream_and_not_of_the_sample(world: World) -> None:
    world.offer(lines(6000))  # of which 2,000 are kept, one a second
    world.keeper.save()

    rate = paced(world.stream, world.kept()).alert.records_per_day

    assert rate == pytest.approx(86_400, rel=0.1)
    assert paced(world.stream, world.kept([Path("x")])) is world.stream


def test_a_rate_that_is_configured_is_believed(tmp_path: Path) -> None:
    world = World(tmp_path, "alert: {records_per_day: 5}")
    world.offer(lines(1200))
    world.keeper.save()

    assert paced(world.stream, world.kept()) is world.stream


def test_only_benign_records_with_a_time_that_can_be_true_get_in(world: World) -> None:
    ahead = "2023-11-15 00:00:00"
    assert ManualClock(NOW).now() + AHEAD_SECONDS < 1_700_006_400  # that time
    texts = [line(1), line(2), "no json", line(4, ahead), line(5, "when?"), line(6)]

    world.offer(texts, [0.5, 1.5, 0.5, 0.5, 0.5, 1.0])

    assert world.learned(reservoir=True) == [1.0, 6.0]


def test_records_of_a_key_that_alerts_are_left_out(world: World) -> None:
    begun = 1_699_956_000.0  # 10:00
    world.episodes.begun(records(ms=[1.0], times=[begun], keys=["a"]))

    world.offer([line(1, f"{DAY} 10:00:59"), line(2, f"{DAY} 10:01:01"), line(3, f"{DAY} 10:00:59", "b")])

    assert world.learned(reservoir=True) == [3.0, 2.0]


def test_a_new_hour_is_noticed_however_few_of_its_records_are_below_the_bound_of_the_last(world: World) -> None:
    for part in range(20):
        world.offer(lines(180, first=180 * part), file_id=f"f{part}")  # 3,600, of which 2,000 are kept

    for part in range(LOOK_BATCHES):
        texts = [line(5000 + 40 * part + number, f"{DAY} 11:00:00") for number in range(40)]
        world.offer(texts, file_id=f"g{part}")

    last = 5000 + 40 * (LOOK_BATCHES - 1)
    assert {float(ms) for ms in range(last, last + 40)} <= set(world.learned(reservoir=True))
