"""A few small autoencoders that look at the same record, computed as one batched product.

Each member is given the detector's columns and a flag for every feature that is hidden from it (its columns are then
0), so that it can also say what a feature should be, judged by the others. Their mean reconstruction errs less than
that of any one of them, since their mistakes differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.model import ops
from monitor.model.ops import Array
from monitor.scoring.lens import LANES

if TYPE_CHECKING:
    import torch

WIDEST = 512
"""Units of the widest layer."""


def panel_widths(seen: int, features: int) -> tuple[int, ...]:
    """Layer widths for ``seen`` columns: twice and once the next power of two, half of it as the hidden state.

    >>> panel_widths(40, 40)
    (80, 128, 64, 32, 64, 128, 40)
    """
    power = min(WIDEST // 2, max(LANES, 1 << (seen - 1).bit_length()))
    return (seen + padded(features), 2 * power, power, power // 2, power, 2 * power, seen)


def padded(features: int) -> int:
    """Columns of flags: a multiple of 8."""
    return -(-features // LANES) * LANES


@dataclass(frozen=True, slots=True)
class Panel:
    """``weights[k]`` is [members, in, out], ``biases[k]`` [members, 1, out]; gelu between the layers."""

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]

    @property
    def members(self) -> int:
        return len(self.weights[0])

    @property
    def parameters(self) -> list[Array]:
        return [*self.weights, *self.biases]

    def reconstruct(self, x: Array) -> Array:
        """What every member makes of its input: [members, n, seen] of [members, n, seen + flags], or without flags."""
        last = len(self.weights) - 1
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = ops.affine(bias, x, weight[:, : x.shape[2]])
            x = x if index == last else ops.gelu(x)
        return x

    def mean(self, z: Array, flags: Array | None = None) -> Array:
        """The mean reconstruction [n, seen] of ``z`` [n, seen] with ``flags`` [n, padded features] hidden, or nothing.

        Where nothing is hidden the weights of the flags are left out, as what they multiply is 0.
        """
        x = z if flags is None else ops.concat([z, flags])
        return self.reconstruct(ops.repeat(x, self.members)).mean(0)

    def to(self, device: torch.device) -> Panel:
        """The same on another device."""
        return Panel(tuple(w.to(device) for w in self.weights), tuple(b.to(device) for b in self.biases))

    def state(self) -> dict[str, Array]:
        """All of it as arrays by name."""
        named = {f"weights.{k}": weight for k, weight in enumerate(self.weights)}
        return named | {f"biases.{k}": bias for k, bias in enumerate(self.biases)}

    @classmethod
    def restore(cls, state: Mapping[str, Array]) -> Panel:
        layers = sum(name.startswith("weights.") for name in state)
        weights = tuple(state[f"weights.{k}"] for k in range(layers))
        return cls(weights, tuple(state[f"biases.{k}"] for k in range(layers)))
