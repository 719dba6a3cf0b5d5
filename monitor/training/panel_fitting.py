"""Trains the members of a panel side by side, in a fixed number of steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from monitor.core.errors import DataError
from monitor.scoring.panel import Panel

BATCH = 64
"""Records of each member in one step."""

STEPS, PASSES = 1200, 10
"""So many steps, or passes over the records where that is more."""

MORE_STEPS = 2500
"""So many steps where they are cheap: small networks go on improving for as long as that."""

STEPS_LEAST = 300

CHEAP, WORK = 2.6e10, 2e11
"""Multiplications of a cheap training, and of any one at the most: about two and ten seconds of one core."""

RATE = 4e-3
"""The highest step size; it rises for a tenth of the steps and falls to 0 as a cosine."""

RISE = 0.1


def steps_of(widths: Sequence[int], members: int, records: int) -> int:
    """How many steps to take: as many as the records need, if that is affordable."""
    layers = sum(before * after for before, after in pairwise(widths))
    cheap, affordable = (int(work / (3 * layers * members * BATCH)) for work in (CHEAP, WORK))
    wanted = max(STEPS, PASSES * records // BATCH, min(MORE_STEPS, cheap))
    return max(STEPS_LEAST, min(affordable, wanted))


def drawn(widths: Sequence[int], members: int, generator: torch.Generator) -> Panel:
    """A panel with Glorot uniform weights and zero biases, other ones for every member."""
    weights: list[Tensor] = []
    for before, after in pairwise(widths):
        bound = (6 / (before + after)) ** 0.5
        draws = torch.rand(members, before, after, generator=generator)
        weights.append((draws * 2 - 1) * bound)
    biases = [torch.zeros(members, 1, after) for after in widths[1:]]
    return Panel(tuple(weights), tuple(biases))


def fit_panel(
    panel: Panel,
    z: Tensor,
    hidden: Tensor,
    weights: Tensor,
    masking: float,
    generator: torch.Generator,
    on_step: Callable[[int, int, float], None],
) -> None:
    """Train ``panel`` in place to reproduce benign records, also features that are hidden from it.

    Args:
        panel: its weights are those to begin with.
        z: the detector's columns of benign records, [n, seen], n > 0.
        hidden: [features, seen], 1 in the columns of a feature.
        weights: of each column in the loss, [seen].
        masking: the share of features hidden in each record, 0 to 1.
        generator: draws the batches and what is hidden.
        on_step: called with the number of the step, of all steps, and the loss.

    Raises:
        DataError: training diverged.
    """
    widths = [len(panel.weights[0][0]), *(weight.shape[2] for weight in panel.weights)]
    steps = steps_of(widths, panel.members, len(z))
    for parameter in panel.parameters:
        parameter.requires_grad_()
    optimizer = torch.optim.Adam(panel.parameters, lr=RATE, fused=True)
    batches = _Batches(z, hidden, widths[0] - z.shape[1], panel.members, masking, generator)
    for step in range(1, steps + 1):
        optimizer.param_groups[0]["lr"] = RATE * _share(step / steps)
        target, x = batches.draw()
        loss = (torch.square(panel.reconstruct(x) - target) * weights).mean(dim=(1, 2)).sum()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        if step % 50 == 0 or step == steps:
            on_step(step, steps, float(loss.detach()) / panel.members)
    for parameter in panel.parameters:
        parameter.detach_()
    if not all(bool(torch.isfinite(parameter).all()) for parameter in panel.parameters):
        raise DataError("training of the panel diverged; look for extreme values in the benign records")


class _Batches:
    """Every member sees every record once before it sees any again, each in its own order."""

    def __init__(
        self, z: Tensor, hidden: Tensor, flags: int, members: int, masking: float, generator: torch.Generator
    ) -> None:
        self._z, self._hidden, self._masking, self._generator = z, hidden, masking, generator
        self._padding = flags - len(hidden)
        self._members, self._orders, self._at = members, torch.empty(members, 0, dtype=torch.int64), 0

    def draw(self) -> tuple[Tensor, Tensor]:
        """Records [members, batch, seen], and the same with features hidden, flags beside: [members, batch, in]."""
        target = self._z[self._rows()]
        shape = (self._members, target.shape[1], len(self._hidden))
        flags = (torch.rand(shape, generator=self._generator) < self._masking).to(target)
        shown = target * (1 - flags @ self._hidden)
        return target, torch.cat([shown, torch.nn.functional.pad(flags, (0, self._padding))], 2)

    def _rows(self) -> Tensor:
        size = min(BATCH, len(self._z))
        if self._at + size > self._orders.shape[1]:
            orders = [torch.randperm(len(self._z), generator=self._generator) for _ in range(self._members)]
            self._orders, self._at = torch.stack(orders), 0
        rows = self._orders[:, self._at : self._at + size]
        self._at += size
        return rows


def _share(progress: float) -> float:
    if progress < RISE:
        return progress / RISE
    return 0.5 * (1 + math.cos(math.pi * (progress - RISE) / (1 - RISE)))
