"""Tensors read from a file are what they have to be, or the file is refused with the one that is not."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from monitor.core.errors import BundleError

Shape = tuple[int, ...]


def check_shapes(place: str, found: Mapping[str, Tensor], expected: Mapping[str, Shape]) -> None:
    """Each tensor of ``expected`` is there and has its shape; ``place`` is named in errors.

    Raises:
        BundleError: the first by name that is not.
    """
    for name, shape in sorted(expected.items()):
        has = tuple(found[name].shape) if name in found else None
        if has != shape:
            raise BundleError(
                f"{place}: tensor {name!r} has shape {has}, expected {shape}: another version of aemonitor made it, or "
                "it is damaged; `aemonitor retrain` makes a new model"
            )


def check_numbers(place: str, found: Mapping[str, Tensor]) -> None:
    """All are float32 and finite.

    Raises:
        BundleError: the first by name that is not.
    """
    for name, tensor in sorted(found.items()):
        if tensor.dtype != torch.float32 or not bool(torch.isfinite(tensor).all()):
            raise BundleError(f"{place}: tensor {name!r} is not float32 or has values that are not finite")


def check_integers(place: str, name: str, found: Tensor, *, least: int, most: int) -> None:
    """Rows or columns to look up: int64, so many at least and at the most.

    Raises:
        BundleError: it is something else.
    """
    if found.dtype != torch.int64 or bool(((found < least) | (found > most)).any()):
        raise BundleError(f"{place}: tensor {name!r} is not int64 or has values outside {least} to {most}")
