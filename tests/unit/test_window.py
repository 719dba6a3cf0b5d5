"""The last values of a key, side by side."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.arrays import F32
from monitor.core.protocols import FittedEncoder, KeyedEncoder
from monitor.core.records import FieldType, RecordBatch
from tests.encoding import encode, encoder, finding
from tests.records import part, records


def fitted(length: int = 3, **options: Any) -> FittedEncoder:
    """Columns are values: learned from -1 to 1."""
    return encoder("window", length=length, divide_by=1.0, clip=1000.0, **options).fit(records(x=[-1.0, 0.5, 1.0]))


def shown(batch: RecordBatch, **options: Any) -> list[list[float]]:
    rows: list[list[float]] = encode(fitted(**options), batch)[0].tolist()
    return rows


def test_columns_are_the_last_values_the_newest_first() -> None:
    assert fitted().columns == ("value", "1 before", "2 before")
    assert shown(records(x=[1.0, 2.0, 3.0, 4.0]))[2:] == [[3.0, 2.0, 1.0], [4.0, 3.0, 2.0]]


def test_the_oldest_known_value_stands_for_what_is_not_known() -> None:
    assert shown(records(x=[7.0, 8.0])) == [[7.0, 7.0, 7.0], [8.0, 7.0, 7.0]]


def test_each_key_has_its_own_window() -> None:
    assert shown(records(x=[1.0, 5.0, 2.0], keys=["a", "b", "a"]), length=2) == [[1.0, 1.0], [5.0, 5.0], [2.0, 1.0]]


def test_a_missing_value_leaves_the_window_as_it_is_and_reads_as_average() -> None:
    assert shown(records(x=[1.0, None, 2.0])) == [[1.0, 1.0, 1.0], [0.5, 0.5, 0.5], [2.0, 1.0, 1.0]]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_windows_are_those_of_a_simple_memory_however_records_are_cut(data: st.DataObject) -> None:
    rows = data.draw(st.integers(0, 40))
    values = data.draw(st.lists(st.none() | st.integers(-9, 9).map(float), min_size=rows, max_size=rows))
    keys = data.draw(st.lists(st.sampled_from([None, *"abcd"]), min_size=rows, max_size=rows))
    cuts = sorted({0, rows, *data.draw(st.lists(st.integers(0, rows), max_size=4))})
    batch = records({next(iter(records(x=[1.0]).columns)): values}, keys=keys)
    encoding = fitted(length=4, max_keys=3)

    pieces = [encode(encoding, part(batch, start, stop))[0] for start, stop in itertools.pairwise(cuts)]

    together: F32 = np.concatenate([*pieces, np.empty((0, 4), dtype=np.float32)])
    assert together.tolist() == one_by_one(values, keys, length=4, max_keys=3)


def one_by_one(values: list[float | None], keys: list[str | None], length: int, max_keys: int) -> list[list[float]]:
    held: dict[str | None, list[float]] = {}
    rows: list[list[float]] = []
    for value, key in zip(values, keys, strict=True):
        if value is None:
            rows.append([0.5] * length)
            continue
        held[key] = [value, *held.pop(key, [value] * length)][:length]
        rows.append(held[key])
        if len(held) > max_keys:
            held.pop(next(iter(held)))
    return rows


def test_what_is_said_and_decoded_is_of_the_newest_value() -> None:
    batch = records(x=[0.0, 0.25, 5.0])

    told = finding(fitted(), batch, [0.25, 0.0, 0.0])

    assert (told.reason, told.expected) == ("above everything benign (max 1)", 0.25)
    columns, _ = encode(fitted(), batch)
    assert [column.to_pylist() for column in fitted().decode(columns).values()] == [[0.0, 0.25, 5.0]]


def test_a_constant_number_is_not_remembered() -> None:
    fitting = encoder("window").fit(records(x=[3.0] * 50))
    encode(fitting, records(x=[3.0, 4.0]))

    assert isinstance(fitting, KeyedEncoder)
    assert (fitting.columns, fitting.keyed_state()["keys"]) == ((), [])


def test_states_of_the_newest_value_stand_beside_it() -> None:
    fitting = encoder("window", length=2).fit(records(x=[1.0, None, 2.0, 3.0]))

    assert fitting.columns == ("value", "missing", "1 before")
    assert encode(fitting, records(x=[2.0, None]))[0][:, 1].tolist() == [0.0, 1.0]
    assert fitting.decode(np.zeros((0, 3), dtype=np.float32)).keys() == {next(iter(records(x=[1.0]).columns))}
    assert next(iter(fitting.decode(np.zeros((0, 3), dtype=np.float32)))).type is FieldType.NUMBER
