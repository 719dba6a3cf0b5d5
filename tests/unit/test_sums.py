"""Sums of bans judged by how rare such sums are among benign records."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from monitor.training.verdict_fitting import fit_sums


def column(*values: float) -> Tensor:
    return torch.tensor(values)[:, None]


def test_a_sum_is_as_rare_as_the_benign_records_that_reach_it_are_few() -> None:
    benign = torch.from_numpy(np.random.default_rng(1).exponential(1, (10_000, 1))).float()
    sums = fit_sums(benign)

    asked = benign.quantile(torch.tensor([0.5, 0.9, 0.99, 0.999]))[:, None]

    assert sums.rarity(asked)[:, 0].tolist() == pytest.approx([0.3, 1, 2, 3], abs=0.1)


def test_what_two_signs_of_one_thing_add_up_to_is_no_rarer_than_benign_records_have_it() -> None:
    sums = fit_sums(column(*[0.1] * 98, 6.0, 6.0))  # one record in fifty has both signs

    assert sums.rarity(column(6.0)).item() == pytest.approx(np.log10(102 / 3), abs=0.01)


def test_beyond_all_benign_sums_each_ban_counts_in_full() -> None:
    sums = fit_sums(column(*np.linspace(0, 2, 100).tolist()))

    found = sums.rarity(column(2.0, 3.0, 10.0))[:, 0]

    assert (found[1:] - found[0]).tolist() == pytest.approx([1, 8], abs=1e-5)


def test_a_larger_sum_is_never_less_rare_and_columns_are_apart() -> None:
    benign = torch.from_numpy(np.random.default_rng(2).gamma(2, 1, (57, 3))).float()
    sums = fit_sums(benign)

    asked = torch.linspace(0, 30, 400)[:, None].expand(-1, 3)
    found = sums.rarity(asked)

    assert (found.diff(dim=0) >= 0).all()
    for k in range(3):
        assert torch.equal(found[:, k], fit_sums(benign[:, k : k + 1]).rarity(asked[:, :1])[:, 0])


def test_one_benign_record_is_enough_to_have_a_rarity() -> None:
    assert torch.isfinite(fit_sums(column(0.0)).rarity(column(0.0, 5.0))).all()
