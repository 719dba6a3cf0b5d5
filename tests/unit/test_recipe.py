from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from monitor.core.alert_config import AlertConfig
from monitor.core.config import ScoreConfig
from monitor.core.errors import DataError
from monitor.core.features import Layout
from monitor.core.model_config import ModelConfig
from monitor.encoders import numeric
from monitor.model.autoencoder import Autoencoder
from monitor.model.calibration import method_of
from monitor.model.device import spare_cores, threads
from monitor.model.history import Epoch, History
from monitor.model.inference import Inference, field_errors
from monitor.scoring.choice import scorer_of
from monitor.scoring.l1 import L1Scorer
from monitor.training.blend_fitting import LEAST
from monitor.training.recipe import Judging, Trained, explained_share, train
from tests.records import records
from tests.support_models import CPU, L1


def constant_network(answer: list[float]) -> Inference:
    """A network that answers every record with the same one, and a layout with a novelty column beside it."""
    module = Autoencoder((len(answer), 1, len(answer)), "none", "none")
    for layer in module.linears():
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    with torch.no_grad():
        module.linears()[-1].bias.copy_(torch.tensor(answer))
    return Inference(module, Layout.of([("f", len(answer), 1)]))


RARITIES = {
    method: Judging(ScoreConfig.model_validate({"method": method, "members": 1}), AlertConfig())
    for method in ("field", "masked", "blend")
}
BLEND = RARITIES["blend"]


def trained(model: dict[str, object], judging: Judging = L1, rows: int = 200) -> Trained:
    t = np.linspace(0, 20, rows)
    batch = records(a=(50 + 40 * np.sin(t)).tolist(), b=(50 + 40 * np.sin(t + 0.1)).tolist())
    encoders = {name: numeric.build(numeric.Config(divide_by=100), name) for name in "ab"}
    config = ModelConfig.model_validate({"batch_size": 16, "epochs": 30, "hidden": [1], **model})
    return train("s", batch, encoders, config, judging, CPU, lambda _epoch: None)


def test_explained_is_one_minus_squared_errors_over_variation() -> None:
    values = np.array([[0.0, 1.0, 9.0], [1.0, 3.0, 9.0]], dtype=np.float32)  # the last column is a novelty

    share = explained_share(constant_network([0.5, 1.0]), values)

    # squared errors: 0.25 + 0 and 0.25 + 4; around the mean (0.5, 2): 0.25 + 1 and 0.25 + 1
    assert share == pytest.approx(1 - 4.5 / 2.5)


def test_the_mean_record_explains_nothing() -> None:
    values = np.array([[0.0, 1.0, 0.0], [1.0, 3.0, 0.0]], dtype=np.float32)

    assert explained_share(constant_network([0.5, 2.0]), values) == pytest.approx(0.0)


def test_records_that_do_not_vary_have_nothing_to_explain() -> None:
    values = np.ones((4, 3), dtype=np.float32)

    assert explained_share(constant_network([0.5, 2.0]), values) is None


def test_a_network_that_learned_explains_its_records() -> None:
    history = trained({}).contents.history

    assert history.explained is not None
    assert history.explained > 0.9
    assert not history.collapsed


def test_a_network_of_dead_units_has_collapsed() -> None:
    history = trained({"hidden": [8, 4, 2, 1, 2, 4, 8], "activation": "relu", "optimizer": "sgd"}).contents.history

    assert history.collapsed


@pytest.mark.parametrize(("explained", "collapsed"), [(None, False), (-0.5, True), (0.0, True), (0.02, False)])
def test_collapsed_means_that_hardly_anything_is_explained(explained: float | None, collapsed: bool) -> None:
    assert History((Epoch(1, 0.1),), 1, explained=explained).collapsed == collapsed


def test_without_a_split_all_records_train_and_calibrate() -> None:
    data = trained({"split": "none"}).contents.data

    assert (data.train, data.early_stop, data.calibration) == (200, 0, 200)


@pytest.mark.parametrize("method", RARITIES)
def test_the_l1_score_is_the_same_whatever_else_scores(method: str) -> None:
    options: dict[str, object] = {"epochs": 3, "masking": 0.1}
    plain, blend = trained(options), trained(options, RARITIES[method])
    matrix = plain.features.encode(records(a=[50.0, 90.0, 7.0], b=[50.0, 10.0, 900.0]))

    alone = scorer_of(plain.contents, matrix.layout).score(matrix)
    beside = scorer_of(blend.contents, matrix.layout).score(matrix)

    assert method_of(blend.contents.score) == method
    assert len(blend.contents.canary.scores) == len(blend.contents.canary.errors)
    assert plain.contents.calibration == blend.contents.calibration
    assert np.array_equal(alone.scores, alone.l1)
    assert np.array_equal(beside.l1, alone.l1)
    assert np.array_equal(beside.errors, alone.errors)
    assert not np.array_equal(beside.scores, beside.l1)


@pytest.mark.parametrize("method", RARITIES)
def test_with_few_records_to_hold_out_the_score_is_the_plain_l1(method: str) -> None:
    enough, few = (trained({"epochs": 1}, RARITIES[method], rows=rows).contents for rows in (120, 60))

    assert enough.data.calibration >= LEAST > few.data.calibration
    assert (enough.score is None, few.score is None) == (False, True)
    assert few.evidence == {}


@pytest.mark.parametrize("method", RARITIES)
def test_of_constants_alone_the_score_is_the_plain_l1(method: str) -> None:
    encoders = {"a": numeric.build(numeric.Config(), "a")}

    benign, judging = records(a=[1.0] * 300), RARITIES[method]
    contents = train("s", benign, encoders, ModelConfig(), judging, CPU, lambda _epoch: None).contents

    assert contents.score is None
    assert type(scorer_of(contents, contents.layout)) is L1Scorer


def test_without_novelty_the_error_is_that_of_the_reconstruction_alone() -> None:
    without = trained({"novelty": False}).contents
    inference = Inference(without.module, without.layout)
    values = trained({"novelty": False}).features.encode(records(a=[5000.0, 50.0], b=[50.0, None])).values

    errors = inference.errors(values)

    reproduced = np.abs(values - inference.reconstruct(values))[:, : without.layout.width].sum(axis=1)
    np.testing.assert_allclose(errors, reproduced, rtol=1e-6)
    assert (values[:, without.layout.width :].sum(axis=1) > 0).all()
    assert field_errors(without.layout, values, inference.reconstruct(values)).sum() == pytest.approx(errors.sum())


def test_without_novelty_a_reason_still_names_what_benign_data_never_showed() -> None:
    model = trained({"novelty": False})
    row = model.features.encode(records(a=[5000.0], b=[None])).values[0]

    findings = model.features.explain(row, np.zeros_like(row))

    assert findings["a"].reason.startswith("above everything benign")
    assert findings["b"].reason.startswith("missing")


def test_without_novelty_constants_alone_are_nothing_to_score() -> None:
    batch = records(a=[1.0] * 20)
    encoders = {"a": numeric.build(numeric.Config(), "a")}

    with pytest.raises(DataError, match=r"model\.novelty is false and every feature is constant"):
        train("s", batch, encoders, ModelConfig(novelty=False), L1, CPU, lambda _epoch: None)


def test_one_core_is_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with threads(64):
        assert spare_cores() == max(1, len(os.sched_getaffinity(0)) - 1)


def test_who_says_how_many_threads_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    before = torch.get_num_threads()
    with threads(3):
        assert spare_cores() == 3
    assert torch.get_num_threads() == before
