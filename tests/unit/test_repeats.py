"""A column whose values come again is encoded as if each of its rows had been looked at alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from monitor.core.arrays import F32
from monitor.core.protocols import Encoder
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.encoders import path, text
from monitor.encoders._repeats import FEW_ROWS, MOST_CHARACTERS, MOST_VALUES, Repeats
from tests.records import records


def column(*values: str | None, rows: int) -> pa.Array:
    return pa.array([values[row % len(values)] for row in range(rows)], pa.string())


class Counting:
    """The length of each text, and how many texts were looked at; -1 is the length of a missing one."""

    def __init__(self) -> None:
        self.looked_at = 0
        self.lengths = Repeats(1, self._work)

    def _work(self, texts: pa.Array) -> F32:
        self.looked_at += len(texts)
        return np.array([[-1 if text is None else len(text)] for text in texts.to_pylist()], dtype=np.float32)

    def check(self, texts: pa.Array) -> None:
        expected = [-1 if text is None else len(text) for text in texts.to_pylist()]
        assert self.lengths.of(texts)[:, 0].tolist() == expected


@pytest.mark.parametrize("rows", [3 * FEW_ROWS, FEW_ROWS, 3])
def test_a_text_is_looked_at_once_whenever_it_comes(rows: int) -> None:
    counting = Counting()

    for _ in range(3):
        counting.check(column("/a", None, "/aé", rows=rows))
    counting.check(column("/a", "", rows=rows))

    assert counting.looked_at == 4


@pytest.mark.parametrize(
    "some",
    [
        column(*map(str, range(1_000)), rows=1_000),
        pa.concat_arrays([column("/a", rows=300), column(*map(str, range(2_000)), rows=2_000)]),
    ],
    ids=["all distinct", "distinct after a while"],
)
def test_where_most_texts_are_new_none_is_kept(some: pa.Array) -> None:
    counting = Counting()

    counting.check(some)
    counting.check(some)

    assert counting.looked_at == 2 * len(some)


@pytest.mark.parametrize("size", [1, MOST_CHARACTERS // 100])
def test_what_is_kept_is_bounded(size: int) -> None:
    counting = Counting()

    for first in range(0, 2 * MOST_VALUES, 100):
        counting.check(pa.array([f"{'x' * size}{first + number}" for number in range(100)]))
    last = pa.array(["y"])
    counting.check(last)
    counting.check(last)

    assert counting.looked_at <= 2 * MOST_VALUES + 200


def batch(values: pa.Array) -> RecordBatch:
    return records({Field("x", FieldType.TEXT): values})


@pytest.mark.parametrize("unfitted", [path.build(path.Config(), "x"), text.build(text.Config(), "x")])
def test_repeated_texts_have_the_columns_of_each_alone(unfitted: Encoder) -> None:
    benign = column("/shop/cart.php", "/shop/item.php", None, "/a%2Fb", "/img/logo.png", rows=500)
    encoder = unfitted.fit(batch(benign))
    seen = column("/shop/cart.php", "/etc/passwd", None, "/a%2F../b\x00", "/img/logo.png", "", rows=600)

    together, alone = (np.zeros((600, len(encoder.columns) + len(encoder.novelty)), np.float32) for _ in range(2))
    split = len(encoder.columns)
    encoder.encode(batch(seen), together[:, :split], together[:, split:])
    for row in range(600):
        one = alone[row : row + 1]
        encoder.encode(batch(seen.slice(row, 1)), one[:, :split], one[:, split:])

    assert together.any()
    np.testing.assert_array_equal(together, alone)
