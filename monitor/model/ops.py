"""One name for each operation a score needs, on torch's tensors as on numpy's arrays: one arithmetic runs on both.

What both spell alike (operators, indexing, ``abs``, ``sum(1)``, ``mean(1)``, ``argmin(1)``, ``reshape``, ``T``) has no
name here. Nothing here imports torch unless a tensor, or ``"torch"``, is handed in. ``like`` is an array of the kind,
and on the device, that the result shall be of.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from monitor.core.arrays import F32, F64
from monitor.model.gelu import gelu_in_place

if TYPE_CHECKING:
    import torch

Kind = Literal["torch", "numpy"]

Array: TypeAlias = Any
"""A ``torch.Tensor`` or a ``numpy.ndarray``; checkers see ``Any``, for no type has what both have."""


# -- from one kind to the other ----------------------------------------------------------------------------------


def array(values: np.ndarray[Any, Any], kind: Kind, device: torch.device | None = None) -> Array:
    """Numpy's values as an array of a kind; in the same memory unless a device has its own."""
    if kind == "numpy":
        return values
    import torch

    return torch.from_numpy(values).to(device or "cpu")


def buffer(shape: tuple[int, ...], kind: Kind) -> tuple[Array, F32]:
    """Zeros in float32, and the same memory as numpy's, to write into."""
    if kind == "numpy":
        zeros = np.zeros(shape, dtype=np.float32)
        return zeros, zeros
    import torch

    stage = torch.zeros(shape)  # aligned as torch likes it
    return stage, stage.numpy()


def plain(x: Array) -> np.ndarray[Any, Any]:
    """Any array as numpy's; in the same memory unless a device has its own."""
    found: np.ndarray[Any, Any] = x if _is_numpy(x) else x.detach().cpu().numpy()
    return found


def doubles(x: Array) -> F64:
    """A copy as numpy's, in double precision."""
    found: F64 = x.astype(np.float64) if _is_numpy(x) else x.double().cpu().numpy()
    return found


def computing(kind: Kind) -> AbstractContextManager[Any]:
    """What to compute in: torch without gradients and with one thread, numpy without warnings of overflow.

    Numpy takes as many threads as its libraries were told to when they were loaded.
    """
    if kind == "numpy":
        return np.errstate(all="ignore")
    import torch

    from monitor.model.device import one_thread

    stack = ExitStack()
    stack.enter_context(torch.inference_mode())
    stack.enter_context(one_thread())
    return stack


def _is_numpy(x: Array) -> bool:
    return isinstance(x, np.ndarray)


# -- new arrays --------------------------------------------------------------------------------------------------


def zeros(shape: Sequence[int], like: Array) -> Array:
    """Zeros of the type of ``like``."""
    return np.zeros(shape, dtype=like.dtype) if _is_numpy(like) else like.new_zeros(shape)


def full(shape: Sequence[int], value: float, like: Array) -> Array:
    """One value everywhere, of the type of ``like``."""
    return np.full(shape, value, dtype=like.dtype) if _is_numpy(like) else like.new_full(shape, value)


def arange(count: int, like: Array) -> Array:
    """0 to ``count - 1``: int32 beside int32, int64 beside everything else."""
    short = type_name(like) == "int32"
    if _is_numpy(like):
        return np.arange(count, dtype=np.int32 if short else np.int64)
    import torch

    return torch.arange(count, dtype=torch.int32 if short else torch.int64, device=like.device)


def eye(rows: int, columns: int, like: Array) -> Array:
    """1 on the diagonal and 0 elsewhere, [rows, columns], float32."""
    if _is_numpy(like):
        return np.eye(rows, columns, dtype=np.float32)
    import torch

    return torch.eye(rows, columns, device=like.device)


def copy(x: Array) -> Array:
    """The same in memory of its own."""
    return x.copy() if _is_numpy(x) else x.clone()


def by_column(x: Array) -> Array:
    """The columns of ``x`` [n, columns] one after the other, [columns, n]."""
    return np.ascontiguousarray(x.T) if _is_numpy(x) else x.t().contiguous()


def concat(parts: Sequence[Array]) -> Array:
    """Columns side by side, [n, all of them]."""
    if _is_numpy(parts[0]):
        return np.concatenate(parts, axis=1)
    import torch

    return torch.cat(list(parts), 1)


def stack(parts: Sequence[Array]) -> Array:
    """Numbers [n] as columns, [n, parts]."""
    if _is_numpy(parts[0]):
        return np.stack(parts, axis=1)
    import torch

    return torch.stack(list(parts), 1)


def repeat(x: Array, times: int) -> Array:
    """The same matrix ``times`` times, [times, *x.shape], without copying it."""
    return np.broadcast_to(x, (times, *x.shape)) if _is_numpy(x) else x.expand(times, *x.shape)


# -- element by element ------------------------------------------------------------------------------------------


def log(x: Array) -> Array:
    """Natural logarithm."""
    return np.log(x) if _is_numpy(x) else x.log()


def log10(x: Array) -> Array:
    """Decimal logarithm."""
    return np.log10(x) if _is_numpy(x) else x.log10()


def log1p(x: Array) -> Array:
    """ln(1 + x)."""
    return np.log1p(x) if _is_numpy(x) else x.log1p()


def exp(x: Array) -> Array:
    """E to the x."""
    return np.exp(x) if _is_numpy(x) else x.exp()


def expm1(x: Array) -> Array:
    """E to the x, less 1."""
    return np.expm1(x) if _is_numpy(x) else x.expm1()


def gelu(x: Array) -> Array:
    """X times the normal distribution's share below x; an array of numpy's is overwritten."""
    if _is_numpy(x):
        return gelu_in_place(x)
    import torch

    return torch.nn.functional.gelu(x)


def clip(x: Array, least: float | None = None, most: float | None = None) -> Array:
    """No less than ``least``, no more than ``most``."""
    return np.clip(x, least, most) if _is_numpy(x) else x.clamp(least, most)


def minimum(x: Array, y: Array) -> Array:
    """The smaller of two, pair by pair."""
    return np.minimum(x, y) if _is_numpy(x) else x.minimum(y)


def maximum(x: Array, y: Array) -> Array:
    """The larger of two, pair by pair."""
    return np.maximum(x, y) if _is_numpy(x) else x.maximum(y)


def copysign(x: Array, sign: Array) -> Array:
    """``x`` with the sign of ``sign``."""
    return np.copysign(x, sign) if _is_numpy(x) else x.copysign(sign)


def below(x: Array) -> Array:
    """The next smaller number of the same type."""
    return np.nextafter(x, x.dtype.type(-np.inf)) if _is_numpy(x) else x.nextafter(x.new_tensor(-np.inf))


def where(condition: Array, x: Array, otherwise: Array) -> Array:
    """``x`` where the condition holds; one of both may be a number."""
    if _is_numpy(condition):
        return np.where(condition, x, otherwise)
    import torch

    return torch.where(condition, x, otherwise)


def finite(x: Array) -> Array:
    """Numbers, for what is none, or too large to be one."""
    if _is_numpy(x):
        return np.nan_to_num(x)
    import torch

    return torch.nan_to_num(x)


def all_finite(x: Array) -> bool:
    """Whether there are nothing but numbers."""
    return bool(np.isfinite(x).all() if _is_numpy(x) else x.isfinite().all())


def type_name(x: Array) -> str:
    """``float32``, say."""
    return str(x.dtype).removeprefix("torch.")


# -- in place, where that saves a pass over much memory ----------------------------------------------------------


def magnitude_(x: Array) -> Array:
    """Absolute values in the place of ``x``."""
    return np.abs(x, out=x) if _is_numpy(x) else x.abs_()


def at_least_(x: Array, least: float) -> Array:
    """No less than ``least``, in the place of ``x``."""
    return np.maximum(x, x.dtype.type(least), out=x) if _is_numpy(x) else x.clamp_(min=least)


def bits(x: Array) -> Array:
    """The same memory of float32 as int32."""
    if _is_numpy(x):
        return x.view(np.int32)
    import torch

    return x.view(torch.int32)


# -- products ----------------------------------------------------------------------------------------------------


def affine(bias: Array, x: Array, weight: Array, scale: float = 1) -> Array:
    """``bias + scale * x @ weight``: of matrices, or of as many pairs of them as the first dimension counts."""
    if _is_numpy(x):
        made = x @ weight
        if scale != 1:
            made *= made.dtype.type(scale)
        made += bias
        return made
    import torch

    product = torch.addmm if x.dim() == 2 else torch.baddbmm
    return product(bias, x, weight, alpha=scale)


# -- rows, columns, places ---------------------------------------------------------------------------------------


def highest(x: Array, axis: int) -> Array:
    """The largest along an axis."""
    return x.max(axis) if _is_numpy(x) else x.amax(axis)


def least(x: Array, axis: int) -> Array:
    """The smallest along an axis."""
    return x.min(axis) if _is_numpy(x) else x.amin(axis)


def indices(x: Array) -> Array:
    """Whole numbers as what may be looked up."""
    return x.astype(np.int64) if _is_numpy(x) else x.long()


def places(mask: Array) -> tuple[Array, ...]:
    """Where a mask holds: one array of indices for each of its dimensions, row after row."""
    found: tuple[Array, ...] = mask.nonzero() if _is_numpy(mask) else mask.nonzero(as_tuple=True)
    return found


def take(x: Array, columns: Array) -> Array:
    """Of each row of ``x`` [n, k] the columns [n, m]."""
    return np.take_along_axis(x, columns, 1) if _is_numpy(x) else x.gather(1, columns)


def search(ascending: Array, x: Array, *, right: bool) -> Array:
    """How many numbers of each row of ``ascending`` [rows, k] are below each of ``x`` [rows, n], or no larger.

    Those that equal it count where ``right`` says so; [rows, n].
    """
    if _is_numpy(x):
        side: Literal["right", "left"] = "right" if right else "left"
        pairs = zip(ascending, x, strict=True)
        found = [knots.searchsorted(row, side) for knots, row in pairs]
        return np.array(found, dtype=np.int64).reshape(x.shape)
    import torch

    return torch.searchsorted(ascending, x, right=right)


def highest_by_row(count: int, rows: Array, x: Array, lowest: float) -> Array:
    """The largest of ``x`` [m] in each of ``count`` rows, by the row [m] that each is in; ``lowest`` at the least."""
    found = full((count,), lowest, x)
    if _is_numpy(x):
        np.maximum.at(found, rows, x)
        return found
    return found.scatter_reduce_(0, rows, x, "amax")
