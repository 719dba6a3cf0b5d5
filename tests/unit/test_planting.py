"""Planted faults of an evaluation: a tiny trained model is asked what it finds of each fault, and whom it blames."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from monitor.app.planting import EVENT_TIME, THOROUGH, Judge, Stretch, first_blamed, recover
from monitor.core.model_config import ModelConfig
from monitor.core.protocols import Encoder
from monitor.core.records import RecordBatch
from monitor.core.rows import take
from monitor.encoders import interarrival
from monitor.faults.kinds import KINDS
from monitor.faults.planting import choose, plant
from monitor.ingest.features import FeatureSpace
from monitor.reporting import facts, tables
from monitor.reporting.corruption import Limits
from monitor.reporting.evaluation import NOT_DEFINED, Estimate, Recovered
from monitor.reporting.intervals import Bootstrap
from monitor.scoring.l1 import L1Scorer
from monitor.training.recipe import train
from tests import support_evaluations
from tests.encoding import encoder
from tests.records import records
from tests.support_models import CPU, L1

ROWS = 1200
BOOTSTRAP = Bootstrap(20, 1)
USUAL = Limits(1.0, 0.9)


def quiet(_what: str, _done: int, _total: int, _remark: str) -> None:
    """Progress nobody looks at."""


def benign(keys: int = 2) -> RecordBatch:
    random = np.random.default_rng(2)
    level = random.normal(20, 3, ROWS)
    return records(
        level=level.tolist(),
        double=(2 * level + random.normal(0, 0.1, ROWS)).tolist(),
        mode=random.choice(["idle", "busy", "sync"], ROWS).tolist(),
        times=np.cumsum(random.uniform(1, 9, ROWS)).tolist(),
        keys=[f"k{i % keys}" for i in range(ROWS)],
    )


ENCODERS = {"level": encoder("numeric", "level"), "double": encoder("numeric", "double")}
ENCODERS["mode"] = encoder("categorical", "mode")
GAP: Mapping[str, Encoder] = {"gap": interarrival.build(interarrival.Config(), "gap")}


def trained(batch: RecordBatch, encoders: Mapping[str, Encoder]) -> tuple[FeatureSpace, L1Scorer]:
    contents = train("s", batch, encoders, ModelConfig(epochs=20), L1, CPU, lambda _: None).contents
    features = FeatureSpace.fit(encoders, batch)
    return features, L1Scorer(contents.module, contents.layout, contents.calibration)


@pytest.fixture(scope="module")
def model() -> tuple[FeatureSpace, L1Scorer]:
    return trained(benign(), {**ENCODERS, **GAP})


def stretch(space: FeatureSpace, batch: RecordBatch, limit: int = ROWS) -> Stretch:
    """The batch as an evaluation reads it: in pieces, with what is remembered going on."""
    made = Stretch(space, limit)
    for start in range(0, len(batch), 500):
        piece = take(batch, np.arange(start, min(start + 500, len(batch))))
        made.offer(piece, space.encode(piece).values, np.arange(len(piece)))
    return made


def recovered(
    model: tuple[FeatureSpace, L1Scorer], faults: tuple[str, ...], limits: Limits = USUAL
) -> dict[tuple[str, str], Recovered]:
    source = stretch(model[0], benign())
    rows, notes = recover(Judge.of(*model), source, "host", faults, limits, BOOTSTRAP, quiet)
    assert notes == ()
    return {(row.field, row.fault): row for row in rows}


def test_each_fault_is_planted_in_the_fields_it_can_befall(model: tuple[FeatureSpace, L1Scorer]) -> None:
    rows = recovered(model, KINDS)

    numeric = {"x10", "/10", "swap", "missing", "noise", "frozen", "drift"}
    assert {fault for field, fault in rows if field == "level"} == numeric
    assert {fault for field, fault in rows if field == "mode"} == {"swap", "unseen", "missing", "frozen"}
    assert {fault for field, fault in rows if field == EVENT_TIME} == {"burst", "silence"}
    assert all(0 < row.records <= 120 for row in rows.values())


def test_plain_faults_are_found_and_the_field_is_named(model: tuple[FeatureSpace, L1Scorer]) -> None:
    rows = recovered(model, ("x10", "unseen", "missing", "silence"))

    for pair in (("level", "x10"), ("mode", "unseen"), ("mode", "missing"), (EVENT_TIME, "silence")):
        assert rows[pair].recall.value > 0.98, pair
        assert rows[pair].named.value == 1.0, pair


def test_what_is_not_found_names_nothing_and_a_lower_threshold_finds_more(
    model: tuple[FeatureSpace, L1Scorer],
) -> None:
    rows = recovered(model, ("swap",), Limits(1e9, -1e9))

    assert all((row.recall.value, row.recall_at_rate.value) == (0.0, 1.0) for row in rows.values())
    assert all(np.isnan(row.named.value) for row in rows.values())


def test_features_that_remember_see_the_spoiled_stream_from_its_beginning() -> None:
    batch = benign(keys=400)  # a third of the records are the first of their key
    space, scorer = trained(batch, {**ENCODERS, **GAP})
    random = BOOTSTRAP.generator(9, zlib.crc32(f"{EVENT_TIME}\nsilence".encode()))
    rows = choose(batch, "", "silence", ROWS // 10, random)
    spoiled = plant(batch, "", "silence", rows, random)
    fresh = FeatureSpace.fit({**ENCODERS, **GAP}, batch)
    scores = scorer.score(fresh.encode(spoiled.records)).scores[spoiled.rows]
    middle = float(np.median(scores))

    (found,), _ = recover(
        Judge.of(space, scorer), stretch(space, batch), None, ["silence"], Limits(middle, 0.0), BOOTSTRAP, quiet
    )

    assert found.records == len(scores)
    assert found.recall.value == (scores > middle).mean()


def test_a_run_depends_on_the_seed_and_on_itself_alone(model: tuple[FeatureSpace, L1Scorer]) -> None:
    alone, among = recovered(model, ("noise",)), recovered(model, KINDS)

    assert alone == {pair: row for pair, row in among.items() if pair[1] == "noise"}


def test_clocks_are_left_alone_where_no_feature_remembers() -> None:
    rows = recovered(trained(benign(), ENCODERS), ("silence", "burst", "missing"))

    assert {fault for _, fault in rows} == {"missing"}


def test_faults_that_change_nothing_are_left_out() -> None:
    batch = records(zero=[0.0] * ROWS, level=np.arange(float(ROWS)).tolist())
    encoders = {name: encoder("numeric", name) for name in ("zero", "level")}
    space, scorer = trained(batch, encoders)

    rows, _ = recover(
        Judge.of(space, scorer), stretch(space, batch), None, ("x10", "swap"), Limits(1, 1), BOOTSTRAP, quiet
    )

    assert {row.field for row in rows} == {"level"}


def test_no_benign_record_is_said(model: tuple[FeatureSpace, L1Scorer]) -> None:
    empty = Stretch(model[0], ROWS)

    rows, notes = recover(Judge.of(*model), empty, None, KINDS, Limits(1, 1), BOOTSTRAP, quiet)

    assert (rows, notes) == ((), ("no benign record, so no fault was planted",))


def test_a_stretch_is_no_longer_than_its_limit(model: tuple[FeatureSpace, L1Scorer]) -> None:
    kept = stretch(model[0], benign(), limit=700).whole()

    assert kept is not None
    assert (len(kept[0]), len(kept[1])) == (700, 700)


def test_of_a_wide_stream_a_drawn_sample_of_fields_gets_faults_and_is_named() -> None:
    random = np.random.default_rng(3)
    batch = records(**{f"f{i}": random.normal(size=200).tolist() for i in range(30)})
    space, scorer = trained(batch, {f"f{i}": encoder("numeric", f"f{i}") for i in range(30)})

    rows, notes = recover(Judge.of(space, scorer), stretch(space, batch), None, KINDS, Limits(1, 1), BOOTSTRAP, quiet)

    assert len(rows) <= THOROUGH.runs
    assert len({row.field for row in rows}) == 21
    assert notes[0].startswith("of 30 fields, faults were planted in 21, drawn by the seed: 'f")


def test_whom_an_alert_blames(model: tuple[FeatureSpace, L1Scorer]) -> None:
    space, scorer = model
    values = space.encode(benign()).values[:2].copy()
    block = next(block for block in space.layout.blocks if block.feature == "mode")
    values[0, block.novelty_start] = 50.0

    assert first_blamed(scorer, values)[0] == "mode"


def test_the_table_has_a_row_a_field_and_a_column_a_fault() -> None:
    half, whole = Estimate(0.5, 0.4, 0.6), Estimate(1.0, 0.9, 1.0)
    planted = (
        Recovered("bytes", "x10", 100, whole, whole, half),
        Recovered("bytes", "swap", 100, half, half, whole),
        Recovered("path", "unseen", 40, Estimate(0.0, 0.0, 0.0), half, NOT_DEFINED),
    )
    found = replace(support_evaluations.evaluation(*support_evaluations.two_classes()), planted=planted)

    table = facts.planted(found)

    assert table.heads == ("field", "x10", "swap", "unseen", "named first")
    assert list(table.rows) == [("bytes", "1", "0.500", "-", "0.667"), ("path", "-", "-", "0", "-")]
    assert "Recall by field and fault" in tables.as_text(found)
