"""The scores `field` and `masked`: the same for a record wherever it stands, exact, honestly ranked, explained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.core.arrays import F32, F64
from monitor.core.features import FeatureMatrix
from monitor.core.model_config import ModelConfig
from monitor.model.inference import Inference, field_errors
from monitor.scoring.choice import scorer_of
from monitor.scoring.field import FieldScorer
from monitor.scoring.l1 import L1Scorer
from monitor.scoring.masked import SHARE, SUSPECTS, MaskedScorer
from monitor.training.cross_ranking import FOLDS
from tests.support_models import layout, network, rows
from tests.worst_field import CONSTANT, FITTERS, FREE, LEVEL, MIRROR, PLACE, WHOLE, encoded, model, trained

METHODS = sorted(FITTERS)
every_method = pytest.mark.parametrize("method", METHODS)


def scorer(method: str) -> FieldScorer:
    made = scorer_of(model(method, encoded(600, 2)), PLACE)
    assert isinstance(made, FieldScorer)
    return made


def scores(judge: L1Scorer, values: F32) -> F64:
    return judge.score(FeatureMatrix(values, judge.layout)).scores


def mirrored() -> tuple[F32, F32]:
    """Records, and the same with the mirror of other ones: each value is usual, only the relation is broken."""
    sound = encoded(200, 8)
    faulty = sound.copy()
    faulty[:, MIRROR] = sound[::-1, MIRROR]
    apart = np.abs(faulty[:, MIRROR] - sound[:, MIRROR]) > 0.8
    return sound[apart], faulty[apart]


# -- the same record, the same score -----------------------------------------------------------------------------


@every_method
@pytest.mark.parametrize("width", [1, 3, 16, 37, 100])
def test_a_record_has_the_same_score_bit_for_bit_alone_and_anywhere_in_any_batch(method: str, width: int) -> None:
    place = layout(width, novelty=width % 4)
    judge = scorer_of(model(method, rows(100, place, 1), network(width), place), place)
    values = rows(1300, place)
    whole = scores(judge, values)

    order = np.random.default_rng(3).permutation(len(values))
    alone = [scores(judge, values[i : i + 1])[0] for i in range(0, len(values), 97)]
    parts = [scores(judge, part) for part in np.array_split(values, [1, 6, 900])]

    assert np.array_equal(scores(judge, values[order]), whole[order])
    assert np.array_equal(alone, whole[::97])
    assert np.array_equal(np.concatenate(parts), whole)


@every_method
def test_what_is_said_of_a_record_does_not_depend_on_the_others_asked_about(method: str) -> None:
    judge, values = scorer(method), encoded(4, 5)

    together = judge.attribute(values)
    alone = [judge.attribute(values[i : i + 1]) for i in range(4)]

    for part, parts in zip(together, zip(*alone, strict=True), strict=True):
        assert part is not None
        assert np.array_equal(part, np.concatenate(parts))


@every_method
def test_the_l1_score_stands_beside_it_and_nothing_has_no_scores(method: str) -> None:
    judge, matrix = scorer(method), FeatureMatrix(encoded(50, 5), PLACE)
    plain = L1Scorer(trained(), PLACE, judge.calibration).score(matrix)

    batch = judge.score(matrix)

    assert np.array_equal(batch.errors, plain.errors)
    assert np.array_equal(batch.l1, plain.scores)
    assert not np.array_equal(batch.scores, batch.l1)
    assert len(scores(judge, encoded(0, 1))) == 0
    assert judge.blame(encoded(0, 1)).shape == (0, 5)


# -- what a score means ------------------------------------------------------------------------------------------


def bans(part: str, state: dict[str, F64], errors: F64, novelty: F64) -> F64:
    """The rarity of the worst field [n], written out in float64 from the published tensors."""
    fields = errors.shape[1]
    worst = np.zeros(len(errors))
    for field in range(fields):
        knots, ranks = (state[f"{part}errors.{name}"][field] for name in ("knots", "bans"))
        beyond = np.log(np.maximum(errors[:, field] / knots[-1], 1)) * state[f"{part}errors.slopes"][field]
        rare = np.interp(errors[:, field], knots, ranks) + beyond
        chance = 1 - (1 - 10.0**-rare) ** fields
        corrected = np.where(rare < 5, -np.log10(np.maximum(chance, 1e-300)), rare - np.log10(fields))
        worst = np.maximum(worst, corrected + novelty[:, field])
    return worst


def novelty_of(values: F32) -> F64:
    return values[:, PLACE.width :].astype(np.float64)


@every_method
def test_scores_agree_with_a_float64_reference(method: str) -> None:
    made, inference = model(method, encoded(600, 2)), Inference(trained(), PLACE)
    values = np.concatenate([encoded(300, 3), mirrored()[1], rows(100, PLACE, 4)])
    values[::7, PLACE.width] = 2.5
    state = {name: tensor.double().numpy() for name, tensor in made.evidence.items()}
    plain = values * (np.arange(PLACE.total) < PLACE.width)
    seen, hidden = (field_errors(PLACE, plain, of(plain)) for of in (inference.reconstruct, inference.hidden))

    if method == "field":
        expected = bans("", state, seen, novelty_of(values))
    else:
        expected = bans("seen.", state, seen, novelty_of(values))
        twice = np.maximum(expected, bans("hidden.", state, hidden, novelty_of(values)))
        expected = np.where(inference.errors(values) > state["gate"][0], twice, expected)

    judge = scorer_of(made, PLACE)
    assert isinstance(judge, FieldScorer)
    np.testing.assert_allclose(judge.rarity(values), expected, rtol=1e-3, atol=1e-3)


def test_only_suspicious_records_are_looked_at_twice() -> None:
    once, twice, values = scorer("field"), scorer("masked"), encoded(3000, 5)
    errors = Inference(trained(), PLACE).errors(values)
    gate = float(model("masked", encoded(600, 2)).evidence["gate"])

    rarer = twice.rarity(values) > once.rarity(values)

    assert (twice.rarity(values) >= once.rarity(values)).all()
    assert rarer.any()
    assert (errors[rarer] > gate).all()
    assert SHARE / 2 < (errors > gate).mean() < SHARE * 2


@every_method
def test_new_benign_records_exceed_the_limit_as_often_as_promised(method: str) -> None:
    promised = model(method, encoded(600, 2)).limit
    assert promised is not None
    random = np.random.default_rng(0)
    shares = random.beta(promised.rank, promised.records - promised.rank + 1, 100_000)
    fewest, most = np.quantile(random.binomial(4000, shares), [0.001, 0.999])

    alarms = (scores(scorer(method), encoded(4000, 6)) > 1).sum()

    assert fewest <= alarms <= most


@every_method
def test_held_out_records_are_ranked_by_others(method: str) -> None:
    held_out, inference = encoded(100, 2), Inference(trained(), PLACE)
    other = held_out.copy()
    other[3, : PLACE.width] += 100

    before, after = (FITTERS[method](inference, values).rarity for values in (held_out, other))

    beside = slice(4, 100 // FOLDS)  # of the same stretch as the one that changed
    assert after[3] > before[3]
    assert np.array_equal(after[beside], before[beside])
    assert not np.array_equal(after, np.where(np.arange(100) == 3, after, before))


@every_method
@pytest.mark.parametrize("feature", [WHOLE, MIRROR, LEVEL, FREE])
def test_farther_is_more_anomalous(method: str, feature: int) -> None:
    block = PLACE.blocks[feature]
    values = np.repeat(encoded(20, 7)[:, np.newaxis], 4, axis=1)
    values[:, :, block.start : block.stop] += np.array([0, 3, 100, 1e4], np.float32)[:, np.newaxis]

    found = scores(scorer(method), values.reshape(-1, PLACE.total)).reshape(20, 4)

    assert (np.diff(found) > 0).all()
    assert (found[:, 1] > 1).all()


@every_method
def test_a_changed_constant_alerts_and_a_stronger_novelty_is_more_anomalous(method: str) -> None:
    values = np.repeat(encoded(1, 7), 3, axis=0)
    values[1:, PLACE.blocks[CONSTANT].novelty_start] = [3.0, 5.0]

    usual, weak, strong = scores(scorer(method), values)

    assert usual < 1 < weak < strong


@every_method
def test_the_farthest_values_of_float32_have_finite_scores_above_all_benign_ones(method: str) -> None:
    judge, values = scorer(method), np.full((2, PLACE.total), np.finfo(np.float32).max, dtype=np.float32)
    values[1, : PLACE.width] *= -1

    found = scores(judge, values)

    assert np.isfinite(found).all()
    assert (found > scores(judge, encoded(400, 2)).max()).all()
    assert all(np.isfinite(part).all() for part in judge.attribute(values) if part is not None)


# -- what is said of a record ------------------------------------------------------------------------------------


@every_method
def test_the_field_that_breaks_a_relation_is_found_blamed_and_said_what_it_should_be(method: str) -> None:
    judge, (sound, faulty) = scorer(method), mirrored()

    told = judge.attribute(faulty)

    assert (scores(judge, faulty) > 1).mean() > 0.9
    assert (told.blame.argmax(1) == MIRROR).mean() > 0.8
    assert np.median(np.abs(told.expected[:, MIRROR] - sound[:, MIRROR])) < 0.3  # about 2 from smallest to largest
    assert (told.blame >= 0).all()
    assert told.rarity is not None
    assert np.array_equal(told.rarity, judge.rarity(faulty))


def test_what_is_expected_of_a_field_is_told_by_the_others_alone() -> None:
    values = np.repeat(encoded(1, 9), 2, axis=0)
    values[1, MIRROR] = 77

    first, second = scorer("masked").expected(values)

    assert first[MIRROR] == second[MIRROR]
    assert first[WHOLE] != second[WHOLE]
    assert not first[PLACE.width :].any()


def test_a_network_that_never_learned_to_do_without_a_field_says_what_it_makes_of_all() -> None:
    judge = scorer_of(replace(model("field", encoded(600, 2)), config=ModelConfig()), PLACE)

    expected = judge.expected(encoded(5, 9))

    assert np.array_equal(expected, judge.reconstruct(encoded(5, 9)))


def test_of_many_fields_the_rarest_are_asked_whether_they_are_to_blame() -> None:
    place = layout(60)
    judge = scorer_of(model("masked", rows(100, place, 1), network(60), place), place)
    assert isinstance(judge, MaskedScorer)
    values = rows(3, place, 2)
    values[:, place.blocks[13].novelty_start] = 20

    blame = judge.blame(values)

    assert ((blame > 0).sum(1) <= SUSPECTS).all()
    assert (blame.argmax(1) == 13).all()
