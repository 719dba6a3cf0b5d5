"""All features of a stream as one matrix: learned together, kept as JSON, explained by name."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from monitor import plugins
from monitor.core.arrays import F32, Column
from monitor.core.errors import BundleError, DataError, StateError
from monitor.core.features import Block
from monitor.core.protocols import Encoder, Finding
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.ingest.features import FeatureSpace
from tests.encoding import encoder
from tests.records import records

ROWS = 240
AGE = Field("age", FieldType.NUMBER)


def module(kind: str) -> ModuleType:
    return plugins.module("encoders", kind)


def employees() -> RecordBatch:
    rng = np.random.default_rng(1)
    return records(
        sex=rng.choice([True, False], ROWS).tolist(),
        age=rng.integers(18, 69, ROWS).astype(float).tolist(),
        city=rng.choice(["anaheim", "boulder", "concord"], ROWS).tolist(),
        income=rng.integers(23_000, 89_001, ROWS).astype(float).tolist(),
        job=rng.choice(["mgmt", "supp", "tech"], ROWS).tolist(),
        version=["1.0"] * ROWS,
        ident=[f"id-{i}" for i in range(ROWS)],
        times=np.cumsum(rng.uniform(1, 9, ROWS)).tolist(),
    )


def encoders() -> dict[str, Encoder]:
    return {
        "sex": encoder("boolean", "sex"),
        "age": encoder("numeric", "age", divide_by=100),
        "city": encoder("categorical", "city"),
        "income": encoder("numeric", "income", divide_by=100_000),
        "job": encoder("categorical", "job"),
    }


def fitted(**more: Encoder) -> FeatureSpace:
    return FeatureSpace.fit({**encoders(), **more}, employees())


def test_five_fields_of_employees_make_nine_columns() -> None:
    space = fitted()

    matrix = space.encode(employees())

    assert space.layout.width == 9
    assert matrix.values.shape == (ROWS, space.layout.total)
    assert matrix.values.flags.c_contiguous
    assert not matrix.values[:, 9:].any()
    assert space.columns[:5] == ("sex.value", "age.value", "city.anaheim", "city.boulder", "city.concord")


def test_columns_decode_to_the_fields_in_their_own_units() -> None:
    batch, space = employees(), fitted()

    decoded = space.decode(space.encode(batch).values)

    assert {field.name for field in decoded} == set(encoders())
    for field, column in decoded.items():
        assert column.equals(batch.columns[field])


def test_of_a_field_that_two_features_read_the_first_is_decoded_and_what_cannot_be_is_left_out() -> None:
    batch = replace(employees(), times=np.linspace(0.0, 30 * 86_400.0, ROWS, dtype=np.float64))
    both = {name: encoder("numeric", "age", divide_by=size) for name, size in (("age", 100), ("again", 10))}
    space = FeatureSpace.fit({**both, "when": encoder("time", "when"), "job": encoder("text", "job")}, batch)

    decoded = space.decode(np.full((2, space.layout.width), 0.5, dtype=np.float32))

    assert {field: column.to_pylist() for field, column in decoded.items()} == {AGE: [50.0, 50.0]}


def test_blocks_lie_side_by_side_in_the_order_of_the_features() -> None:
    space = fitted()

    assert [block.feature for block in space.layout.blocks] == ["sex", "age", "city", "income", "job"]
    assert space.layout.blocks[2] == Block("city", 2, 5, 13, 15)
    assert len(space.columns) == space.layout.total


def test_the_parser_is_asked_for_each_field_once() -> None:
    space = fitted(again=encoder("numeric", "age"), gap=encoder("interarrival", "gap"))

    assert space.fields.count(Field("age", FieldType.NUMBER)) == 1
    assert len(space.fields) == 5


def test_what_cannot_be_learned_is_left_out_with_its_reason() -> None:
    space = fitted(ident=encoder("categorical", "ident"), when=encoder("time", "when"))

    assert set(space.left_out) == {"ident", "when"}
    assert space.left_out["ident"].startswith("field 'ident': none of its 240 values occurs 2 times")
    assert len(space.features) == 5


def test_without_any_feature_there_is_no_space() -> None:
    with pytest.raises(DataError, match="no feature can be learned from 240 benign records: field 'ident': none of"):
        FeatureSpace.fit({"ident": encoder("categorical", "ident")}, employees())


def test_no_configured_feature_is_told_as_such() -> None:
    with pytest.raises(DataError, match="no feature can be learned from 240 benign records: none is configured"):
        FeatureSpace.fit({}, employees())


def test_records_that_are_not_ok_teach_nothing_but_are_encoded() -> None:
    batch = records(x=[1.0, 2.0, None, 3.0])
    broken = replace(batch, ok=np.array([True, True, False, True]))

    space = FeatureSpace.fit({"x": encoder("numeric", "x")}, broken)
    matrix = space.encode(broken)

    assert space.layout.width == 1
    assert len(matrix) == 4
    assert matrix.values[2, 1:].any()


def test_no_records_make_an_empty_matrix() -> None:
    empty = employees()
    none = np.zeros(ROWS, dtype=np.bool_)
    batch = replace(
        empty,
        columns={name: column.slice(0, 0) for name, column in empty.columns.items()},
        ok=none[:0],
        times=np.empty(0),
    )

    assert fitted().encode(batch).values.shape[0] == 0


def test_state_survives_json() -> None:
    space = fitted(gap=encoder("interarrival", "gap"))

    again = FeatureSpace.restore(json.loads(json.dumps(space.state(), allow_nan=False)), module)

    assert (again.layout, again.fields, again.columns) == (space.layout, space.fields, space.columns)
    np.testing.assert_array_equal(again.encode(employees()).values, space.encode(employees()).values)
    assert again.state() == space.state()


def test_state_names_kind_field_and_options() -> None:
    entry = fitted().state()[1]

    assert (entry["name"], entry["kind"], entry["field"]) == ("age", "numeric", "age")
    assert entry["config"] == {"scale": "auto", "divide_by": 100.0, "clip": 4.0}


@pytest.mark.parametrize(
    "damage",
    [
        {"kind": "no_such_kind"},
        {"kind": None},
        {"config": {"divide_by": "x"}},
        {"config": {"unknown": 1}},
        {"state": {}},
        {"state": {"scaling": 3}},
        {"state": None},
    ],
)
def test_a_damaged_state_is_refused(damage: dict[str, object]) -> None:
    state = fitted().state()
    state[1].update(damage)

    with pytest.raises(BundleError, match=r"features of the bundle: .*age.* cannot be restored"):
        FeatureSpace.restore(state, module)


def test_findings_come_by_feature_name() -> None:
    space = fitted()
    row = space.encode(records(sex=[True], age=[40.0], city=["vulcan"], income=[1e9], job=["tech"])).values[0]
    reconstruction = space.encode(employees()).values[0, : space.layout.width]

    findings = space.explain(row, reconstruction)

    assert list(findings) == ["sex", "age", "city", "income", "job"]
    assert findings["city"].reason == "never seen in 240 benign records"
    assert findings["income"].reason.startswith("above everything benign (max 8")
    assert findings["city"].expected in {"anaheim", "boulder", "concord"}


def test_what_is_said_of_a_text_quotes_the_odd_part_of_it() -> None:
    names = [f"street {name}" for name in ("north", "south", "east", "west") * 20]
    space = FeatureSpace.fit({"street": encoder("text", "street")}, records(street=names))
    text = "street north' OR 1=1 -- and so on"
    row = space.encode(records(street=[text])).values[0]
    width = space.layout.width

    said = space.explain_feature("street", row[:width], row[width:], row[:width], text)
    kept = space.explain_feature("street", row[:width], row[width:], row[:width])

    assert said.reason == f'{kept.reason}, oddest at "1=1 -- and"'


def test_memory_of_keys_is_given_out_and_taken_back() -> None:
    first, second = fitted(gap=encoder("interarrival", "gap")), fitted(gap=encoder("interarrival", "gap"))
    first.encode(employees())

    second.load_keyed_state(json.loads(json.dumps(first.keyed_state())))

    assert set(first.keyed_state()) == {"gap"}
    np.testing.assert_array_equal(first.encode(employees()).values, second.encode(employees()).values)


def test_damaged_memory_of_keys_names_the_feature() -> None:
    with pytest.raises(StateError, match="feature 'gap': remembered keys: version None is not 1"):
        fitted(gap=encoder("interarrival", "gap")).load_keyed_state({"gap": {}})


class Broken:
    """A fitted encoder that breaks its promise in the second row."""

    columns = ("value",)
    novelty = ()

    def encode(self, batch: RecordBatch, columns: F32, novelty: F32) -> None:
        columns[1] = math.nan

    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        return Finding(None, "", "")

    def decode(self, columns: F32) -> Mapping[Field, Column]:
        return {}

    def state(self) -> Mapping[str, Any]:
        return {}


def test_a_column_that_is_not_finite_is_never_passed_on() -> None:
    space = fitted()
    broken = replace(space, features=(*space.features, replace(space.features[0], name="odd", encoder=Broken())))

    with pytest.raises(FloatingPointError, match="feature 'odd' \\(boolean\\): row 1 is not finite"):
        broken.encode(employees())
