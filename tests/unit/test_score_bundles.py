"""What a score learned is published, comes back as it was, and is refused when it is not what the score needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from monitor.core.alert_config import AlertConfig
from monitor.core.config import ScoreConfig
from monitor.core.errors import BundleError
from monitor.core.features import FeatureMatrix
from monitor.model.bundle import BundleContents, verify
from monitor.model.calibration import ScoreRange
from monitor.model.publishing import publish
from monitor.scoring.blend import BlendScorer
from monitor.scoring.canary import with_scores
from monitor.scoring.choice import MAKERS, scorer_of
from monitor.scoring.field import FieldScorer
from monitor.scoring.l1 import L1Scorer
from monitor.scoring.masked import MaskedScorer
from monitor.scoring.shapes import INTEGERS, SHAPES
from monitor.training import panel_fitting
from monitor.training.blend_fitting import fit_blend
from monitor.training.limits import rarity_range
from tests.records import records
from tests.support_models import contents
from tests.worst_field import FITTERS, PLACE, encoded, model

SCORERS: dict[str, type[L1Scorer]] = {"field": FieldScorer, "masked": MaskedScorer, "blend": BlendScorer}
every_method = pytest.mark.parametrize("method", sorted(SCORERS))


@cache
def made(method: str) -> BundleContents:
    """A model scored by a method, with the scores of its canary."""
    bare = model(method, encoded(300, 2)) if method in FITTERS else blended()
    return replace(bare, canary=with_scores(bare.canary, scorer_of(bare, PLACE)))


def blended() -> BundleContents:
    train, held_out = encoded(300, 1), encoded(300, 2)
    for values in (train, held_out):  # a heavy tail, so that the lens has a second view
        values[:, 4] = np.random.default_rng(3).lognormal(0, 1.5, len(values)) / 10
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(panel_fitting, "STEPS", 5)  # a panel that was hardly trained will do
        patch.setattr(panel_fitting, "STEPS_LEAST", 5)
        learned = fit_blend(train, held_out, PLACE, members=2, masking=0.1, seed=1, on_step=lambda *_: None)
    nobody = records(x=[0.0] * len(held_out))
    found, limit = rarity_range(learned.rarity, nobody, ScoreConfig(average=1), AlertConfig())
    return replace(model("field", held_out), score=found, limit=limit, evidence=learned.blend.state())


def changed(method: str, name: str, change: Callable[[Tensor], Tensor | None]) -> BundleContents:
    """The model with one tensor changed, or without it."""
    tensors = {key: tensor.clone() for key, tensor in made(method).evidence.items()}
    tensor = change(tensors.pop(name))
    return replace(made(method), evidence=tensors if tensor is None else {**tensors, name: tensor})


def refuse(model: BundleContents, match: str) -> None:
    with pytest.raises(BundleError, match=match):
        scorer_of(model, model.layout)


def test_every_method_has_a_scorer_and_shapes() -> None:
    assert SCORERS.keys() == MAKERS.keys() == SHAPES.keys()


@every_method
def test_a_published_score_comes_back_bit_for_bit(method: str, tmp_path: Path) -> None:
    bundle = tmp_path / "web" / publish(tmp_path, made(method), now=1.7e9)

    read = verify(bundle).contents

    before, after = (scorer_of(model, PLACE) for model in (made(method), read))
    matrix = FeatureMatrix(encoded(200, 3), PLACE)
    assert type(after) is SCORERS[method]
    assert read.canary == made(method).canary
    assert np.array_equal(after.score(matrix).scores, before.score(matrix).scores)
    assert np.array_equal(after.blame(matrix.values[:3]), before.blame(matrix.values[:3]))


@every_method
def test_every_tensor_of_a_score_is_checked(method: str) -> None:
    tensors = made(method).evidence

    assert SHAPES[method](tensors, PLACE) == {name: tuple(tensor.shape) for name, tensor in tensors.items()}


@every_method
def test_a_missing_tensor_is_refused(method: str) -> None:
    for name, tensor in made(method).evidence.items():
        refuse(changed(method, name, lambda _: None), r"evidence\.safetensors: tensor '.*' has shape")
        assert tensor is made(method).evidence[name]


@every_method
def test_another_shape_is_refused(method: str) -> None:
    for name in made(method).evidence:
        refuse(changed(method, name, lambda t: t[..., None]), r"evidence\.safetensors: tensor '.*' has shape")


@every_method
def test_another_type_is_refused(method: str) -> None:
    for name in made(method).evidence:
        refuse(changed(method, name, lambda t: t.to(torch.float64)), f"tensor '{name}' is not (float32|int64) or has")


@every_method
def test_values_that_are_not_finite_are_refused(method: str) -> None:
    for name in made(method).evidence.keys() - INTEGERS.keys():
        refuse(changed(method, name, lambda t: t * math.nan), f"tensor '{name}' is not float32 or has values that are")


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [("evidence.lens.lifted", 5, "outside 0 to 4"), ("evidence.lens.lifted", -1, "outside 0 to 4"),
     ("evidence.lens.count", 65, "outside 2 to 64"), ("evidence.lens.count", 1, "outside 2 to 64")],
)  # fmt: skip
def test_a_column_or_a_knot_that_is_not_there_is_refused(name: str, values: int, reason: str) -> None:
    assert len(made("blend").evidence[name]) > 0

    refuse(changed("blend", name, lambda t: t * 0 + values), f"tensor '{name}' is not int64 or has values {reason}")


@pytest.mark.parametrize(
    ("method", "name"),
    [("field", "errors.bans"), ("field", "novelties.levels"), ("masked", "hidden.errors.bans"),
     ("masked", "gate"), ("blend", "verdict.rarities.whole.bans"), ("blend", "verdict.rarities.novelties.levels"),
     ("blend", "evidence.panel.weights.0"), ("blend", "evidence.book.rows"), ("blend", "evidence.lens.centre")],
)  # fmt: skip
def test_what_another_training_learned_is_told_by_the_canary(method: str, name: str) -> None:
    refuse(changed(method, name, lambda t: t * 1.5 + 40), "the canary rows give other scores than at publication")


@every_method
def test_another_range_is_told_by_the_canary(method: str) -> None:
    found = made(method).score
    assert found is not None

    refuse(replace(made(method), score=replace(found, limit=found.limit * 1.2)), "the canary rows give other scores")


def test_bundles_from_before_the_canary_knew_the_score_are_still_read() -> None:
    old = replace(made("field"), canary=replace(made("field").canary, scores=()))

    assert type(scorer_of(old, PLACE)) is FieldScorer


def test_scores_of_the_canary_that_do_not_match_its_rows_are_not_published(tmp_path: Path) -> None:
    canary = made("field").canary

    with pytest.raises(BundleError, match="canary rows and scores do not match; nothing was published"):
        publish(tmp_path, replace(made("field"), canary=replace(canary, scores=canary.scores[1:])), now=1.7e9)


def test_a_method_of_a_newer_version_is_refused_with_the_cure() -> None:
    model = contents(score=ScoreRange("oracle", 0.0, 1.0), evidence={"x": torch.zeros(1)})

    refuse(model, "is scored by 'oracle', which this version of aemonitor does not know; upgrade, or make a new model")


def test_half_of_the_canary_is_spoiled_so_that_novelty_and_every_field_have_a_part_in_it() -> None:
    rows = made("field").canary.rows()

    benign, spoiled = rows[:8], rows[8:]

    assert not benign[:, PLACE.width :].any()
    assert spoiled[:, PLACE.width :].any(0).all()
    assert ((spoiled != benign)[:, : PLACE.width]).any(0).all()
