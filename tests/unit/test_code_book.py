"""The code book finds what is nearest in the L1 distance, nearly always, and is quick about it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from monitor.core.arrays import F32, F64, I64
from monitor.scoring.code_book import BLOCKS, CodeBook

SEEN = 16


def rows(count: int, seed: int) -> F32:
    """Records in a few clusters, as benign ones are."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(0, 3, (5, SEEN))
    return (centres[random.integers(0, 5, count)] + random.normal(0, 1, (count, SEEN))).astype(np.float32)


def book(stored: F32, units: F32) -> CodeBook:
    return CodeBook.of(torch.from_numpy(stored), torch.from_numpy(units), torch.from_numpy(units))


def by_hand(stored: F32, units: F32, z: F32) -> tuple[I64, I64]:
    """The nearest stored record to each of ``z`` of all, and of those nearest in each eighth; in float64."""
    size = -(-len(stored) // BLOCKS) * BLOCKS
    filled = stored[np.arange(size) % len(stored)].astype(np.float64) * units
    differences = (z.astype(np.float64) * units)[:, None] - filled
    l1, l2 = np.abs(differences).sum(2), np.square(differences).sum(2)
    eighths = l2.reshape(len(z), BLOCKS, -1).argmin(2) + np.arange(BLOCKS) * (size // BLOCKS)
    best = np.take_along_axis(l1, eighths, 1).argmin(1)
    return l1.argmin(1) % len(stored), eighths[np.arange(len(z)), best] % len(stored)


def distances(first: F32, second: F32, units: F32) -> F64:
    found: F64 = (np.abs(first.astype(np.float64) - second) * units).sum(1)
    return found


@pytest.mark.parametrize("count", [1, 5, 8, 100, 1021])
def test_the_nearest_of_those_nearest_in_each_eighth_is_found(count: int) -> None:
    stored, z = rows(count, 1), rows(300, 2)
    units = np.linspace(0.5, 2, SEEN).astype(np.float32)

    found = book(stored, units).nearest(torch.from_numpy(z)).numpy()

    exact, candidate = by_hand(stored, units, z)
    np.testing.assert_allclose(found, stored[candidate], rtol=1e-5, atol=1e-6)
    shortest, taken = distances(z, stored[exact], units), distances(z, found, units)
    assert (candidate == exact).mean() > 0.75
    assert (taken <= shortest * 1.15).all()


def test_a_stored_record_is_nearest_to_itself() -> None:
    stored = rows(101, 1)

    differences = book(stored, np.ones(SEEN, np.float32)).differences(torch.from_numpy(stored))

    assert differences.max() == 0


def test_differences_are_in_their_own_units() -> None:
    stored, z = rows(64, 1), rows(20, 2)
    search, unit = torch.ones(SEEN), torch.arange(float(SEEN))

    found = CodeBook.of(torch.from_numpy(stored), search, unit).differences(torch.from_numpy(z)).numpy()

    _, nearest = by_hand(stored, search.numpy(), z)
    np.testing.assert_allclose(found, np.abs(z - stored[nearest]) * np.arange(SEEN), rtol=1e-4, atol=1e-4)


def test_columns_that_never_differ_do_not_count() -> None:
    units = np.ones(SEEN, np.float32)
    units[3] = 0
    stored, z = rows(64, 1), rows(20, 2)
    moved = z.copy()
    moved[:, 3] += 1000
    kept = book(stored, units)

    assert torch.equal(kept.differences(torch.from_numpy(moved)), kept.differences(torch.from_numpy(z)))
    assert (kept.differences(torch.from_numpy(moved))[:, 3] == 0).all()


def test_a_book_comes_back_from_its_state() -> None:
    kept, z = book(rows(64, 1), np.ones(SEEN, np.float32)), torch.from_numpy(rows(20, 2))

    assert torch.equal(CodeBook.restore(kept.state()).differences(z), kept.differences(z))
