"""The exact gelu on numpy's arrays, as accurate as float32 tells: numpy has no error function."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from monitor.core.arrays import F32

FAR = 4.0
"""Beyond this the error function of a float32 is 1, or -1."""

ODD = (-1.60960333262415e-02, -2.95459980854025e-03, -7.34990630326855e-04, -5.69250639462346e-05,
       -2.10102402082508e-06, 2.77068142495902e-08, -2.72614225801306e-10)  # fmt: skip
EVEN = (-1.42647390514189e-02, -7.37332916720468e-03, -1.68282697438203e-03, -2.13374055278905e-04,
        -1.45660718464996e-05)  # fmt: skip
"""erf(x) = x ODD(x * x) / EVEN(x * x) up to ``FAR``, the coefficients of the lowest power first: the rational minimax
approximation of Eigen (Eigen/src/Core/MathFunctionsImpl.h, ``erf`` of float) and XLA."""

PIECE = 8192
"""Numbers at a time: what is computed on the way stays in the first-level cache."""


def gelu_in_place(x: Any) -> Any:
    """``x (1 + erf(x / sqrt 2)) / 2`` in the place of ``x``, contiguous float32 of any shape."""
    flat: F32 = x.reshape(-1)
    for start in range(0, len(flat), PIECE):
        piece = flat[start : start + PIECE]
        shares = erf(piece * np.float32(1 / sqrt(2)))
        shares += 1
        shares *= np.float32(0.5)
        piece *= shares
    return x


def erf(x: F32) -> F32:
    """The error function of ``x`` [n], within 2e-7."""
    x = np.clip(x, -FAR, FAR)
    squares = x * x
    odd, even = _polynomial(squares, ODD), _polynomial(squares, EVEN)
    odd *= x
    odd /= even
    return odd


def _polynomial(x: F32, coefficients: tuple[float, ...]) -> F32:
    """By Horner's rule, in place."""
    *lower, last = map(np.float32, coefficients)
    total = x * last
    for coefficient in reversed(lower[1:]):
        total += coefficient
        total *= x
    total += lower[0]
    return total
