"""How rare an error is: what the ranks of benign errors say, and beyond them what their tail says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.arrays import F64
from monitor.model.ops import doubles
from monitor.scoring.tails import MOST, Tails
from monitor.training.tail_fitting import fit_tails

ERRORS = st.lists(st.floats(0, 2.0**100, width=32), min_size=1, max_size=60)


def bans(tails: Tails, *errors: float) -> F64:
    """The rarity of some errors in the first column."""
    found = tails.rarity(torch.tensor(errors, dtype=torch.float32)[:, None].expand(-1, len(tails.knots)))
    return doubles(found[:, 0])


def column(*errors: float) -> F64:
    return np.array(errors, dtype=np.float64)[:, None]


@pytest.mark.parametrize("count", [100, 700, 5000])
def test_among_the_benign_errors_their_ranks_decide(count: int) -> None:
    errors = np.sort(np.random.default_rng(1).gamma(2, 1, count))
    inside = np.arange(0, round(count * 0.9), 7)

    found = bans(fit_tails(errors[:, None]), *errors[inside])

    np.testing.assert_allclose(found, -np.log10(1 - inside / count), atol=0.05)


@pytest.mark.parametrize("exponent", [1.5, 3.0, 6.0])
def test_behind_them_a_pareto_tail_goes_on_at_its_own_slope(exponent: float) -> None:
    errors = np.random.default_rng(2).pareto(exponent, 50_000) + 1
    tails = fit_tails(errors[:, None])

    assert tails.slopes[0] * np.log(10) == pytest.approx(exponent, rel=0.15)
    for rarity in (2, 3, 6):
        assert bans(tails, 10 ** (rarity / exponent))[0] == pytest.approx(rarity, rel=0.15)


def test_columns_are_judged_each_by_its_own_errors() -> None:
    errors = np.random.default_rng(3).gamma(2, 1, (1000, 1)) * [1, 10, 100]

    rarity = fit_tails(errors).rarity(torch.tensor([[5.0, 50.0, 500.0], [5.0, 5.0, 5.0]]))

    assert rarity[0].tolist() == pytest.approx([float(rarity[0, 0])] * 3, rel=1e-4)
    assert (rarity[1].diff() < 0).all()


@given(ERRORS, ERRORS)
def test_a_larger_error_is_never_less_rare_and_every_rarity_is_finite(benign: list[float], errors: list[float]) -> None:
    tails = fit_tails(column(*benign))

    found = bans(tails, *sorted([0.0, *errors, *benign, 3.4e38]))

    assert np.isfinite(found).all()
    assert (np.diff(found) >= -1e-5).all()
    assert ((found >= 0) & (found <= MOST)).all()


def test_farther_is_rarer_all_the_way() -> None:
    tails = fit_tails(np.random.default_rng(4).gamma(2, 1, (500, 1)))

    assert (np.diff(bans(tails, *np.geomspace(0.5, 1e9, 100))) > 0).all()


def test_errors_that_many_benign_records_share_are_no_rarity() -> None:
    benign = np.sort(np.concatenate([np.zeros(300), np.full(600, 0.5), np.linspace(1, 2, 50), np.full(50, 3)]))
    tails = fit_tails(benign[:, None])

    found = bans(tails, 0.0, 0.5, 3.0, 3.3)

    assert found[:3] == pytest.approx([0, -np.log10(0.7), -np.log10(0.05)], abs=0.02)
    assert found[3] > found[2]


def test_where_benign_errors_are_all_alike_any_larger_one_is_rare() -> None:
    assert bans(fit_tails(column(*[2.0] * 50)), 1.0, 2.0, 4.0) == pytest.approx([0, 0, 6], abs=0.1)
    assert bans(fit_tails(column(*[0.0] * 50)), 0.0, 1.0) == pytest.approx([0, 120], abs=1)


def test_tails_come_back_from_their_state() -> None:
    tails = fit_tails(np.random.default_rng(5).gamma(2, 1, (200, 2)))
    errors = torch.rand(20, 2) * 20

    assert torch.equal(Tails.restore(tails.state()).rarity(errors), tails.rarity(errors))


@pytest.mark.parametrize("least", [0.0, 0.7, 1.6, 2.5])
def test_the_highest_of_some_columns_is_found_without_looking_at_all_of_them(least: float) -> None:
    random = np.random.default_rng(4)
    benign = random.lognormal(0.0, 1.0, (3_000, 6))
    benign[:, 4] = 1.0  # one that never differs
    benign[:, 5] = random.integers(0, 3, 3_000)
    tails = fit_tails(benign)
    errors = torch.from_numpy(np.concatenate([benign[:200], 30 * benign[200:220], np.zeros((1, 6))])).float()

    found = tails.highest(errors, least, tails.bounds(least))

    torch.testing.assert_close(found, tails.rarity(errors).amax(1).clamp(min=least))
    assert found.max() > 3
