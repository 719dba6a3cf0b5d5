"""The gelu of numpy's arrays against the error function of the standard library."""

from __future__ import annotations

import math

import numpy as np

from monitor.core.arrays import F64
from monitor.model.gelu import PIECE, erf, gelu_in_place


def exact(x: F64) -> F64:
    return np.array([math.erf(each) for each in x])


def test_the_error_function_is_as_exact_as_float32() -> None:
    x = np.concatenate([np.linspace(-6, 6, 20_001), np.geomspace(1e-30, 1, 500)]).astype(np.float32)

    np.testing.assert_allclose(erf(x), exact(x.astype(np.float64)), rtol=4e-7, atol=1e-30)


def test_gelu_is_x_times_the_share_of_the_normal_distribution_below_x() -> None:
    x = np.random.default_rng(1).normal(0, 3, (3, PIECE + 7)).astype(np.float32)
    expected = np.array([each * (1 + math.erf(each / math.sqrt(2))) / 2 for each in x.astype(np.float64).ravel()])

    found = gelu_in_place(x.copy())

    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-5, atol=1e-6)


def test_a_number_has_the_same_bits_wherever_it_stands() -> None:
    x = np.random.default_rng(2).normal(0, 3, 2 * PIECE + 11).astype(np.float32)

    whole = gelu_in_place(x.copy())

    assert [gelu_in_place(x[i : i + 1].copy())[0] for i in range(0, len(x), 97)] == whole[::97].tolist()
    assert np.array_equal(gelu_in_place(x[5:].copy()), whole[5:])
