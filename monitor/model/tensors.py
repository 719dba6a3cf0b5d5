"""Tensors read from a file are what they have to be, or the file is refused with the one that is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from safetensors import SafetensorError

from monitor.core.errors import BundleError
from monitor.model import ops
from monitor.model.ops import Array, Kind

Shape = tuple[int, ...]


def read_tensors(place: str, data: bytes, kind: Kind) -> dict[str, Array]:
    """What a safetensors file holds, as arrays of a kind; ``place`` is named in errors.

    Raises:
        BundleError: it is no such file.
    """
    load: Callable[[bytes], dict[str, Array]] = import_module(f"safetensors.{kind}").load
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise BundleError(f"{place}: not a safetensors file: {error}") from error
    return tensors


def check_shapes(place: str, found: Mapping[str, Array], expected: Mapping[str, Shape]) -> None:
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


def check_numbers(place: str, found: Mapping[str, Array]) -> None:
    """All are float32 and finite.

    Raises:
        BundleError: the first by name that is not.
    """
    for name, tensor in sorted(found.items()):
        if ops.type_name(tensor) != "float32" or not ops.all_finite(tensor):
            raise BundleError(f"{place}: tensor {name!r} is not float32 or has values that are not finite")


def check_integers(place: str, name: str, found: Array, *, least: int, most: int) -> None:
    """Rows or columns to look up: int64, so many at least and at the most.

    Raises:
        BundleError: it is something else.
    """
    if ops.type_name(found) != "int64" or bool(((found < least) | (found > most)).any()):
        raise BundleError(f"{place}: tensor {name!r} is not int64 or has values outside {least} to {most}")
