"""The panel: members computed together as if each were alone, and blind to what is hidden from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from monitor.core.arrays import F64
from monitor.scoring.code_book import CodeBook
from monitor.scoring.evidence import Evidence
from monitor.scoring.panel import WIDEST, Panel, padded, panel_widths
from monitor.training import panel_fitting
from monitor.training.lens_fitting import fit_lens

gelu = np.vectorize(lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2))))


def drawn(seen: int, features: int, members: int = 3) -> Panel:
    """A panel of random weights; its biases are not zero, as after training."""
    generator = torch.Generator().manual_seed(1)
    panel = panel_fitting.drawn(panel_widths(seen, features), members, generator)
    for bias in panel.biases:
        bias.normal_(std=0.3, generator=generator)
    return panel


def alone(panel: Panel, member: int, x: F64) -> F64:
    """What one member makes of its input [n, in], in float64."""
    for index, (weight, bias) in enumerate(zip(panel.weights, panel.biases, strict=True)):
        x = x @ weight[member].double().numpy() + bias[member].double().numpy()
        x = x if index == len(panel.weights) - 1 else gelu(x)
    return x


@pytest.mark.parametrize(("seen", "features"), [(8, 1), (16, 13), (40, 9)])
def test_members_together_are_as_each_alone(seen: int, features: int) -> None:
    panel = drawn(seen, features)
    x = torch.randn(50, seen + padded(features), generator=torch.Generator().manual_seed(2))

    together = panel.reconstruct(x.expand(3, -1, -1)).numpy()
    mean = panel.mean(x[:, :seen], x[:, seen:]).numpy()

    each = [alone(panel, member, x.double().numpy()) for member in range(3)]
    np.testing.assert_allclose(together, each, atol=1e-5)
    np.testing.assert_allclose(mean, np.mean(each, axis=0), atol=1e-5)
    assert np.abs(each[0] - each[1]).max() > 0.1


@pytest.mark.parametrize(("seen", "features"), [(8, 1), (24, 17), (264, 256), (2000, 1)])
def test_widths_are_multiples_of_8_with_a_bottleneck_and_a_bound(seen: int, features: int) -> None:
    first, *hidden, last = panel_widths(seen, features)

    assert (first, last) == (seen + padded(features), seen)
    assert all(width % 8 == 0 for width in (first, *hidden[:2], *hidden[3:], last))
    assert hidden == hidden[::-1]
    assert hidden[2] == min(hidden) < seen
    assert max(hidden) <= WIDEST


def test_what_is_hidden_has_no_influence_on_what_is_expected_of_it() -> None:
    random = np.random.default_rng(3)
    values = random.lognormal(0, 2, (300, 5)).astype(np.float32)  # every column has a second view
    of_column = np.array([0, 1, 1, 2, 3])
    lens = fit_lens(values, of_column)
    hidden = torch.from_numpy(lens.owners(of_column)[None] == np.arange(4)[:, None]).float()
    unused = torch.zeros(lens.seen)
    book = CodeBook.of(torch.zeros(8, lens.seen), unused, unused)
    evidence = Evidence(lens, drawn(lens.seen, 4), book, torch.eye(lens.seen), hidden.t(), hidden)
    row = torch.from_numpy(values[0])
    other = row.clone()
    other[1:3] = torch.tensor([1e9, -5.0])

    expected, without = evidence.expected(row), evidence.expected(other)

    assert expected.shape == (4, 5)
    assert torch.equal(expected[1, 1:3], without[1, 1:3])
    assert (expected[[0, 2, 3]] != without[[0, 2, 3]]).all()


def test_a_panel_comes_back_from_its_state() -> None:
    panel = drawn(8, 2)
    x = torch.ones(2, 8)

    restored = Panel.restore(panel.state())

    assert restored.members == 3
    assert torch.equal(restored.mean(x, x), panel.mean(x, x))


def test_where_nothing_is_hidden_flags_may_be_left_out() -> None:
    panel = panel_fitting.drawn(panel_widths(16, 5), 3, torch.Generator().manual_seed(1))
    z = torch.randn(10, 16, generator=torch.Generator().manual_seed(2))

    torch.testing.assert_close(panel.mean(z), panel.mean(z, torch.zeros(10, 8)))
