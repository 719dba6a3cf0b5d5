"""The network applied to encoded records, so that a record's result never depends on the records beside it.

Matrix kernels round differently with the number of rows, the position of a row among the last few, odd widths and the
alignment of memory. So every pass has one shape: the same number of rows (behind a short last slice old rows are
computed again and thrown away) in the same buffers, every layer widened with zero weights to a multiple of 8 columns.
Small batches have a smaller shape of their own where that proves to give the same bits.
The same record then has the same error to the last bit, alone or anywhere in any batch.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import cycle, pairwise
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from monitor.core.arrays import F32, F64
from monitor.core.errors import DataError
from monitor.core.features import Layout
from monitor.model import ops
from monitor.model.lost_device import Guard, on_gpu
from monitor.model.network import Network, PlainNetwork
from monitor.model.numpy_passes import NumpyPasses
from monitor.model.ops import Kind
from monitor.model.widening import padded

if TYPE_CHECKING:
    import torch

    from monitor.model.autoencoder import Autoencoder

SLICE_ROWS = 1024
"""Rows of one pass: its buffers stay in the second-level cache, and the calls cost little beside the arithmetic."""

SLICE_WORK = 2**24
"""Multiplications of one pass at the most; wide networks take fewer rows, or one lone record would cost 10 ms."""

GPU_SLICE_ROWS = 8192
"""The same on a GPU, where a pass costs the same for few rows as for many: a whole batch of the default size."""

GPU_LANES = 2
"""While a GPU computes one slice the next one is brought to it."""

MIN_SLICE_ROWS = 64
"""Fewer rows than this leave the matrix kernels idle."""

BEYOND = float(np.finfo(np.float32).max)
"""The error of a record whose arithmetic overflowed: finite, and larger than any other."""


class Passes(Protocol):
    """A network that computes one slice of records at a time, for ``Inference``.

    ``stage`` [rows, at least total] is where the slice is put; its last columns stay 0. Each method passes the slice
    through the network and may leave anything in the stage and in what it gave before.
    """

    @property
    def stage(self) -> F32: ...

    def begin(self) -> None:
        """Let the errors of the slice be computed, if somebody else can do it; the stage belongs to them till then."""
        ...

    def errors(self) -> F32:
        """The weighted L1 error of each row, [rows], after ``begin``; anything, where the arithmetic overflows."""
        ...

    def output(self) -> F32:
        """The reconstruction, [rows, at least width]."""
        ...

    def latent(self) -> F32:
        """The hidden state, [rows, at least latent width]."""
        ...


class Inference:
    """Runs a network over slices with preallocated buffers and one thread. For one thread of the caller at a time."""

    def __init__(
        self, module: Network, layout: Layout, device: torch.device | None = None, slice_rows: int = SLICE_ROWS
    ) -> None:
        if module.width != layout.width:
            raise DataError(f"the network reads {module.width} columns, the encoders make {layout.width}")
        self.layout = layout
        self._module: Network = module
        self._kind: Kind = module.kind
        self._width, self._latent_width = layout.width, module.latent_width
        self._rows = GPU_SLICE_ROWS if on_gpu(device) else _slice_rows(module, slice_rows)
        self._settle(device, GPU_LANES if on_gpu(device) else 1)
        self.guard = Guard(device, partial(self._go_over, slice_rows))

    def errors(self, values: F32) -> F32:
        """The weighted L1 error of each record [n] of ``values`` [n, total]; >= 0, finite, larger is more anomalous.

        Sum over network columns of weight * |x - reconstruction|, plus the sum of the novelty columns.
        """
        return self.guard(lambda: self._errors(values))

    def _errors(self, values: F32) -> F32:
        with ops.computing(self._kind):
            errors = errors_in_turns(self._lanes_for(values), values)
        errors[~(errors <= BEYOND)] = BEYOND
        return errors

    def reconstruct(self, values: F32) -> F32:
        """The network's reconstruction of ``values`` [n, total], finite; 0 in novelty columns, which it never sees."""
        return self.guard(lambda: self._reconstruct(values))

    def _reconstruct(self, values: F32) -> F32:
        reconstruction = np.zeros((len(values), self.layout.total), dtype=np.float32)
        if self._width:
            with ops.computing(self._kind):
                for start, stop, passes in self._slices(values):
                    reconstruction[start:stop, : self._width] = passes.output()[: stop - start, : self._width]
        return np.nan_to_num(reconstruction, copy=False)

    def hidden(self, values: F32) -> F32:
        """What the network makes of each feature while that is hidden from it, [n, total] like ``values``; finite.

        Hidden columns are 0, as in training with ``model.masking``, without which this says little. Novelty columns are
        0. Costs as many passes as there are features.
        """
        expected, columns = np.zeros_like(values), np.arange(self._width)
        owners = np.repeat(np.arange(len(self.layout.blocks)), [b.stop - b.start for b in self.layout.blocks])
        features, of_column = np.unique(owners, return_inverse=True)  # those that have network columns
        shows = np.ones((len(features), self.layout.total), dtype=np.float32)
        shows[of_column, columns] = 0
        step = max(1, self._rows // max(1, len(features)))
        for start in range(0, len(values) if self._width else 0, step):
            shown = values[start : start + step, np.newaxis] * shows  # [rows, features, total]
            made = self.reconstruct(shown.reshape(-1, self.layout.total)).reshape(shown.shape)
            expected[start : start + step, : self._width] = made[:, of_column, columns]
        return expected

    def latent(self, values: F32) -> F32:
        """The hidden state of ``values`` [n, total] at the bottleneck, [n, latent width]."""
        return self.guard(lambda: self._latent(values))

    def _latent(self, values: F32) -> F32:
        latent = np.zeros((len(values), self._latent_width), dtype=np.float32)
        if self._width:
            with ops.computing(self._kind):
                for start, stop, passes in self._slices(values):
                    latent[start:stop] = passes.latent()[: stop - start, : self._latent_width]
        return latent

    def _slices(self, values: F32) -> Iterator[tuple[int, int, Passes]]:
        """Bring one slice after the other to a stage; yields which rows it holds, and whose stage it is."""
        return slices(self._lanes_for(values)[:1], values)

    def _lanes_for(self, values: F32) -> Sequence[Passes]:
        if values.shape[1] != self.layout.total:
            raise DataError(f"records have {values.shape[1]} encoded columns, the model knows {self.layout.total}")
        return self._few if len(values) <= MIN_SLICE_ROWS else self._lanes

    def _settle(self, device: torch.device | None, lanes: int) -> None:
        """Compute there from now on; a small batch has small slices, where these give the same bits."""
        self._lanes = [_passes(self._module, self.layout, self._rows, device) for _ in range(lanes)]
        self._few = self._lanes
        if self._width and lanes == 1 and self._rows > MIN_SLICE_ROWS:
            few = [_passes(self._module, self.layout, MIN_SLICE_ROWS, device)]
            with ops.computing(self._kind):
                self._few = few if _alike(few, self._lanes, self.layout.total) else self._lanes

    def _go_over(self, slice_rows: int) -> None:
        """Compute on the CPU from now on."""
        self._rows = _slice_rows(self._module, slice_rows)
        self._settle(None, 1)


def slices(lanes: Sequence[Passes], values: F32) -> Iterator[tuple[int, int, Passes]]:
    """Bring one slice of ``values`` [n, total] after the other to the stages of ``lanes``, in turns.

    Yields:
        The first row of the slice, the one behind its last, and who has it; it is given up when the next one is asked.
    """
    rows = len(lanes[0].stage)
    for start, lane in zip(range(0, len(values), rows), cycle(lanes), strict=False):
        stop = min(start + rows, len(values))
        lane.stage[: stop - start, : values.shape[1]] = values[start:stop]
        yield start, stop, lane


def errors_in_turns(lanes: Sequence[Passes], values: F32) -> F32:
    """The error of each record [n] of ``values`` [n, total]; as many slices are under way as there are lanes."""
    errors = np.empty(len(values), dtype=np.float32)
    waiting: deque[tuple[int, int, Passes]] = deque()
    for start, stop, lane in slices(lanes, values):
        lane.begin()
        waiting.append((start, stop, lane))
        if len(waiting) == len(lanes):  # the oldest of them is the next one's stage
            _collect(waiting, errors)
    while waiting:
        _collect(waiting, errors)
    return errors


def _alike(few: Sequence[Passes], many: Sequence[Passes], total: int) -> bool:
    """Whether two shapes give the same bits, wherever a record stands: that depends on the matrix kernels here."""
    tried = probes(total)
    return all(np.array_equal(work(few, tried), work(many, tried)) for work in (errors_in_turns, _outputs))


def probes(total: int) -> F32:
    """Rows [4 * MIN_SLICE_ROWS, total] by which it is found out whether small slices give the same bits as large."""
    return np.random.default_rng(0).standard_normal((4 * MIN_SLICE_ROWS, total)).astype(np.float32)


def _outputs(lanes: Sequence[Passes], values: F32) -> F32:
    """The reconstruction of each record, [n, at least width]."""
    found = [passes.output()[: stop - start].copy() for start, stop, passes in slices(lanes, values)]
    return np.concatenate(found)


def _collect(waiting: deque[tuple[int, int, Passes]], errors: F32) -> None:
    start, stop, lane = waiting.popleft()
    errors[start:stop] = lane.errors()[: stop - start]


def field_errors(layout: Layout, values: F32, reconstruction: F32) -> F64:
    """Each feature's part of the weighted L1 error, [n, features]; the parts of a record add up to its error.

    Args:
        layout: which columns belong to which feature.
        values: encoded records, [n, total].
        reconstruction: the same shape, 0 in novelty columns.
    """
    weights = layout.weights().astype(np.float64)
    differences = np.abs(values.astype(np.float64) - reconstruction) * weights  # [n, total]
    errors = np.empty((len(values), len(layout.blocks)))
    for index, block in enumerate(layout.blocks):
        errors[:, index] = differences[:, block.start : block.stop].sum(axis=1)
        errors[:, index] += differences[:, block.novelty_start : block.novelty_stop].sum(axis=1)
    return errors


def _passes(module: Network, layout: Layout, rows: int, device: torch.device | None) -> Passes:
    if isinstance(module, PlainNetwork):
        return NumpyPasses(module, layout, rows)
    from monitor.model.torch_passes import TorchPasses

    return TorchPasses(cast("Autoencoder", module), layout, rows, device)


def _slice_rows(module: Network, most: int) -> int:
    """Depends on the network alone, so that every record meets the same shape."""
    if module.windows is None:
        work = sum(padded(before) * padded(after) for before, after in pairwise(module.widths))
    else:
        work = module.windows.steps * sum(math.prod(weights.shape) for weights in module.state_dict().values())
    affordable = 1 << (SLICE_WORK // max(1, work)).bit_length() >> 1  # rounded down to a power of two
    return max(1, min(most, max(MIN_SLICE_ROWS, affordable)))
