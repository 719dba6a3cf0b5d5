"""Training of the panel: the same every time, of bounded length, and it learns what it is for."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from monitor.core.errors import DataError
from monitor.scoring.panel import Panel, padded, panel_widths
from monitor.training.panel_fitting import MORE_STEPS, STEPS, STEPS_LEAST, drawn, fit_panel, steps_of

SEEN, FEATURES = 8, 2
HIDDEN = torch.eye(FEATURES).repeat_interleave(SEEN // FEATURES, 1)

Steps = list[tuple[int, int, float]]


def twins(count: int = 400, seed: int = 0) -> Tensor:
    """Records whose second feature is the first one again."""
    half = torch.randn(count, SEEN // 2, generator=torch.Generator().manual_seed(seed)).clamp(-2, 2)
    return torch.cat([half, half], 1)


def fitted(z: Tensor, seed: int = 1, masking: float = 0.3) -> tuple[Panel, Steps]:
    steps: Steps = []
    generator = torch.Generator().manual_seed(seed)
    panel = drawn(panel_widths(SEEN, FEATURES), 2, generator)
    fit_panel(panel, z, HIDDEN, torch.ones(SEEN), masking, generator, lambda *step: steps.append(step))
    return panel, steps


@pytest.fixture(scope="module")
def panel() -> Panel:
    return fitted(twins())[0]


def error(panel: Panel, z: Tensor, hidden: int | None = None) -> float:
    """The mean absolute residual; with a feature hidden, in its columns."""
    flags = torch.zeros(len(z), padded(FEATURES))
    if hidden is None:
        return float((panel.mean(z, flags) - z).abs().mean())
    flags[:, hidden] = 1
    shown = z * (1 - HIDDEN[hidden])
    return float(((panel.mean(shown, flags) - z) * HIDDEN[hidden]).abs().sum(1).mean()) / float(HIDDEN[hidden].sum())


def test_new_records_are_reproduced(panel: Panel) -> None:
    z = twins(seed=9)

    assert error(panel, z) < 0.15 * float(z.abs().mean())


def test_a_hidden_feature_is_told_from_the_others(panel: Panel) -> None:
    z = twins(seed=9)

    for feature in range(FEATURES):
        assert error(panel, z, hidden=feature) < 0.3 * float(z.abs().mean())


def test_without_masking_nothing_is_learned_of_what_is_hidden(panel: Panel) -> None:
    z = twins(seed=9)

    assert error(fitted(twins(), masking=0.0)[0], z, hidden=0) > 2 * error(panel, z, hidden=0)


def test_a_seed_decides_every_bit(panel: Panel) -> None:
    again, other = fitted(twins())[0], fitted(twins(), seed=2)[0]

    same = [torch.equal(*pair) for pair in zip(panel.parameters, again.parameters, strict=True)]
    assert all(same)
    assert not any(torch.equal(*pair) for pair in zip(panel.weights, other.weights, strict=True))
    assert not torch.equal(panel.weights[0][0], panel.weights[0][1])


def test_a_trained_panel_is_plain_data(panel: Panel) -> None:
    assert not any(parameter.requires_grad for parameter in panel.parameters)


def test_progress_is_told_to_the_last_step() -> None:
    _, steps = fitted(twins(100))

    numbers, totals, losses = zip(*steps, strict=True)
    assert set(totals) == {numbers[-1]} == {MORE_STEPS}
    assert list(numbers) == sorted(set(numbers))
    assert losses[-1] < losses[0] / 3


@pytest.mark.parametrize("count", [1, 5, 64, 65])
def test_a_handful_of_records_can_be_learned(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.training.panel_fitting.STEPS", 20)
    monkeypatch.setattr("monitor.training.panel_fitting.STEPS_LEAST", 20)

    panel, _ = fitted(twins(count))

    assert math.isfinite(error(panel, twins()))


@pytest.mark.parametrize(
    ("seen", "members", "records"), [(8, 1, 100), (8, 16, 10**6), (64, 3, 50_000), (1024, 3, 10**5), (4096, 16, 10)]
)
def test_steps_are_bounded(seen: int, members: int, records: int) -> None:
    widths = panel_widths(seen, seen)

    steps = steps_of(widths, members, records)

    assert steps >= STEPS_LEAST
    assert steps <= steps_of(widths, members, 2 * records)
    assert steps >= steps_of(widths, 2 * members, records)
    assert steps_of(panel_widths(2 * seen, seen), members, records) <= steps


def test_small_panels_take_as_many_steps_as_their_records_need() -> None:
    widths = panel_widths(8, 8)

    assert steps_of(widths, 1, 10) == MORE_STEPS
    assert steps_of(panel_widths(64, 64), 3, 10) == STEPS
    assert steps_of(widths, 1, 64_000) == 10_000
    assert steps_of(panel_widths(4096, 4096), 16, 64_000) == STEPS_LEAST


@pytest.mark.parametrize("extreme", [math.nan, math.inf, 1e30])
def test_records_that_cannot_be_learned_are_told(extreme: float) -> None:
    z = twins(64)
    z[7, 3] = extreme

    with pytest.raises(DataError, match="training of the panel diverged; look for extreme values in the benign record"):
        fitted(z)
