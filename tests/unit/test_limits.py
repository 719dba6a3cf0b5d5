"""What is promised is promised of the score above which a stream alerts, not of 1."""

from __future__ import annotations

import numpy as np

from monitor.core.alert_config import AlertConfig
from monitor.core.config import ScoreConfig
from monitor.training.limits import rarity_range
from tests.records import records

RARITY = np.random.default_rng(1).exponential(0.43, 2000)
HELD_OUT = records(x=RARITY.tolist())
SCORE = ScoreConfig(average=1)


def test_the_threshold_is_measured_from_the_best_record_to_the_limit() -> None:
    at_one, of_one = rarity_range(RARITY, HELD_OUT, SCORE, AlertConfig())
    above, limit = rarity_range(RARITY, HELD_OUT, SCORE, AlertConfig(threshold=1.25))

    assert above == at_one
    assert above.score(np.array([limit.value])).tolist() == [1.25]
    assert limit.rank - 1 == (above.score(RARITY) > 1.25).sum() < of_one.rank - 1


def test_without_a_threshold_of_its_own_the_limit_is_that_of_the_rate() -> None:
    found, limit = rarity_range(RARITY, HELD_OUT, SCORE, AlertConfig(false_alarm_rate=0.05))

    assert (limit.kind, limit.value) == ("rate", found.limit)
    assert limit.share <= 0.05
