"""Streams whose features remember what came before keep whole stretches, and learn from them as from the log itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from msgspec import structs

from monitor.app.benign import chosen, paced
from monitor.app.gates.feedback import framed
from monitor.app.sampling import LOOK_BATCHES, warm_ups
from monitor.core.errors import NoInputError
from monitor.core.records import FieldType, Origin, RecordBatch
from monitor.core.rows import joined, keep, lines_of
from monitor.core.warm_up import WarmUp
from monitor.plugins import load_config
from monitor.reservoir.files import STRETCHES_LAYOUT
from monitor.training.gathering import gather
from tests.records import records
from tests.sampling import CONFIG, World
from tests.unit.test_feedback import alert, say

BEGUN = 1_699_920_000.0  # 2023-11-14 00:00
WINDOW = "{ms: {window: {length: 5}}}"
"""Remembers four records."""


def line(number: int, host: str = "a", seconds: float = 60.0) -> str:
    at = datetime.fromtimestamp(BEGUN + number * seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return json.dumps({"ms": float(number), "at": at, "host": host, "note": "n"})


def lines(*numbers: int, host: str = "a", seconds: float = 60.0) -> list[str]:
    return [line(number, host, seconds) for number in numbers]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, features=WINDOW)


def learned(batches: Sequence[RecordBatch]) -> list[float]:
    """The values of ``ms`` that are learned, and not only remembered."""
    return [
        float(value)
        for batch in batches
        if batch.warming is not None and batch.apart is not None
        for value in np.array(batch.column("ms", FieldType.NUMBER))[batch.ok & ~batch.warming & ~batch.apart]
    ]


def batches(world: World, inputs: Sequence[Path] = ()) -> list[RecordBatch]:
    return world.batches(inputs, reservoir=True)


def test_the_beginning_of_a_stretch_is_remembered_and_not_learned(world: World) -> None:
    world.offer(lines(*range(20)))

    found = batches(world)

    assert learned(found) == [float(number) for number in range(4, 20)]
    assert [len(batch) for batch in found] == [20]
    (said,) = world.said
    assert said.startswith("web: reservoir: 16 records from 2023-11-14 00:00+00:00 to 2023-11-14 00:19+00:00, of about")
    assert said.endswith(" 1,516 a day, and 4 that only tell what came before")


def test_each_key_has_stretches_of_its_own(world: World) -> None:
    world.offer([text for number in range(8) for text in (line(number), line(100 + number, "b"))])

    assert sorted(learned(batches(world))) == [4.0, 5.0, 6.0, 7.0, 104.0, 105.0, 106.0, 107.0]


def test_a_stretch_goes_on_over_midnight(world: World) -> None:
    world.clock.advance(200_000)
    world.offer(lines(*range(20), seconds=7200.0))

    found = batches(world)

    assert [len(batch) for batch in found] == [12, 8]
    assert learned(found) == [float(number) for number in range(4, 20)]


def test_what_alerts_is_not_learned_and_memories_recover_behind_it(world: World) -> None:
    world.offer(lines(*range(20)), [9.0 if number == 10 else 0.5 for number in range(20)])

    (found,) = batches(world)

    assert learned([found]) == [4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 15.0, 16.0, 17.0, 18.0, 19.0]
    assert found.apart is not None
    assert np.flatnonzero(found.apart).tolist() == [10, 11, 12, 13, 14]
    assert found.ok.all()


def test_what_people_called_an_anomaly_is_not_even_remembered(world: World) -> None:
    world.offer(lines(*range(20)))
    world.keeper.save()
    told = structs.replace(alert(7, raw=line(10)), time="2023-11-14T00:10:00.000Z")
    say(world.root / "state", "anomaly", told)

    (found,) = batches(world)

    assert np.flatnonzero(~found.ok).tolist() == [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    assert learned([found]) == [4.0]


def test_a_key_that_alerts_is_left_out_until_that_is_over(world: World) -> None:
    world.episodes.begun(records(ms=[1.0], times=[BEGUN + 600.0], keys=["a"]))

    world.offer(lines(*range(20)))  # the gap is a minute

    assert learned(batches(world)) == [4.0, 5.0, 6.0, 7.0, 8.0, 16.0, 17.0, 18.0, 19.0]


def test_after_a_restart_a_stretch_begins_anew(world: World) -> None:
    world.offer(lines(*range(10)))
    world.keeper.save()
    world.begin()
    world.offer(lines(*range(10, 20)), file_id="g")

    assert learned(batches(world)) == [*map(float, range(4, 10)), *map(float, range(14, 20))]


def test_what_a_kill_loses_is_not_learned_over(world: World) -> None:
    world.offer(lines(*range(10)))
    world.keeper.save()
    world.offer(lines(*range(10, 15)), file_id="g")  # and is killed, after the commit
    world.begin()
    world.offer(lines(*range(15, 25)), file_id="h")

    assert learned(batches(world)) == [*map(float, range(4, 10)), *map(float, range(19, 25))]


def test_what_is_read_again_after_a_kill_is_known_again(world: World) -> None:
    world.offer(lines(*range(10)))
    world.keeper.save()
    world.begin()
    world.offer(lines(*range(10)))

    found = batches(world)

    assert learned(found) == [*map(float, range(4, 10))]
    assert sum(map(len, found)) == 10


def test_a_kill_and_what_is_read_again_leave_no_trace_in_a_thinned_sample(tmp_path: Path) -> None:
    texts = [line(minute, f"h{host}") for minute in range(400) for host in range(12)]

    def kept(name: str, parts: Sequence[tuple[int, int]]) -> list[float]:
        root = tmp_path / name
        (root / "state" / "reservoir" / "web").mkdir(parents=True)
        (root / "state" / "reservoir" / "web" / "key").write_bytes(b"k" * 16)
        world = World(root, features=WINDOW, most=2000)
        for start, stop in parts:
            raw = framed(texts)
            rows = np.arange(start, stop)
            for _ in range(LOOK_BATCHES):  # or the last of them would wait
                world.offer_raw(replace(lines_of(raw, rows), origin=Origin("f", 0, "app.log")))
            world.keeper.save()
            world.begin()
        return sorted(world.learned(reservoir=True))

    whole = kept("whole", [(0, 4800)])

    assert 600 < len(whole) <= 1000
    assert kept("killed", [(0, 2000), (1500, 3000), (2999, 4800)]) == whole


def test_a_model_that_is_swapped_breaks_stretches_off(world: World) -> None:
    world.offer(lines(*range(10)))
    world.swap()
    world.offer(lines(*range(10, 20)), file_id="g")

    assert learned(batches(world)) == [*map(float, range(4, 10)), *map(float, range(14, 20))]


def test_records_that_were_passed_over_break_stretches_off(world: World) -> None:
    world.offer(lines(*range(10)))
    raw = replace(framed(lines(*range(10, 15))), origin=Origin("g", 0, "app.log"), sampled_out=3)
    world.offer_raw(raw)
    world.offer(lines(*range(15, 25)), file_id="h")

    assert learned(batches(world)) == [*map(float, range(4, 10)), *map(float, range(19, 25))]


def test_a_stream_without_key_and_time_has_stretches_too(tmp_path: Path) -> None:
    path = tmp_path / "plain"
    path.mkdir()
    world = World(path, features=WINDOW)
    text = (path / "aemonitor.yaml").read_text().splitlines()
    bare = [line for line in text if not line.strip().startswith(("time:", "key:"))]
    (path / "aemonitor.yaml").write_text("\n".join(bare))
    world.config = load_config(path / "aemonitor.yaml")
    world.stream = world.config.streams["web"]
    world.begin()

    for number in range(20):
        world.offer(lines(number), file_id=f"f{number}")
        world.clock.advance(1.0)

    assert learned(batches(world)) == [*map(float, range(4, 20))]


def test_a_thinned_stream_is_learned_by_stretches_and_its_rate_is_told(tmp_path: Path) -> None:
    world = World(tmp_path, features=WINDOW, most=1000)
    for hour in range(6):
        texts = [line(60 * hour + minute, f"h{host}") for minute in range(60) for host in range(30)]
        world.offer(texts, file_id=f"f{hour}")

    found = batches(world)
    whole = joined([keep(batch, batch.ok) for batch in found])
    assert whole.stretches is not None
    lengths = np.unique(whole.stretches, return_counts=True)[1]

    assert len(whole) <= 250
    assert len(lengths) <= 4
    kept = chosen(world.config, "web", world.stream, (), lambda *_: None, reservoir=True)
    assert paced(world.stream, kept).alert.records_per_day == pytest.approx(30 * 1440, rel=0.15)


def test_files_are_learned_beside_a_sample(world: World) -> None:
    world.offer(lines(*range(10)))
    path = world.root / "more.log"
    path.write_text("".join(f"{text}\n" for text in lines(*range(100, 103)) + lines(*range(200, 203), host="b")))

    found = batches(world, [path])
    whole, _, _ = gather(found, 1000)

    assert learned(found) == [*map(float, range(4, 10)), *map(float, [100, 101, 102, 200, 201, 202])]
    assert whole.stretches is not None
    assert len(np.unique(whole.stretches)) == 3


def test_a_stretch_that_loses_its_beginning_is_not_learned(world: World) -> None:
    world.offer([text for number in range(20) for text in lines(number, host="a" if number < 10 else "b")])

    whole, _, _ = gather(world.batches(reservoir=True), 15)

    assert whole.warming is not None
    assert np.array(whole.column("ms", FieldType.NUMBER))[~whole.warming].tolist() == [14, 15, 16, 17, 18, 19]


def test_a_sample_of_nothing_but_beginnings_is_refused(world: World) -> None:
    world.offer(lines(0, 1, 2))

    with pytest.raises(NoInputError, match="no record to learn from: 0 records, and 3 that only tell what came before"):
        batches(world)


def test_a_sample_of_single_records_is_passed_over_by_a_stream_that_wants_stretches(tmp_path: Path) -> None:
    world = World(tmp_path, features="{ms: numeric}")
    world.offer(lines(*range(10)))
    world.keeper.save()
    path = tmp_path / "aemonitor.yaml"
    path.write_text(CONFIG.format(root=tmp_path, extra="", features=WINDOW, most=48000))
    config = load_config(path)

    with pytest.raises(NoInputError, match=f"its layout is not {STRETCHES_LAYOUT}; it has single records, kept when"):
        chosen(config, "web", config.streams["web"], (), lambda *_: None, reservoir=True)


def test_a_file_that_does_not_tell_its_rounds_costs_its_day(world: World) -> None:
    world.offer(lines(*range(10)))
    world.keeper.save()
    (path,) = (world.root / "state" / "reservoir" / "web").glob("*.parquet")
    table = pq.ParquetFile(path).read()
    metadata = {**(table.schema.metadata or {}), b"aemonitor.tallies": b"{}"}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    world.begin()

    with pytest.raises(NoInputError, match="damaged: it does not tell how long rounds are"):
        batches(world)


def test_what_people_called_benign_is_learned_without_what_came_before(world: World) -> None:
    world.offer(lines(*range(10)))
    world.keeper.save()
    say(world.root / "state", "benign", alert(7, raw=line(500)))

    found = batches(world)

    assert learned(found) == [*map(float, range(4, 10)), 500.0]
    assert [batch.stretches.tolist() for batch in found if batch.stretches is not None][1:] == [[-1]]


@pytest.mark.parametrize(
    ("features", "extra", "needed"),
    [
        ("{ms: numeric}", "", {}),
        ("{ms: counts}", "", {}),
        ("{ms: streaming}", "", {"ms": WarmUp(records=100, recovery=10)}),
        ("{gap: interarrival}", "", {"gap": WarmUp(records=1)}),
        (WINDOW, "", {"ms": WarmUp(records=4)}),
        ("{note: {counts: {window: sliding, seconds: 60}}}", "", {"note": WarmUp(seconds=60.0)}),
        ("{note: {counts: {window: session, gap: 30}}}", "", {"note": WarmUp(pause=30.0)}),
        ("{ms: numeric}", "score: {average: 3}", {"score.average": WarmUp(records=2)}),
    ],
)
def test_what_remembers_says_how_much(features: str, extra: str, needed: dict[str, WarmUp], tmp_path: Path) -> None:
    path = tmp_path / "aemonitor.yaml"
    path.write_text(CONFIG.format(root=tmp_path, extra=extra, features=features, most=48000))

    assert warm_ups(load_config(path).streams["web"]) == needed
