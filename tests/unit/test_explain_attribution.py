"""What a score says of single records: the same whoever stands beside them, and rare only what is wrong itself."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.core.arrays import F32
from monitor.core.features import Layout
from monitor.model.calibration import ScoreRange, calibrate_network
from monitor.model.inference import Inference
from monitor.scoring.blend import BlendScorer
from monitor.scoring.l1 import L1Scorer
from monitor.training import panel_fitting
from monitor.training.blend_fitting import fit_blend
from tests.support_models import layout, network, rows

LAYOUT = Layout.of([(f"f{feature}", 2, 1) for feature in range(4)])
BROKEN = 2


def benign(count: int, seed: int) -> F32:
    """Records [count, total] whose features all tell the same hidden number."""
    random = np.random.default_rng(seed)
    hidden = random.normal(0, 1, (count, 1))
    values = np.zeros((count, LAYOUT.total), dtype=np.float32)
    values[:, : LAYOUT.width] = hidden / 3 + random.normal(0, 0.05, (count, LAYOUT.width))
    return values


@pytest.fixture(scope="module")
def judge() -> BlendScorer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(panel_fitting, "STEPS", 300)
        found = fit_blend(benign(600, 1), benign(400, 2), LAYOUT, members=2, masking=0.1, seed=1, on_step=print)
    module = network(LAYOUT.width)
    calibration = calibrate_network(Inference(module, LAYOUT), rows(120, LAYOUT))
    return BlendScorer(module, LAYOUT, calibration, found.blend, ScoreRange("blend", 0.0, 2.0))


@pytest.fixture(scope="module")
def broken() -> F32:
    """Records in which one feature contradicts the others."""
    values = benign(40, 3)
    values[:, 2 * BROKEN : 2 * BROKEN + 2] += 1.5
    return values


def test_a_record_is_told_the_same_bit_for_bit_whoever_stands_beside_it(judge: BlendScorer, broken: F32) -> None:
    together = judge.attribute(broken)
    alone = judge.attribute(broken[7:8])

    for whole, part in zip(together, alone, strict=True):
        assert whole is not None
        assert part is not None
        assert np.array_equal(whole[7:8], part)


def test_expectation_blame_and_rarity_are_those_of_the_score(judge: BlendScorer, broken: F32) -> None:
    told = judge.attribute(broken)

    assert np.array_equal(told.expected, judge.expected(broken))
    assert np.array_equal(told.blame, judge.blame(broken))
    assert told.rarity is not None
    np.testing.assert_allclose(told.rarity, judge.rarity(broken), rtol=1e-4, atol=1e-4)


def test_a_field_that_is_wrong_is_rare_and_its_echo_in_the_others_is_not(judge: BlendScorer, broken: F32) -> None:
    rarities = judge.attribute(broken).field_rarities

    assert rarities is not None
    assert (rarities[:, BROKEN] > 3).mean() > 0.9
    assert (np.delete(rarities, BROKEN, axis=1) < 2).mean() > 0.9


def test_of_benign_records_no_field_is_often_rare(judge: BlendScorer) -> None:
    told = judge.attribute(benign(100, 4))

    assert told.field_rarities is not None
    assert (told.field_rarities > 2).mean() < 0.03


def test_no_record_gives_no_row(judge: BlendScorer) -> None:
    told = judge.attribute(benign(0, 1))

    assert [None if part is None else part.shape for part in told] == [(0, LAYOUT.total), (0, 4), (0,), (0, 4)]


def test_a_plain_score_tells_no_rarity() -> None:
    place = layout(7)
    plain = L1Scorer(network(7), place, calibrate_network(Inference(network(7), place), rows(120, place)))

    told = plain.attribute(rows(3, place, 5))

    assert np.array_equal(told.blame, plain.blame(rows(3, place, 5)))
    assert (told.rarity, told.field_rarities) == (None, None)
