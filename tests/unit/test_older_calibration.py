"""What a training makes of the scores of older records: a limit that rests on them, or none of it where it must not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from monitor.core.alert_config import AlertConfig
from monitor.core.config import ScoreConfig
from monitor.core.errors import TryLaterError
from monitor.core.model_config import ModelConfig
from monitor.core.protocols import Encoder
from monitor.core.records import RecordBatch
from monitor.deciding.score_tail import ScoreTail
from monitor.encoders import numeric, streaming
from monitor.ingest.features import FeatureSpace
from monitor.model.bundle import BundleContents
from monitor.model.calibration import method_of
from monitor.scoring.choice import scorer_of
from monitor.training.limits import l1_limit
from monitor.training.recipe import Judging, Trained, train
from tests.records import records
from tests.support_models import CPU

ROWS, MORE = 400, 4_000
"""Records that are learned, and those before them."""


def made(count: int, seed: int) -> RecordBatch:
    random = np.random.default_rng(seed)
    values = {name: (50 + 10 * random.normal(size=count)).tolist() for name in "ab"}
    return records(**values, times=(60.0 * np.arange(count)).tolist())


def number(name: str) -> Encoder:
    return numeric.build(numeric.Config(divide_by=100), name)


def average(name: str) -> Encoder:
    return streaming.build(streaming.Config(), name)


def learned(
    judging: Judging, model: Mapping[str, object] | None = None, encoder: Callable[[str], Encoder] = number
) -> Trained:
    options = {"batch_size": 64, "epochs": 3, "hidden": [1], **(model or {})}
    encoders = {name: encoder(name) for name in "ab"}
    config = ModelConfig.model_validate(options)
    return train("s", made(ROWS, 1), encoders, config, judging, CPU, lambda _epoch: None)


def scored(contents: BundleContents) -> ScoreTail:
    """The older records, as the model scores them."""
    space, batch = FeatureSpace.fit({name: number(name) for name in "ab"}, made(ROWS, 1)), made(MORE, 2)
    return ScoreTail.of(scorer_of(contents, space.layout, CPU).score(space.encode(batch)).scores, batch.times)


def never(_contents: BundleContents) -> ScoreTail:
    raise AssertionError("asked for older records")


def judging(method: str, older: Callable[[BundleContents], ScoreTail | None], **alert: object) -> Judging:
    score = ScoreConfig.model_validate({"method": method, "members": 1, "average": 1})
    return Judging(score, AlertConfig.model_validate(alert), older=older)


@pytest.mark.parametrize("method", ["l1", "field"])
def test_the_limit_rests_on_older_records_too(method: str) -> None:
    contents = learned(judging(method, scored, budget="3/day")).contents

    assert method_of(contents.score) == method
    assert contents.limit is not None
    assert contents.limit.records == contents.data.calibration + MORE
    assert contents.limit.daily is not None
    assert contents.limit.daily.records == pytest.approx(1440, rel=0.05)


def test_a_budget_that_the_newest_records_cannot_support_is_kept() -> None:
    with pytest.raises(TryLaterError, match=r"0\.5 alerts a day need at least"):
        learned(judging("field", lambda _contents: None, budget="0.5/day"))

    limit = learned(judging("field", scored, budget="0.5/day")).contents.limit

    assert limit is not None
    assert limit.daily is not None
    assert limit.daily.expected <= 0.5


def test_of_older_records_that_are_otherwise_nothing_is_taken() -> None:
    def odd(contents: BundleContents) -> ScoreTail:
        found = scored(contents)
        return replace(found, scores=found.scores * 3)

    alone = learned(judging("field", lambda _contents: None)).contents.limit

    assert learned(judging("field", odd)).contents.limit == alone


@pytest.mark.parametrize("model", [{"split": "none"}, {"trim": 0.02}])
def test_where_all_is_learned_or_some_is_suspected_nobody_asks(model: dict[str, object]) -> None:
    assert learned(judging("field", never), model).contents.limit is not None


def test_where_scores_depend_on_the_records_before_nobody_asks() -> None:
    remembering = learned(judging("field", never), encoder=average)
    averaged = replace(judging("field", never), score=ScoreConfig.model_validate({"method": "field", "average": 5}))

    assert remembering.features.remembers
    assert learned(averaged).contents.limit is not None


def test_older_records_with_times_do_not_go_with_newest_ones_without() -> None:
    newest = records(a=[1.0] * ROWS, times=[math.nan] * ROWS)
    scores = np.random.default_rng(3).random(ROWS + MORE)
    older = ScoreTail.of(scores[ROWS:], np.arange(0.0, 60.0 * MORE, 60.0))

    limit = l1_limit(scores[:ROWS], newest, AlertConfig(false_alarm_rate=0.01), older=lambda: older)

    assert limit.records == ROWS
