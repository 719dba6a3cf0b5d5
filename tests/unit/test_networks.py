"""Networks over windows: what they are made of, that they keep the laws of the dense one, and what they find."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.app.compose import restore_features
from monitor.core.arrays import F64, Bools
from monitor.core.errors import BundleError, DataError
from monitor.core.features import Layout
from monitor.core.model_config import ModelConfig, Network
from monitor.core.records import RecordBatch
from monitor.encoders import numeric, window
from monitor.model.autoencoder import Autoencoder, initialise
from monitor.model.bundle import BundleContents, canary_of, load, verify
from monitor.model.calibration import calibrate_network
from monitor.model.inference import Inference
from monitor.model.networks import network_for, shapes
from monitor.model.publishing import publish
from monitor.model.windows import Windows
from monitor.scoring.choice import scorer_of
from monitor.training.recipe import Trained, train
from tests.records import part, records
from tests.support_models import CPU, L1, contents, forge, layout, rows
from tests.torch_networks import of_torch

WINDOWED: tuple[Network, ...] = ("conv", "gru", "lstm")
PLANS: tuple[Any, ...] = ("auto", [5, 3, 6], [16, 12, 3, 8])

every_kind = pytest.mark.parametrize("kind", WINDOWED)


def windows(steps: int, features: int = 2) -> Windows:
    """Newest first in the columns, as the encoder lays them out, with a state column between the windows."""
    return Windows(tuple(tuple(range(f * (steps + 1) + steps - 1, f * (steps + 1) - 1, -1)) for f in range(features)))


def drawn(kind: Network, steps: int, hidden: Any = "auto", seed: int = 1, init: Any = "glorot_uniform") -> Autoencoder:
    """An initialised network over two windows and their two state columns."""
    config = ModelConfig(network=kind, hidden=hidden, init=init)
    module = network_for(2 * (steps + 1), config, windows(steps))
    initialise(module, config, torch.Generator().manual_seed(seed))
    return module.eval()


def state(module: Autoencoder) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in module.state_dict().items()}


# -- what they are made of -------------------------------------------------------------------------------------


def test_every_kind_that_can_be_configured_is_tested() -> None:
    assert {"dense", *WINDOWED} == set(get_args(Network))


@every_kind
@pytest.mark.parametrize("hidden", PLANS)
@pytest.mark.parametrize("steps", [2, 5, 20])
def test_a_network_gives_back_what_it_reads_and_has_the_tensors_it_is_said_to_have(
    kind: Network, hidden: Any, steps: int
) -> None:
    module = drawn(kind, steps, hidden)

    reconstruction, latent = module(torch.rand(7, module.width))

    assert reconstruction.shape == (7, 2 * (steps + 1))
    assert latent.shape == (7, module.latent_width)
    assert module.latent_width == min(module.widths[1:-1])
    found = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    assert found == shapes(kind, module.widths, windows(steps))


@every_kind
def test_windows_alone_need_nothing_beside_them(kind: Network) -> None:
    only = Windows((tuple(range(9, -1, -1)),))

    module = network_for(10, ModelConfig(network=kind, bottleneck=2), only)

    assert {tuple(tensor.shape) for tensor in module(torch.rand(4, 10))} == {(4, 10), (4, 2)}
    assert {name: tuple(t.shape) for name, t in module.state_dict().items()} == shapes(kind, module.widths, only)


@every_kind
def test_everything_goes_through_the_bottleneck(kind: Network) -> None:
    module = drawn(kind, 5, [8, 2, 8])
    x = torch.rand(1, module.width, requires_grad=True)

    made = module(x)[0][0]
    jacobian = torch.cat([torch.autograd.grad(each, x, retain_graph=True)[0] for each in made])

    assert int(torch.linalg.matrix_rank(jacobian, rtol=1e-4)) == 2


@every_kind
@pytest.mark.parametrize("init", ["glorot_uniform", "torch"])
def test_the_seed_decides_the_weights_and_nothing_else_is_drawn_from(kind: Network, init: str) -> None:
    before = torch.random.get_rng_state()

    first, again, other = (state(drawn(kind, 5, seed=seed, init=init)) for seed in (1, 1, 2))

    assert first == again != other
    assert torch.equal(before, torch.random.get_rng_state())


# -- the laws of the dense network -----------------------------------------------------------------------------


@every_kind
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_record_has_the_same_bits_alone_and_anywhere_in_a_batch(kind: Network, data: st.DataObject) -> None:
    module = drawn(kind, data.draw(st.sampled_from([2, 5, 13])), data.draw(st.sampled_from(PLANS)))
    inference = Inference(module, Layout.of([("f", module.width, 1)]))
    values = np.random.default_rng(0).normal(size=(300, module.width + 1)).astype(np.float32)
    row, stop = data.draw(st.integers(0, 150)), data.draw(st.integers(151, 300))

    together, alone = inference.errors(values), inference.errors(values[row : row + 1])

    assert alone[0] == together[row]
    assert np.array_equal(inference.errors(values[row:stop]), together[row:stop])
    assert np.array_equal(inference.latent(values[row:stop]), inference.latent(values)[row:stop])
    np.testing.assert_allclose(
        inference.reconstruct(values)[:, : module.width],
        module(torch.from_numpy(values[:, : module.width]))[0].detach().numpy(),
        atol=1e-5,
    )


@every_kind
def test_extreme_records_have_finite_errors(kind: Network) -> None:
    module = drawn(kind, 5)
    values = np.array([[3e38], [-3e38], [0.0]], dtype=np.float32).repeat(module.width, axis=1)

    errors = Inference(module, Layout.of([("f", module.width, 0)])).errors(values)

    assert np.isfinite(errors).all()
    assert errors[0] > errors[2]


# -- what they find --------------------------------------------------------------------------------------------

STROKE = 24  # records of one stroke of the machine
SPOILED = (301, 560, 803)


def strokes(count: int, seed: int, spoiled: tuple[int, ...] = ()) -> RecordBatch:
    """A machine at work: two sensors follow its strokes, whose length varies, and a slow drift.

    A spoiled stroke runs backwards: every value is one that comes all the time, and so is every pair of values.
    """
    random = np.random.default_rng(seed)
    tempo = 1 + 0.03 * random.standard_normal(count // STROKE + 2).repeat(STROKE)[:count]
    phase = np.cumsum(2 * np.pi / STROKE * tempo)
    for first in spoiled:
        phase[first : first + STROKE] = phase[first : first + STROKE][::-1]
    drift = 0.1 * np.sin(np.arange(count) / 200)
    force = 5 + np.sin(phase) + 0.5 * np.sin(2 * phase + 0.6) + drift + 0.04 * random.standard_normal(count)
    way = 20 + 3 * (0.8 * np.cos(phase - 0.4) + 0.3 * np.cos(3 * phase)) + 0.1 * random.standard_normal(count)
    load = np.round(drift, 1)
    return records(force=force.tolist(), way=way.tolist(), load=load.tolist())


ENCODERS = {
    "force": window.build(window.Config(length=20), "force"),
    "way": window.build(window.Config(length=20), "way"),
    "load": numeric.build(numeric.Config(), "load"),
}


def learned(kind: Network, **model: Any) -> Trained:
    config = ModelConfig.model_validate({"network": kind, "epochs": 30, **model})
    return train("machine", strokes(1300, 1), ENCODERS, config, L1, CPU, lambda _: None)


@pytest.fixture(scope="module", params=WINDOWED)
def trained(request: pytest.FixtureRequest) -> Trained:
    return learned(request.param)


def scores(model: Trained, *batches: RecordBatch) -> F64:
    """Of batches one after the other, by features that have seen nothing yet."""
    features = restore_features(model.contents)
    scorer = scorer_of(model.contents, features.layout)
    return np.concatenate([scorer.score(features.encode(batch)).scores for batch in batches])


def touched(count: int) -> Bools:
    """Records whose window has a value of a spoiled stroke in it, or is not full yet."""
    found = np.arange(count) < 20
    for first in SPOILED:
        found[first : first + STROKE + 20] = True
    return found


def test_a_stroke_that_runs_backwards_is_found_though_each_value_is_ordinary(trained: Trained) -> None:
    found = scores(trained, strokes(1000, 2, SPOILED))

    assert all(found[first : first + STROKE].max() > 1.5 for first in SPOILED)
    assert (found[~touched(1000)] > 1).mean() < 0.05
    assert trained.contents.history.explained is not None
    assert trained.contents.history.explained > 0.9


def test_a_model_comes_back_from_its_bundle_with_the_same_bits(trained: Trained, tmp_path: Path) -> None:
    publish(tmp_path, trained.contents, now=1.7e9)
    read = load(tmp_path / "machine", "machine").contents
    matrix = trained.features.encode(strokes(300, 3))

    before, after = (scorer_of(each, matrix.layout).score(matrix) for each in (trained.contents, read))

    assert np.array_equal(before.errors, after.errors)
    assert read.module.windows == trained.contents.module.windows
    assert state(of_torch(read.module)) == state(of_torch(trained.contents.module))


def test_a_record_is_scored_alike_alone_and_among_others(trained: Trained) -> None:
    batch = strokes(200, 4)

    alone = scores(trained, *(part(batch, row, row + 1) for row in range(40)))

    assert np.array_equal(alone, scores(trained, batch)[:40])


def test_the_same_seed_trains_the_same_network() -> None:
    first, again = (learned("gru", epochs=2, hidden=[8, 3, 8]).contents for _ in range(2))

    assert state(of_torch(first.module)) == state(of_torch(again.module))
    assert first.canary == again.canary


# -- refusals --------------------------------------------------------------------------------------------------


@every_kind
def test_a_stream_without_windows_is_refused_with_the_cure(kind: Network) -> None:
    batch = records(x=[1.0, 2.0, 3.0] * 10, still=[1.0] * 30)
    encoders = {"x": numeric.build(numeric.Config(), "x"), "still": window.build(window.Config(), "still")}

    with pytest.raises(DataError, match=rf"model\.network: {kind} reads windows.*encode a number so.*network: dense"):
        train("s", batch, encoders, ModelConfig(network=kind), L1, CPU, lambda _: None)


def test_windows_of_two_lengths_are_refused_by_name() -> None:
    encoders = {**ENCODERS, "way": window.build(window.Config(length=12), "way")}

    with pytest.raises(DataError, match=r"'way' has 12 values, 'force' has 20; give them the same `length`"):
        train("s", strokes(60, 1), encoders, ModelConfig(network="conv"), L1, CPU, lambda _: None)


@pytest.mark.parametrize("hidden", [[8], [2, 8], [8, 2], [8, 4, 2]])
def test_layers_that_leave_no_room_on_one_side_of_the_bottleneck_are_refused(hidden: list[int]) -> None:
    with pytest.raises(ValidationError, match="needs a layer on each side of its bottleneck"):
        ModelConfig(network="lstm", hidden=hidden)


@every_kind
def test_a_bottleneck_through_which_everything_fits_is_refused(kind: Network) -> None:
    with pytest.raises(DataError, match="a bottleneck of 12 is not narrower than the 12 columns"):
        network_for(12, ModelConfig(network=kind, bottleneck=12), windows(5))


@every_kind
def test_layers_beyond_all_memory_are_refused(kind: Network) -> None:
    with pytest.raises(DataError, match=rf"a network {kind} .* weights, more than 268,435,456; ask for narrower"):
        network_for(12, ModelConfig(network=kind, hidden=[60_000, 50_000, 2, 60_000]), windows(5))


def test_windows_must_be_equally_long_and_name_each_column_once() -> None:
    uneven: list[tuple[tuple[int, ...], ...]] = [(), ((),), ((1, 2), (3,))]
    doubled: list[tuple[tuple[int, ...], ...]] = [((1, 1),), ((1, 2), (2, 3)), ((-1, 0),)]
    for columns in uneven:
        with pytest.raises(ValueError, match="all of them equally many"):
            Windows(columns)
    for columns in doubled:
        with pytest.raises(ValueError, match="name a column twice, or a negative one"):
            Windows(columns)


def published() -> BundleContents:
    """What a training would hand to publication."""
    place, module = layout(12), drawn("gru", 5, [8, 3, 8])
    inference, values = Inference(module, place), rows(120, place)
    return contents(
        module=module,
        config=ModelConfig(network="gru", hidden=[8, 3, 8]),
        layout=place,
        calibration=calibrate_network(inference, values),
        canary=canary_of(inference, values),
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.update(windows=None), "a gru network and its windows belong together"),
        (lambda m: m["model"].update(network="dense"), "a dense network and its windows belong together"),
        (lambda m: m["windows"].update(columns=[[0, 99]]), "windows name column 99, and the layout has 12"),
        (lambda m: m["windows"].update(columns=[[0, 0]]), "name a column twice"),
        (lambda m: m.update(widths=[12, 3, 12]), "needs a layer on each side of its bottleneck"),
        (lambda m: m.update(widths=[12, 10**15, 3, 10**15, 12]), r"expected \(3000000000000000"),
        (lambda m: m["model"].update(network="lstm"), "tensor 'reading"),
        (
            lambda m: m["windows"].update(columns=[[0, 1, 2, 3, 4], [6, 7, 8, 9, 10]]),
            "the canary rows give other errors",
        ),
    ],
)
def test_a_manifest_that_does_not_fit_its_network_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    sound = tmp_path / "web" / publish(tmp_path, published(), now=1.7e9)
    verify(sound)

    with pytest.raises(BundleError, match=reason):
        verify(forge(sound, change))
