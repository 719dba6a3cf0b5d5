"""The default score: the same for a record wherever it stands, exact, calibrated, and telling what is to blame."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from monitor.core.alert_config import AlertConfig
from monitor.core.arrays import F32, F64
from monitor.core.config import ScoreConfig
from monitor.core.errors import BundleError
from monitor.core.features import FeatureMatrix, Layout
from monitor.core.limit import Limit
from monitor.model.bundle import BundleContents, verify
from monitor.model.calibration import ScoreRange, calibrate_network
from monitor.model.inference import Inference
from monitor.model.manifest import EVIDENCE, MANIFEST, digest
from monitor.model.publishing import publish
from monitor.scoring.blend import Blend, BlendScorer
from monitor.scoring.choice import scorer_of
from monitor.scoring.l1 import L1Scorer
from monitor.training import panel_fitting
from monitor.training.blend_fitting import FittedBlend, fit_blend
from monitor.training.cross_ranking import FOLDS
from monitor.training.limits import rarity_range
from tests.records import records
from tests.support_models import contents, layout, network, rows

WIDTH = 10
LAYOUT = layout(WIDTH)
SHAPE, KIND, SIZE, MIRROR = range(4)
"""Features of ``encoded``: three of them tell the same hidden number, the sizes are of their own and heavy-tailed."""

RATE = 0.05


def encoded(count: int, seed: int) -> F32:
    """Benign records [count, total]: all but the sizes follow one hidden number."""
    random = np.random.default_rng(seed)
    hidden, noise = random.normal(0, 1, count), random.normal(0, 0.03, (count, WIDTH))
    values = np.zeros((count, LAYOUT.total), dtype=np.float32)
    values[:, :3] = np.stack([hidden, hidden**2, np.tanh(hidden)], 1) / 3 + noise[:, :3]
    values[:, 3:6] = np.digitize(hidden, [-0.5, 0.5])[:, None] == np.arange(3)
    values[:, 6:9] = random.lognormal(0, 1.5, (count, 1)) / 50 * [1, 2, 3] + noise[:, 6:9] / 10
    values[:, 9] = 0.5 - hidden / 3 + noise[:, 9]
    return values


def fitted(train: F32, held_out: F32, place: Layout = LAYOUT) -> FittedBlend:
    return fit_blend(train, held_out, place, members=2, masking=0.1, seed=1, on_step=lambda *_: None)


def score_range(found: FittedBlend, rate: float = RATE) -> tuple[ScoreRange, Limit]:
    held_out = records(x=[0.0] * len(found.rarity))
    return rarity_range(
        found.rarity, held_out, ScoreConfig(method="blend", average=1), AlertConfig(false_alarm_rate=rate)
    )


def scorer(
    found: FittedBlend, place: Layout = LAYOUT, rate: float = RATE, device: torch.device | None = None
) -> BlendScorer:
    module = network(place.width)
    calibration = calibrate_network(Inference(module, place), rows(120, place))
    return BlendScorer(module, place, calibration, found.blend, score_range(found, rate)[0], device)


def scores(judge: L1Scorer, values: F32) -> F64:
    return judge.score(FeatureMatrix(values, judge.layout)).scores


@pytest.fixture(scope="module")
def found() -> FittedBlend:
    return fitted(encoded(600, 1), encoded(400, 2))


@pytest.fixture(scope="module")
def judge(found: FittedBlend) -> BlendScorer:
    return scorer(found)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Panels that were hardly trained will do."""
    monkeypatch.setattr(panel_fitting, "STEPS", 5)
    monkeypatch.setattr(panel_fitting, "STEPS_LEAST", 5)


# -- the same numbers as plain float64 ---------------------------------------------------------------------------


def bent(spreads: F64) -> F64:
    far = np.copysign(10 + 10 * np.log(np.maximum(np.abs(spreads) / 10, 1)), spreads)
    found: F64 = np.where(np.abs(spreads) <= 10, spreads, far)
    return found


class Reference:
    """The blend written out in float64, from the tensors that are published."""

    def __init__(self, blend: Blend, place: Layout) -> None:
        self.state = {name: tensor.double().numpy() for name, tensor in blend.state().items()}
        self.place = place

    def part(self, prefix: str) -> dict[str, Any]:
        return {name.removeprefix(prefix): t for name, t in self.state.items() if name.startswith(prefix)}

    def seen(self, x: F64) -> F64:
        lens = self.part("evidence.lens.")
        spreads = (x - lens["centre"]) / lens["spread"]
        z = [bent(s) for s in spreads.T]
        for view, column in enumerate(lens["lifted"].astype(int)):
            used = int(lens["count"][view])
            knots, levels = lens["knots"][view, :used], lens["levels"][view, :used]
            below, above = np.maximum(knots[0] - x[:, column], 0), np.maximum(x[:, column] - knots[-1], 0)
            beyond = np.log1p(above * lens["slopes"][1, view]) - np.log1p(below * lens["slopes"][0, view])
            z.append(np.interp(x[:, column], knots, levels) + beyond)
        seen: F64 = np.pad(np.stack(z, 1), ((0, 0), (0, -len(z) % 8)))
        return seen

    def reproduced(self, z: F64) -> F64:
        panel = self.part("evidence.panel.")
        layers = len(panel) // 2
        members = []
        for member in range(len(panel["weights.0"])):
            x = np.pad(z, ((0, 0), (0, panel["weights.0"].shape[1] - z.shape[1])))
            for k in range(layers):
                x = x @ panel[f"weights.{k}"][member] + panel[f"biases.{k}"][member]
                x = x if k == layers - 1 else x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
            members.append(x)
        mean: F64 = np.mean(members, axis=0)
        return mean

    def differences(self, z: F64) -> F64:
        book = self.part("evidence.book.")
        apart = (z * book["search"])[:, None] - book["rows"]
        eighths = np.square(apart).sum(2).reshape(len(z), 8, -1)
        best = eighths.argmin(2) + np.arange(8) * eighths.shape[2]
        nearest = np.take_along_axis(best, np.take_along_axis(np.abs(apart).sum(2), best, 1).argmin(1)[:, None], 1)
        inverse = np.divide(1, book["search"], where=book["search"] > 0, out=np.zeros_like(book["search"]))
        differences: F64 = np.abs(apart[np.arange(len(z)), nearest[:, 0]] * inverse) * book["unit"]
        return differences

    def bans(self, part: str, column: int, errors: F64) -> F64:
        tails = self.part(f"verdict.rarities.{part}.")
        knots = tails["knots"][column]
        beyond = np.log(np.maximum(errors / knots[-1], 1)) * tails["slopes"][column]
        bans: F64 = np.minimum(np.interp(errors, knots, tails["bans"][column]) + beyond, 300)
        return bans

    def added(self, part: str, column: int, errors: F64, surprises: F64) -> F64:
        levels, bans = (self.part(f"verdict.{part}.")[name][column] for name in ("levels", "bans"))
        sums = errors + surprises
        found: F64 = np.interp(sums, levels, bans) + np.maximum(sums - levels[-1], 0)
        return found

    def weight(self, feature: int, novelty: F64) -> F64:
        levels, bans = (
            self.state["verdict.rarities.novelties.levels"][feature],
            self.state["verdict.rarities.novelties.bans"],
        )
        reached = [bans[levels <= strength].max(initial=bans[0]) for strength in novelty]
        tied = [bans[levels == strength].min(initial=np.inf) for strength in novelty]
        rare = np.minimum(reached, tied) + np.maximum(novelty - levels[-1], 0)
        weight: F64 = np.minimum(novelty, rare)
        return weight

    def rarity(self, values: F32) -> F64:
        x = values.astype(np.float64)
        z = self.seen(x[:, : self.place.width])
        residual = z - self.reproduced(z)
        weights = self.state["evidence.field_weights"][:, : len(self.place.blocks)]
        fields = np.abs(residual) @ weights
        whitened = np.abs(residual @ self.state["evidence.whitening"]).mean(1)
        distance = bent(self.differences(z) @ weights).mean(1)
        errors = np.stack([fields.mean(1), whitened, distance], 1)
        whole = self.bans("whole", 0, (errors / self.state["verdict.rarities.means"]).sum(1))
        surprises = np.stack(
            [
                self.weight(index, x[:, block.novelty_start : block.novelty_stop].sum(1))
                for index, block in enumerate(self.place.blocks)
            ],
            1,
        )
        news = x[:, self.place.width :].sum(1) > 0
        by_field = [
            np.where(
                news,
                self.added("features", index, self.bans("fields", index, fields[:, index]), surprises[:, index]),
                self.bans("fields", index, fields[:, index]),
            )
            for index in range(len(self.place.blocks))
        ]
        worst = np.max(by_field, axis=0) - np.log10(len(self.place.blocks))
        surprise = (surprises.max(1) + surprises.sum(1)) / 2
        whole = np.where(news, self.added("records", 0, whole, surprise), whole)
        rarity: F64 = np.maximum(whole, worst)
        return rarity


def test_scores_agree_with_a_float64_reference(found: FittedBlend, judge: BlendScorer) -> None:
    usual, strange = encoded(300, 3), rows(300, LAYOUT, 4)  # the latter are nothing like benign
    values = np.concatenate([usual, strange, strange * 100])
    limits = score_range(found)[0]

    rarity = judge.rarity(values)

    expected = Reference(found.blend, LAYOUT).rarity(values)
    np.testing.assert_allclose(rarity, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        scores(judge, values), (expected - limits.low) / (limits.limit - limits.low), rtol=1e-3, atol=1e-3
    )


# -- the same record, the same score -----------------------------------------------------------------------------


def test_on_a_device_that_fails_everything_is_as_on_the_cpu(found: FittedBlend, judge: BlendScorer) -> None:
    failing, values = scorer(found, device=torch.device("meta")), encoded(700, 5)

    assert np.array_equal(failing.rarity(values), judge.rarity(values))
    assert np.array_equal(failing.expected(values[:2]), judge.expected(values[:2]))
    for ours, theirs in zip(failing.rarities(values[:5]), judge.rarities(values[:5]), strict=True):
        assert np.array_equal(ours, theirs)
    assert failing.lost_device
    assert not judge.lost_device


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("width", [1, 3, 9, 16, 19, 37, 100])
def test_a_record_has_the_same_score_bit_for_bit_alone_and_anywhere_in_any_batch(width: int) -> None:
    place = layout(width, novelty=width % 4)
    judge = scorer(fitted(rows(100, place, 1), rows(60, place, 2), place), place)
    values = rows(2100, place)
    values[:, width:] = np.random.default_rng(1).uniform(0, 0.5, values[:, width:].shape)
    whole = scores(judge, values)

    order = np.random.default_rng(3).permutation(len(values))
    alone = [scores(judge, values[i : i + 1])[0] for i in range(0, 2100, 97)]
    parts = [scores(judge, part) for part in np.array_split(values, [1, 6, 900, 1925])]

    assert np.array_equal(scores(judge, values[order]), whole[order])
    assert np.array_equal(alone, whole[::97])
    assert np.array_equal(np.concatenate(parts), whole)


def test_what_was_scored_before_leaves_no_trace(judge: BlendScorer) -> None:
    values = encoded(10, 5)
    first = scores(judge, values)

    scores(judge, np.full((2000, LAYOUT.total), 3e38, dtype=np.float32))

    assert np.array_equal(scores(judge, values), first)


def test_the_l1_score_stands_beside_it(judge: BlendScorer) -> None:
    matrix = FeatureMatrix(encoded(50, 5), LAYOUT)
    plain = L1Scorer(network(WIDTH), LAYOUT, judge.calibration).score(matrix)

    batch = judge.score(matrix)

    assert np.array_equal(batch.errors, plain.errors)
    assert np.array_equal(batch.l1, plain.scores)
    assert not np.array_equal(batch.scores, batch.l1)


def test_an_empty_batch_has_no_scores(judge: BlendScorer) -> None:
    assert len(scores(judge, encoded(0, 1))) == 0
    assert judge.blame(encoded(0, 1)).shape == (0, 4)


# -- what a score means ------------------------------------------------------------------------------------------


def test_the_best_held_out_record_has_0_and_the_limit_is_1(found: FittedBlend) -> None:
    benign, limit = score_range(found)

    assert benign.score(np.array([found.rarity.min(), limit.value])).tolist() == [0, 1]
    assert (benign.score(found.rarity) > 1).sum() == limit.rank - 1 == int(RATE * 401) - 1


def test_new_benign_records_exceed_the_limit_as_often_as_promised(found: FittedBlend, judge: BlendScorer) -> None:
    new = 4000
    promised = score_range(found)[1]
    random = np.random.default_rng(0)
    # The share above the k-th largest of n is beta distributed; the records above it, binomially given the share.
    shares = random.beta(promised.rank, promised.records - promised.rank + 1, 100_000)
    fewest, most = np.quantile(random.binomial(new, shares), [0.001, 0.999])

    alarms = (scores(judge, encoded(new, 6)) > 1).sum()

    assert promised.share == pytest.approx(RATE, rel=0.01)
    assert fewest <= alarms <= most


@pytest.mark.parametrize("feature", [SHAPE, KIND, SIZE, MIRROR])
def test_farther_is_more_anomalous(feature: int, judge: BlendScorer) -> None:
    block = LAYOUT.blocks[feature]
    values = np.repeat(encoded(20, 7)[:, np.newaxis], 6, axis=1)
    values[:, :, block.start : block.stop] += np.array([0, 0.25, 0.5, 100, 1e4, 1e6], np.float32)[:, np.newaxis]

    found = scores(judge, values.reshape(-1, LAYOUT.total)).reshape(20, 6)

    assert (np.diff(found) > 0).all()
    assert (found[:, 2] > 1).all()


@pytest.mark.parametrize("feature", [SHAPE, KIND, SIZE, MIRROR])
def test_of_two_values_beyond_what_the_columns_hold_the_stronger_novelty_is_more_anomalous(
    feature: int, judge: BlendScorer
) -> None:
    block = LAYOUT.blocks[feature]
    values = np.repeat(encoded(20, 7)[:, np.newaxis], 2, axis=1)
    values[:, :, block.start : block.stop] += 4
    values[:, :, block.novelty_start] = [3.0, 5.0]

    found = scores(judge, values.reshape(-1, LAYOUT.total)).reshape(20, 2)

    assert (found[:, 0] < found[:, 1]).all()


@pytest.mark.usefixtures("hurried")
def test_the_stronger_novelty_is_more_anomalous_in_a_stream_of_one_column_too() -> None:
    place = Layout.of([("n", 1, 1)])
    levels = np.zeros((100, 2), dtype=np.float32)
    levels[:, 0] = np.random.default_rng(1).integers(0, 7, 100) / 3 - 1
    judge = scorer(fitted(levels[:70], levels[70:], place), place)

    weak, strong = scores(judge, np.array([[4, 3], [4, 5]], dtype=np.float32))

    assert weak < strong


def test_the_farthest_values_of_float32_have_finite_scores_above_all_benign_ones(judge: BlendScorer) -> None:
    values = np.full((2, LAYOUT.total), np.finfo(np.float32).max, dtype=np.float32)
    values[1, :WIDTH] *= -1

    found = scores(judge, values)

    assert np.isfinite(found).all()
    assert (found > scores(judge, encoded(400, 2)).max()).all()
    assert np.isfinite(judge.blame(values)).all()
    assert np.isfinite(judge.expected(values)).all()


def test_a_novelty_that_is_frequent_in_calibration_weighs_little() -> None:
    held_out = encoded(400, 2)
    held_out[::10, LAYOUT.blocks[KIND].novelty_start] = 20.0
    judge = scorer(fitted(encoded(600, 1), held_out))
    values = np.repeat(encoded(1, 7), 3, axis=0)
    values[1, LAYOUT.blocks[KIND].novelty_start] = 20.0
    values[2, LAYOUT.blocks[SIZE].novelty_start] = 20.0

    usual, frequent, never = judge.rarity(values)

    assert frequent - usual < 1.1
    assert never - usual > 1.5


@pytest.mark.usefixtures("hurried")
def test_held_out_records_are_ranked_by_others() -> None:
    held_out = encoded(100, 2)
    other = held_out.copy()
    other[3, :WIDTH] += 100

    before, after = (fitted(encoded(100, 1), values).rarity for values in (held_out, other))

    beside = slice(4, 100 // FOLDS)  # of the same stretch as the one that changed
    assert after[3] > before[3]
    assert np.array_equal(after[beside], before[beside])
    assert not np.array_equal(after, np.where(np.arange(100) == 3, after, before))


# -- blame -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def broken() -> tuple[F32, F32]:
    """Records, and the same with the mirror of other ones: each value is usual, only the relation is broken."""
    sound = encoded(60, 8)
    faulty = sound.copy()
    faulty[:, 9] = sound[::-1, 9]
    apart = np.abs(faulty[:, 9] - sound[:, 9]) > 0.4
    return sound[apart], faulty[apart]


def test_the_field_that_breaks_a_relation_is_found_and_blamed_first(
    judge: BlendScorer, broken: tuple[F32, F32]
) -> None:
    blame = judge.blame(broken[1])

    assert (scores(judge, broken[1]) > 1).mean() > 0.95
    assert (blame.argmax(1) == MIRROR).mean() > 0.85
    assert (blame >= 0).all()
    assert (blame <= judge.rarity(broken[1])[:, None] + 1e-5).all()


def test_what_is_expected_is_what_it_was(judge: BlendScorer, broken: tuple[F32, F32]) -> None:
    sound, faulty = broken

    expected = judge.expected(faulty)

    assert np.abs(expected[:, 9] - sound[:, 9]).mean() < 0.06  # about 0.6 from smallest to largest
    assert np.abs(faulty[:, 9] - sound[:, 9]).mean() > 0.4
    assert not expected[:, WIDTH:].any()


def test_what_is_expected_of_a_field_does_not_depend_on_the_field(judge: BlendScorer) -> None:
    values = np.repeat(encoded(1, 9), 2, axis=0)
    block = LAYOUT.blocks[SHAPE]
    values[1, block.start : block.stop] = 77

    first, second = judge.expected(values)

    assert np.array_equal(first[block.start : block.stop], second[block.start : block.stop])
    assert (first[block.stop : WIDTH] != second[block.stop : WIDTH]).all()


def test_a_novelty_is_blamed_on_its_own_field(judge: BlendScorer) -> None:
    values = encoded(1, 7)
    values[0, LAYOUT.blocks[SIZE].novelty_start] = 20.0

    (blame,) = judge.blame(values)

    assert blame.argmax() == SIZE
    assert blame[SIZE] > 0.9 * blame.sum()


def test_of_two_faults_that_each_would_suffice_neither_hides_the_other(judge: BlendScorer) -> None:
    values = encoded(20, 7)
    values[:, [LAYOUT.blocks[feature].novelty_start for feature in (KIND, SIZE)]] = 20.0

    blame = judge.blame(values)

    assert (blame[:, [KIND, SIZE]].min(1) > 0).mean() > 0.6


# -- bundles -----------------------------------------------------------------------------------------------------


@pytest.fixture
def published(tmp_path: Path, found: FittedBlend) -> Path:
    model = contents(width=WIDTH, score=score_range(found)[0], evidence=found.blend.state())
    return tmp_path / "web" / publish(tmp_path, model, now=1.7e9)


def judge_of(path: Path) -> L1Scorer:
    model = verify(path).contents
    return scorer_of(model, model.layout)


def forge(bundle: Path, change: Callable[[dict[str, Any]], object], evidence: bytes | None = None) -> Path:
    """Change manifest and evidence, and make every hash fit again."""
    manifest = msgspec.json.decode((bundle / MANIFEST).read_bytes())
    if evidence is not None:
        (bundle / EVIDENCE).write_bytes(evidence)
        manifest["files"][EVIDENCE] = {"sha256": digest(evidence), "bytes": len(evidence)}
    change(manifest)
    (bundle / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    version = bundle.name.partition("-")[0] + "-" + digest((bundle / MANIFEST).read_bytes())[:12]
    return bundle.rename(bundle.parent / version)


def nothing(_manifest: Mapping[str, Any]) -> None:
    """Leave the manifest as it is."""


def test_a_published_blend_gives_the_same_scores_bit_for_bit(published: Path, judge: BlendScorer) -> None:
    values = np.concatenate([encoded(300, 3), rows(100, LAYOUT)])

    loaded = judge_of(published)

    assert isinstance(loaded, BlendScorer)
    assert np.array_equal(scores(loaded, values), scores(judge, values))
    assert np.array_equal(loaded.blame(values[:3]), judge.blame(values[:3]))


def test_without_evidence_the_score_is_the_plain_l1(tmp_path: Path) -> None:
    bundle = tmp_path / "web" / publish(tmp_path, contents(width=WIDTH), now=1.7e9)

    assert type(judge_of(bundle)) is L1Scorer
    assert not (bundle / EVIDENCE).exists()


def test_damaged_evidence_is_refused(published: Path) -> None:
    file = published / EVIDENCE
    whole = file.read_bytes()

    file.write_bytes(whole[:-1])
    with pytest.raises(BundleError, match=r"evidence\.safetensors: truncated"):
        verify(published)
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(BundleError, match=r"evidence\.safetensors: damaged: its SHA-256 is not the one"):
        verify(published)
    file.unlink()
    with pytest.raises(BundleError, match=r"evidence\.safetensors"):
        verify(published)


def test_garbage_for_evidence_is_refused(published: Path) -> None:
    forged = forge(published, nothing, b"no tensors")

    with pytest.raises(BundleError, match=r"evidence\.safetensors: not a safetensors file"):
        verify(forged)


@pytest.mark.parametrize(
    "change", [lambda m: m.update(score=None), lambda m: m["files"].pop(EVIDENCE)], ids=["no score", "no evidence"]
)
def test_score_and_evidence_belong_together(published: Path, change: Callable[[dict[str, Any]], object]) -> None:
    forged = forge(published, change)

    with pytest.raises(BundleError, match=r"evidence\.safetensors and the score in manifest\.json belong together"):
        verify(forged)


def test_evidence_that_lacks_a_tensor_is_refused(published: Path) -> None:
    tensors = load((published / EVIDENCE).read_bytes())
    del tensors["verdict.rarities.whole.knots"]
    forged = forge(published, nothing, save(tensors))

    with pytest.raises(
        BundleError,
        match=r"evidence\.safetensors: tensor 'verdict\.rarities\.whole\.knots' has shape None, expected \(1, \d+\)",
    ):
        judge_of(forged)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_evidence_that_is_not_finite_is_neither_published_nor_loaded(
    published: Path, tmp_path: Path, found: FittedBlend, value: float
) -> None:
    tensors = {name: tensor.clone() for name, tensor in found.blend.state().items()}
    tensors["evidence.whitening"][1, 2] = value
    model: BundleContents = contents(width=WIDTH, score=score_range(found)[0], evidence=tensors)
    forged = forge(published, nothing, save(tensors))

    with pytest.raises(BundleError, match="the weights are not finite; nothing was published"):
        publish(tmp_path, model, now=1.7e9)
    with pytest.raises(
        BundleError, match=r"evidence.safetensors: tensor 'evidence\.whitening' has values that are not"
    ):
        verify(forged)


def test_evidence_of_another_layout_is_refused(found: FittedBlend) -> None:
    model = contents(width=WIDTH + 1, score=score_range(found)[0], evidence=found.blend.state())

    with pytest.raises(BundleError, match=r"tensor 'evidence\.lens\.centre' has shape \(10,\), expected \(11,\)"):
        scorer_of(model, model.layout)
