"""What a novelty weighs: all of it where benign records have none like it, little where they have many."""

from __future__ import annotations

from math import log10

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.arrays import F64
from monitor.model.ops import doubles
from monitor.scoring.surprises import Surprises
from monitor.training.verdict_fitting import fit_surprises

RECORDS = 398

STRENGTHS = st.lists(st.sampled_from([0.0, 0.0, 0.5, 2.5, 2.5, 7.0]) | st.floats(0, 64, width=32), min_size=1)


def weights(surprises: Surprises, *strengths: float) -> F64:
    """What novelties of the first feature weigh."""
    novelty = torch.zeros(len(strengths), len(surprises.levels))
    novelty[:, 0] = torch.tensor(strengths)
    return doubles(surprises.weigh(novelty)[:, 0])


def benign(*strengths: float) -> torch.Tensor:
    """Novelties of held-out records: these of the first feature, none of the second."""
    novelty = torch.zeros(RECORDS, 2)
    novelty[: len(strengths), 0] = torch.tensor(strengths)
    return novelty


def test_where_benign_records_have_none_a_novelty_weighs_all_it_has() -> None:
    assert weights(fit_surprises(benign()), 0.0, 0.5, 7.0, 60.0).tolist() == [0, 0.5, 7, 60]


@pytest.mark.parametrize("times", [1, 2, 8, 32])
def test_a_novelty_that_benign_records_have_is_as_rare_as_among_them(times: int) -> None:
    surprises = fit_surprises(benign(*[5.0] * times))

    assert weights(surprises, 5.0) == pytest.approx([log10(400 / (times + 1))])
    assert weights(surprises, 0.1) == pytest.approx([0.1])


def test_a_stronger_one_than_any_benign_record_has_weighs_what_it_has_more() -> None:
    surprises = fit_surprises(benign(*[5.0] * 32))

    assert weights(surprises, 6.0, 15.0) == pytest.approx([1 + log10(200), 10 + log10(200)])


def test_features_are_weighed_each_by_its_own_novelties() -> None:
    surprises = fit_surprises(benign(*[5.0] * 100))

    frequent, never = surprises.weigh(torch.tensor([[5.0, 5.0]]))[0].tolist()

    assert frequent < 0.8
    assert never == 5


@given(STRENGTHS, STRENGTHS)
def test_a_stronger_novelty_never_weighs_less_nor_any_more_than_it_has(known: list[float], new: list[float]) -> None:
    surprises = fit_surprises(torch.tensor(known, dtype=torch.float32)[:, None])
    strengths = np.sort(np.array([*new, *known, 0.0, 3.4e38], dtype=np.float32))

    found = weights(surprises, *strengths)

    assert (np.diff(found) >= -1e-5).all()
    assert ((found >= 0) & (found <= strengths)).all()


def test_surprises_come_back_from_their_state() -> None:
    surprises = fit_surprises(benign(*np.random.default_rng(0).uniform(0, 9, 50)))

    restored = Surprises.restore(surprises.state())

    assert np.array_equal(weights(restored, 1.0, 5.0, 12.0), weights(surprises, 1.0, 5.0, 12.0))
