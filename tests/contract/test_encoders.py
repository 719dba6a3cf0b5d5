"""The law of encoders: learned from any benign data, they take any data, and what was benign is never a novelty."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import plugins
from monitor.core.arrays import F32, Bools, Column
from monitor.core.errors import DataError
from monitor.core.protocols import Encoder, FittedEncoder, KeyedChanges, KeyedEncoder
from monitor.core.records import Field, FieldType, RecordBatch
from tests.records import ARROW, part, records

VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "boolean": {"values": {"values": ["GET", "POST"]}},
    "counts": {
        "lists": {"bigrams": True, "mask": True, "min_count": 1},
        "tumbling": {"window": "tumbling", "seconds": 43_210, "lateness": 50_000, "max_keys": 2, "bigrams": True},
        "sliding": {"window": "sliding", "seconds": 100_000, "step": 25_000, "max_events": 2},
    },
    "categorical": {"values": {"values": ["POST", "GET", "PUT"]}},
    "numeric": {"divided": {"divide_by": 100}},
    "streaming": {"timed, few keys": {"rate": True, "since": True, "max_keys": 2}, "divided": {"divide_by": 100}},
    "window": {"few keys": {"length": 3, "max_keys": 2}, "divided": {"divide_by": 100}},
    "vector": {"fields": {"columns": ["thing{1..3}"]}, "divided fields": {"columns": ["thing"], "divide_by": 255}},
}
"""Options, by name, that make an encoder do what neither the default nor the example does."""

CASES = [
    (kind, options) for kind in plugins.kinds("encoders") for options in ("default", "example", *VARIANTS.get(kind, {}))
]

law = pytest.mark.parametrize(("kind", "options"), CASES)
some = settings(max_examples=20, deadline=None)

NUMBERS = st.one_of(
    st.floats(0, 300),
    st.integers(-3, 3).map(float),
    st.floats(width=64),
    st.sampled_from([0.0, -0.0, 5e-324, -1e308, 1.7e308, np.inf, -np.inf, np.nan]),
)
TEXTS = st.one_of(
    st.sampled_from(
        ["GET", "POST", "200", "404", "/a/b?q=1", "10.0.0.1", "fe80::1", "user 17 logged in from 10.1.2.3"]
    ),
    st.text(max_size=20),
    st.sampled_from(["", "\0", "\x1b[2J\n", "\u202e\u2028", "é" * 300, "%", "://", "a" * 1_000_000]),
)
VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.NUMBER: NUMBERS,
    FieldType.TEXT: TEXTS,
    FieldType.BOOLEAN: st.booleans(),
    FieldType.VECTOR: st.one_of(
        st.lists(st.floats(0, 255), min_size=4, max_size=4), st.lists(st.none() | NUMBERS, max_size=6)
    ),
    FieldType.TEXTS: st.lists(st.none() | TEXTS, max_size=5),
}
TIMES = st.one_of(
    st.floats(1.6e9, 1.7e9),
    st.integers(0, 40).map(lambda i: 1.6e9 + i * 43_210.0),
    st.sampled_from([np.nan, 0.0, 1e308]),
)
COLUMNS = st.one_of(st.floats(-2, 2, width=32), st.sampled_from([0.0, 1.0, -3e38, 3e38, np.inf, -np.inf, np.nan]))
KEYS = st.none() | st.sampled_from(["a", "b", "", "k" * 100_000]) | st.text(max_size=2)


def encoder_of(kind: str, options: str) -> tuple[ModuleType, Any, Encoder]:
    module = plugins.module("encoders", kind)
    given_options = yaml.safe_load(module.EXAMPLE) if options == "example" else VARIANTS.get(kind, {}).get(options)
    config = module.Config.model_validate_json(json.dumps(given_options or {}))
    return module, config, module.build(config, "thing")


def columns_of(draw: st.DrawFn, strategy: st.SearchStrategy[Any], rows: int, *, hostile: bool) -> list[Any]:
    """Benign columns are of three sorts: few values, one value, any values; each perhaps with gaps."""
    sort = "any" if hostile else draw(st.sampled_from(["few", "one", "any"]))
    if sort == "any":
        present = strategy
    else:
        few = draw(st.lists(strategy, min_size=1, max_size=1 if sort == "one" else 4))
        present = st.sampled_from(few)
    values = st.none() | present if hostile or draw(st.booleans()) else present
    return draw(st.lists(values, min_size=rows, max_size=rows))


@st.composite
def batches(draw: st.DrawFn, fields: tuple[Field, ...], *, hostile: bool = False) -> RecordBatch:
    rows = draw(st.integers(0 if hostile else 1, 30))
    typed = {field: columns_of(draw, VALUES[field.type], rows, hostile=hostile) for field in fields}
    times = draw(st.lists(TIMES, min_size=rows, max_size=rows))
    keys = draw(st.none() | st.lists(KEYS, min_size=rows, max_size=rows))
    return records(typed, times=times if hostile else sorted(times), keys=keys)


def encoded(encoder: FittedEncoder, batch: RecordBatch) -> tuple[F32, F32]:
    columns = np.zeros((len(batch), len(encoder.columns)), dtype=np.float32)
    novelty = np.zeros((len(batch), len(encoder.novelty)), dtype=np.float32)
    encoder.encode(batch, columns, novelty)
    return columns, novelty


def irregular(column: Column, kind: FieldType) -> Bools:
    """Where a value is missing or has something in it that is no finite number, [n]."""
    values = column.to_pylist()
    if kind in (FieldType.NUMBER, FieldType.VECTOR):
        entries = [[value] if kind is FieldType.NUMBER else value for value in values]
        values = [row if row is not None and None not in row and np.isfinite(row).all() else None for row in entries]
    return np.array([value is None for value in values], dtype=np.bool_)


def fitted(data: st.DataObject, encoder: Encoder) -> tuple[FittedEncoder, RecordBatch] | None:
    """An encoder fitted to drawn benign data; None where these have nothing to learn."""
    benign = data.draw(batches(encoder.fields), label="benign")
    try:
        return encoder.fit(benign), benign
    except DataError:
        return None


def test_every_encoder_of_the_contract_is_here() -> None:
    assert set(plugins.kinds("encoders")) >= {"boolean", "categorical", "interarrival", "numeric", "time", "vector"}


@law
def test_an_encoder_remembers_what_it_was_built_of(kind: str, options: str) -> None:
    _, config, encoder = encoder_of(kind, options)

    assert (encoder.config, encoder.field) == (config, "thing")
    assert type(encoder).__module__ == f"monitor.encoders.{kind}"


@law
@some
@given(data=st.data())
def test_benign_data_are_no_novelty(kind: str, options: str, data: st.DataObject) -> None:
    found = fitted(data, encoder_of(kind, options)[2])
    if found is None:
        return
    encoder, benign = found

    columns, novelty = encoded(encoder, benign)

    assert not novelty.any()
    assert np.isfinite(columns).all()


@law
@some
@given(data=st.data())
def test_hostile_data_give_finite_columns(kind: str, options: str, data: st.DataObject) -> None:
    _, _, unfitted = encoder_of(kind, options)
    found = fitted(data, unfitted)
    if found is None:
        return

    columns, novelty = encoded(found[0], data.draw(batches(unfitted.fields, hostile=True), label="hostile"))

    assert np.isfinite(columns).all()
    assert np.abs(columns).max(initial=0.0) <= 1e7
    assert np.isfinite(novelty).all()
    assert (novelty >= 0.0).all()


@law
@some
@given(data=st.data())
def test_columns_do_not_depend_on_how_records_are_cut_into_batches(
    kind: str, options: str, data: st.DataObject
) -> None:
    module, config, unfitted = encoder_of(kind, options)
    found = fitted(data, unfitted)
    if found is None:
        return
    state = found[0].state()
    hostile = data.draw(batches(unfitted.fields, hostile=True), label="hostile")
    cuts = sorted({0, len(hostile), *data.draw(st.lists(st.integers(0, len(hostile)), max_size=3), label="cuts")})

    whole = encoded(module.restore(config, "thing", state), hostile)
    cut = module.restore(config, "thing", state)
    pieces = [encoded(cut, part(hostile, start, stop)) for start, stop in pairwise(cuts)]

    for together, *parts in zip(whole, *pieces, strict=True):
        np.testing.assert_array_equal(together, np.concatenate(parts) if parts else together)


@law
@some
@given(data=st.data())
def test_state_survives_json(kind: str, options: str, data: st.DataObject) -> None:
    module, config, unfitted = encoder_of(kind, options)
    found = fitted(data, unfitted)
    if found is None:
        return
    encoder, _ = found
    hostile = data.draw(batches(unfitted.fields, hostile=True), label="hostile")

    text = json.dumps(encoder.state(), allow_nan=False)
    again: FittedEncoder = module.restore(config, "thing", json.loads(text))

    assert (again.columns, again.novelty) == (encoder.columns, encoder.novelty)
    assert json.dumps(again.state(), allow_nan=False) == text
    for before, after in zip(encoded(encoder, hostile), encoded(again, hostile), strict=True):
        np.testing.assert_array_equal(before, after)


@law
@some
@given(data=st.data())
def test_the_same_data_teach_the_same(kind: str, options: str, data: st.DataObject) -> None:
    _, _, unfitted = encoder_of(kind, options)
    found = fitted(data, unfitted)
    if found is None:
        return
    encoder, benign = found

    again = unfitted.fit(benign)

    assert json.dumps(again.state()) == json.dumps(encoder.state())


@law
@some
@given(data=st.data())
def test_findings_are_printable(kind: str, options: str, data: st.DataObject) -> None:
    _, _, unfitted = encoder_of(kind, options)
    found = fitted(data, unfitted)
    if found is None:
        return
    encoder, _ = found
    columns, novelty = encoded(encoder, data.draw(batches(unfitted.fields, hostile=True), label="hostile"))
    filler = data.draw(st.sampled_from([0.0, 1.0, -9.0, np.nan, np.inf, -3e38]), label="reconstruction")
    reconstruction = np.full(len(encoder.columns), filler, dtype=np.float32)

    findings = [encoder.explain(x, n, reconstruction) for x, n in zip(columns, novelty, strict=True)]

    for finding in findings:
        expected = finding.expected if isinstance(finding.expected, str) else json.dumps(finding.expected)
        assert finding.reason
        for text in (finding.reason, finding.benign_range, expected):
            assert text.isprintable(), text
            assert len(text) < 2_000


@law
@some
@given(data=st.data())
def test_any_columns_decode_to_values_of_the_fields_that_are_read(kind: str, options: str, data: st.DataObject) -> None:
    _, _, unfitted = encoder_of(kind, options)
    found = fitted(data, unfitted)
    if found is None:
        return
    rows = data.draw(st.integers(0, 5), label="rows")
    numbers = data.draw(st.lists(COLUMNS, min_size=1, max_size=20), label="numbers")
    columns = np.resize(np.array(numbers, dtype=np.float32), (rows, len(found[0].columns)))

    decoded = found[0].decode(columns)

    assert set(decoded) <= set(unfitted.fields)
    for field, column in decoded.items():
        assert column.type == ARROW[field.type]
        assert len(column) == rows
        assert not irregular(column, field.type)[column.is_valid().to_numpy(zero_copy_only=False)].any()


@law
@some
@given(data=st.data())
def test_what_benign_columns_decode_to_is_encoded_as_them(kind: str, options: str, data: st.DataObject) -> None:
    _, config, unfitted = encoder_of(kind, options)
    found = fitted(data, unfitted)
    if found is None:
        return
    encoder, benign = found
    columns, _ = encoded(encoder, benign)

    decoded = encoder.decode(columns)

    if not decoded:
        return
    assert set(decoded) == set(unfitted.fields)
    odd = [irregular(column, field.type) for field, column in (*benign.columns.items(), *decoded.items())]
    if given_values := getattr(config, "values", None):  # others have no columns that could be decoded
        odd.append(~np.isin(benign.column("thing", FieldType.TEXT).to_pylist(), given_values))
    regular = ~np.logical_or.reduce(odd)
    again, _ = encoded(encoder, replace(benign, columns=decoded))
    if isinstance(encoder, KeyedEncoder):  # other columns tell of the records before, which are others now
        for field, column in encoder.decode(again).items():
            here, there = (each.to_numpy(zero_copy_only=False)[regular] for each in (column, decoded[field]))
            np.testing.assert_allclose(here, there, rtol=1e-4)
        return
    np.testing.assert_allclose(again[regular], columns[regular], rtol=1e-5, atol=1e-5)


@law
def test_nothing_to_learn_is_a_data_error(kind: str, options: str) -> None:
    _, _, encoder = encoder_of(kind, options)
    nothing = records({field: [None] * 5 for field in encoder.fields}, times=[np.nan] * 5)

    with pytest.raises(DataError, match="thing"):
        encoder.fit(nothing)


@law
@some
@given(data=st.data())
def test_keyed_state_survives_json(kind: str, options: str, data: st.DataObject) -> None:
    module, config, unfitted = encoder_of(kind, options)
    found = fitted(data, unfitted)
    if found is None:
        return
    encoder, benign = found
    if not isinstance(encoder, KeyedEncoder):
        return
    encoded(encoder, benign)
    hostile = data.draw(batches(unfitted.fields, hostile=True), label="hostile")

    again = module.restore(config, "thing", encoder.state())
    again.load_keyed_state(json.loads(json.dumps(encoder.keyed_state(), allow_nan=False)))

    for before, after in zip(encoded(encoder, hostile), encoded(again, hostile), strict=True):
        np.testing.assert_array_equal(before, after)


@law
@some
@given(data=st.data())
def test_changes_of_keyed_state_add_up_to_it(kind: str, options: str, data: st.DataObject) -> None:
    found = fitted(data, encoder_of(kind, options)[2])
    if found is None:
        return
    encoder, benign = found
    if not isinstance(encoder, KeyedEncoder):
        return
    hostile = data.draw(batches(tuple(benign.columns), hostile=True), label="hostile")
    held: dict[str | None, list[float]] = {}

    for batch in (benign, benign, hostile):
        encoded(found[0], batch)
        if data.draw(st.booleans(), label="asked"):
            apply_changes(held, encoder.keyed_changes())
    apply_changes(held, encoder.keyed_changes())

    together = {"version": 1, "keys": list(held), "values": list(held.values())}
    assert json.dumps(together, allow_nan=False) == json.dumps(encoder.keyed_state(), allow_nan=False)


def apply_changes(held: dict[str | None, list[float]], changes: KeyedChanges) -> None:
    """Do to ``held`` what whoever makes a keyed state durable has to do."""
    for key in changes.forgotten:
        del held[key]
    for key, values in changes.updated.items():
        held.pop(key, None)
        held[key] = values
