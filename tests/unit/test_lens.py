"""The detector's view of encoded columns: every value has a place in it, in the order of the values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from monitor.core.arrays import F32, I64
from monitor.scoring.lens import Lens
from monitor.training.lens_fitting import LIFTED_MOST, NARROWEST, fit_lens

ROWS = 2000
NORMAL, HEAVY, CONSTANT, TIGHT, COUNTS, TINY, TWIN = range(7)
"""Columns of ``benign``; the last two are heavy-tailed numbers, too, and of one feature."""

OF_COLUMN: I64 = np.array([0, 1, 2, 3, 4, 5, 5])

LARGEST = float(np.finfo(np.float32).max)


def benign() -> F32:
    random = np.random.default_rng(1)
    heavy = random.lognormal(0, 2, ROWS)
    counts = random.negative_binomial(0.3, 0.003, ROWS)  # a quarter are 0, many others occur more than once
    tight = random.normal(0, 1, ROWS) * np.where(np.arange(ROWS) % 10, 1e-3, 1)
    columns = [random.normal(5, 2, ROWS), heavy, np.full(ROWS, 7), tight, counts, heavy * 1e-6]
    return np.stack([*columns, heavy * 1e6], axis=1).astype(np.float32)


LENS = fit_lens(benign(), OF_COLUMN)


def seen(*values: float, column: int = NORMAL) -> Tensor:
    """What becomes of some values of a column, [n, seen]."""
    x = torch.zeros(len(values), LENS.width)
    x[:, column] = torch.tensor(values)
    found: Tensor = LENS.apply(x)
    return found


def view(column: int) -> int:
    """Where the normal scores of a column are."""
    lifted: list[int] = LENS.lifted.tolist()
    return LENS.width + lifted.index(column)


def test_a_column_is_in_units_of_its_spread() -> None:
    z = LENS.apply(torch.from_numpy(benign()))

    assert z[:, NORMAL].median() == pytest.approx(0, abs=1e-3)
    assert z[:, NORMAL].std() == pytest.approx(1, abs=0.05)
    assert (z[:, CONSTANT] == 0).all()
    assert seen(8.5, column=CONSTANT)[0, CONSTANT] == 1.5


def test_a_column_that_is_nearly_always_about_one_value_does_not_explode() -> None:
    deviation = float(benign()[:, TIGHT].std())

    assert seen(deviation, column=TIGHT)[0, TIGHT] == pytest.approx(1 / NARROWEST, rel=0.01)


def test_beyond_ten_spreads_the_logarithm_of_the_distance_counts() -> None:
    spread, centre = float(LENS.spread[NORMAL]), float(LENS.centre[NORMAL])

    z = seen(*(centre + spread * np.array([9, 10, 10 * np.e, -10 * np.e**2])).tolist())[:, NORMAL]

    assert z.tolist() == pytest.approx([9, 10, 20, -30], rel=1e-5)


def test_heavy_tailed_numbers_have_a_second_view_that_is_gaussian() -> None:
    assert LENS.lifted.tolist() == [HEAVY, TIGHT, COUNTS, TINY]  # of the last feature only the first

    z = LENS.apply(torch.from_numpy(benign()))[:, view(HEAVY)]

    assert z.std() == pytest.approx(1, abs=0.05)
    assert torch.quantile(z, torch.tensor([0.16, 0.5, 0.84])).tolist() == pytest.approx([-1, 0, 1], abs=0.05)


def test_wide_matrices_have_no_second_view() -> None:
    values = np.random.default_rng(0).lognormal(0, 2, (300, LIFTED_MOST + 1)).astype(np.float32)

    assert len(fit_lens(values, np.arange(LIFTED_MOST + 1)).lifted) == 0
    assert len(fit_lens(values[:, 1:], np.arange(LIFTED_MOST)).lifted) == LIFTED_MOST


@given(st.integers(0, 6), st.floats(width=32, allow_nan=False), st.floats(width=32, allow_nan=False))
@example(HEAVY, 0.0, LARGEST)
@example(TINY, -LARGEST, LARGEST)
@example(COUNTS, 0.0, 5e-324)
def test_a_larger_value_is_never_seen_as_a_smaller_one(column: int, first: float, second: float) -> None:
    low, high = seen(*sorted((first, second)), column=column)

    assert (low <= high + 1e-5).all()
    assert torch.isfinite(torch.stack([low, high])).all()


@pytest.mark.parametrize("column", [HEAVY, TIGHT, COUNTS, TINY])
def test_normal_scores_grow_all_along_the_line(column: int) -> None:
    usual = np.unique(benign()[:, column])
    away = np.geomspace(0.01, 1e30, 50) * usual[-1]
    line = np.concatenate([usual[0] - away[::-1], usual[:: len(usual) // 50], usual[-1] + away])

    scores = seen(*line.tolist(), column=column)[:, view(column)]

    assert (scores.diff() > 0).all()
    assert scores.diff().max() < 10


def test_values_at_the_ends_of_float32_are_finite_wherever_they_stand() -> None:
    x = torch.tensor([LARGEST, -LARGEST]).repeat_interleave(LENS.width).view(2, -1)

    assert torch.isfinite(LENS.apply(x)).all()


@pytest.mark.parametrize("far", [1, 1e6, 1e20])
def test_what_is_seen_can_be_undone(far: float) -> None:
    x = torch.from_numpy(benign()) * far

    back = LENS.undo(LENS.apply(x))

    assert ((back - x).abs() <= 1e-4 * x.abs() + 1e-5 * LENS.spread).all()


def test_every_column_has_an_owner_or_is_padding() -> None:
    owners = LENS.owners(OF_COLUMN)

    assert owners.tolist() == [*OF_COLUMN, 1, 3, 4, 5, -1, -1, -1, -1, -1]
    assert (LENS.apply(torch.from_numpy(benign()))[:, owners == -1] == 0).all()


@pytest.mark.parametrize("width", [1, 7, 8, 9, 30])
def test_the_width_is_a_multiple_of_8(width: int) -> None:
    values = np.random.default_rng(0).lognormal(0, 2, (100, width)).astype(np.float32)
    lens = fit_lens(values, np.arange(width))

    assert lens.apply(torch.from_numpy(values)).shape == (100, lens.seen)
    assert lens.seen % 8 == 0
    assert 0 <= lens.seen - 2 * width < 8


def test_a_lens_comes_back_from_its_state() -> None:
    x = torch.from_numpy(benign())

    restored = Lens.restore(LENS.state())

    assert torch.equal(restored.apply(x), LENS.apply(x))
    assert (restored.width, restored.seen) == (LENS.width, LENS.seen)


def test_one_record_is_enough() -> None:
    lens = fit_lens(np.ones((1, 3), np.float32), np.arange(3))

    assert lens.apply(torch.tensor([[1.0, 2.0, 0.0]]))[0, :3].tolist() == [0, 1, -1]
