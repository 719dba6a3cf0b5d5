"""Each operation means the same on torch's tensors and on numpy's arrays."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from monitor.model import ops
from monitor.model.ops import Array, Kind

chance = np.random.default_rng(1)
MATRIX = chance.normal(0, 3, (6, 8)).astype(np.float32)
OTHER = chance.normal(0, 3, (6, 8)).astype(np.float32)
POSITIVE = np.abs(MATRIX)
SMALL = np.clip(MATRIX / 10, -0.9, 0.9)
BIAS = chance.normal(0, 3, 6).astype(np.float32)
STACK = chance.normal(0, 3, (2, 8, 6)).astype(np.float32)
ASCENDING = np.sort(np.round(MATRIX), 1)
WITH_NAN = np.where(MATRIX > 2, np.float32(np.nan), MATRIX)
COLUMNS = chance.integers(0, 8, (6, 3))

Case = tuple[Callable[..., Any], Any]


def kind_of(x: Array) -> Kind:
    return "numpy" if isinstance(x, np.ndarray) else "torch"


CASES: dict[str, Case] = {
    "array": (lambda x: ops.array(ops.plain(x), kind_of(x)), (MATRIX,)),
    "buffer": (lambda x: ops.buffer((3, 2), kind_of(x))[0], (MATRIX,)),
    "plain": (ops.plain, (MATRIX,)),
    "doubles": (ops.doubles, (MATRIX,)),
    "computing": (ops.log, (POSITIVE,)),
    "zeros": (lambda x: ops.zeros((2, 3), x), (MATRIX,)),
    "full": (lambda x: ops.full((2,), 1.5, x), (MATRIX,)),
    "arange": (lambda x: ops.concat([ops.arange(5, x)[:, None], ops.arange(5, ops.bits(x))[:, None]]), (MATRIX,)),
    "eye": (lambda x: ops.eye(3, 5, x), (MATRIX,)),
    "copy": (ops.copy, (MATRIX,)),
    "by_column": (ops.by_column, (MATRIX,)),
    "concat": (lambda x, y: ops.concat([x, y]), (MATRIX, OTHER)),
    "stack": (lambda x, y: ops.stack([x[:, 0], y[:, 1]]), (MATRIX, OTHER)),
    "repeat": (lambda x: ops.repeat(x, 3), (MATRIX,)),
    "log": (ops.log, (POSITIVE,)),
    "log10": (ops.log10, (POSITIVE,)),
    "log1p": (ops.log1p, (SMALL,)),
    "exp": (ops.exp, (MATRIX,)),
    "expm1": (ops.expm1, (MATRIX,)),
    "gelu": (lambda x: ops.gelu(ops.copy(x)), (MATRIX,)),
    "clip": (lambda x: ops.clip(ops.clip(ops.clip(x, -2), most=2), -1, 1), (MATRIX,)),
    "minimum": (ops.minimum, (MATRIX, OTHER)),
    "maximum": (ops.maximum, (MATRIX, OTHER)),
    "copysign": (ops.copysign, (MATRIX, OTHER)),
    "below": (ops.below, (MATRIX,)),
    "where": (lambda x, y: ops.where(x > y, ops.where(x > 1, 1.0, x), y), (MATRIX, OTHER)),
    "finite": (ops.finite, (WITH_NAN,)),
    "all_finite": (ops.all_finite, (WITH_NAN,)),
    "type_name": (ops.type_name, (MATRIX,)),
    "magnitude_": (lambda x: ops.magnitude_(ops.copy(x)), (MATRIX,)),
    "at_least_": (lambda x: ops.at_least_(ops.copy(x), 0.5), (MATRIX,)),
    "bits": (ops.bits, (MATRIX,)),
    "affine": (lambda b, x, w: ops.affine(b, x, w[0], -2), (BIAS, MATRIX, STACK)),
    "highest": (lambda x: ops.highest(x, 1), (MATRIX,)),
    "least": (lambda x: ops.least(x, 0), (MATRIX,)),
    "indices": (lambda x: ops.indices(ops.bits(x)), (MATRIX,)),
    "places": (lambda x, y: ops.concat([p[:, None] for p in ops.places(x > y)]), (MATRIX, OTHER)),
    "take": (ops.take, (MATRIX, COLUMNS)),
    "search": (
        lambda a, x: ops.concat([ops.search(a, x, right=True), ops.search(a, x, right=False)]),
        (ASCENDING, np.round(OTHER)),
    ),
    "highest_by_row": (lambda x: ops.highest_by_row(4, ops.indices(x[:, 0] > 0), x[:, 1], -0.5), (MATRIX,)),
}


def compared(case: Case) -> tuple[Any, Any]:
    """What an operation gives on arrays of numpy and on tensors, as numpy's."""
    call, arrays = case
    found = call(*(array.copy() for array in arrays)), call(*(torch.from_numpy(array.copy()) for array in arrays))
    return tuple(ops.plain(each) if hasattr(each, "shape") else each for each in found)  # type: ignore[return-value]


def test_every_operation_is_tested() -> None:
    public = {name for name, made in inspect.getmembers(ops, inspect.isfunction) if made.__module__ == ops.__name__}

    assert {name for name in public if not name.startswith("_")} == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_an_operation_means_the_same_on_both(name: str) -> None:
    plain, of_torch = compared(CASES[name])

    if isinstance(plain, np.ndarray):
        assert (plain.dtype, plain.shape) == (of_torch.dtype, of_torch.shape)
        np.testing.assert_allclose(plain, of_torch, rtol=1e-6, atol=1e-6)
    else:
        assert plain == of_torch


def test_whole_numbers_are_as_wide_as_those_they_stand_beside() -> None:
    for like in (MATRIX, torch.from_numpy(MATRIX)):
        types = [ops.type_name(ops.arange(3, each)) for each in (like, ops.bits(like))]
        assert types == ["int64", "int32"]


def test_products_of_stacks_of_matrices_are_those_of_each_pair() -> None:
    x, bias = np.broadcast_to(MATRIX, (2, 6, 8)), STACK[:, :1]

    found = ops.affine(bias, x, STACK)

    assert np.allclose(found, [bias[k] + MATRIX @ STACK[k] for k in range(2)], atol=1e-4)
    of_torch = ops.affine(torch.from_numpy(bias), torch.from_numpy(x.copy()), torch.from_numpy(STACK))
    assert np.allclose(found, of_torch.numpy(), atol=1e-4)


def test_numpy_computes_without_warnings_of_overflow() -> None:
    with ops.computing("numpy"):
        assert np.isinf(ops.exp(np.full(3, 1e4, dtype=np.float32))).all()
