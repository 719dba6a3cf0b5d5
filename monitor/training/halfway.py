"""A training that was killed goes on after the last epoch it wrote down, to the very weights it would have come to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

import monitor
from monitor.core.arrays import F32
from monitor.core.clock import Clock
from monitor.core.durable import replace_file
from monitor.core.model_config import ModelConfig
from monitor.model.history import Epoch

SAVE_SECONDS = 10.0
"""A training that is over sooner writes nothing down."""

ROWS = 65_536
"""Rows whose fingerprint is taken at a time: they are copied, being part of a wider matrix."""

TOLD = "told"
"""The tensor that holds what is no tensor, as the bytes of JSON."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A training between two epochs: all that the next one depends on. ``best`` is the epoch whose weights are kept."""

    epochs: tuple[Epoch, ...]
    best: int
    tensors: Mapping[str, Tensor]


class _Told(msgspec.Struct, frozen=True):
    fingerprint: str
    epochs: tuple[Epoch, ...]
    best: int


class Halfway:
    """The file in which a training is written down now and then; its directory has to be there.

    A file that is damaged, of other records, another configuration or another release is as good as none. Two trainings
    that share one cost each other what they wrote down, and nothing else.
    """

    def __init__(self, path: Path, clock: Clock, on_resumed: Callable[[int], object] = lambda _epoch: None) -> None:
        self._path, self._clock, self._on_resumed = path, clock, on_resumed
        self._saved = clock.monotonic()

    def last(self, fingerprint: str) -> Snapshot | None:
        """Where the training with this fingerprint was when it ended; None where it has to begin."""
        try:
            digest, data = _parted(self._path.read_bytes())
            tensors = load_tensors(data)
            told = msgspec.json.decode(bytes(tensors.pop(TOLD).tolist()), type=_Told)
        except (OSError, SafetensorError, KeyError, ValueError):
            return None
        if digest != hashlib.sha256(data).digest() or told.fingerprint != fingerprint:
            return None
        self._on_resumed(len(told.epochs))
        return Snapshot(told.epochs, told.best, tensors)

    def offer(self, fingerprint: str, snapshot: Callable[[], Snapshot]) -> None:
        """Write a training down if it is time to. A disk that cannot take it costs the training nothing."""
        if self._clock.monotonic() - self._saved < SAVE_SECONDS:
            return
        now = snapshot()
        told = msgspec.json.encode(_Told(fingerprint, now.epochs, now.best))
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in now.tensors.items()}
        data = save_tensors({**tensors, TOLD: torch.frombuffer(bytearray(told), dtype=torch.uint8)})
        with suppress(OSError):
            replace_file(self._path, hashlib.sha256(data).digest() + data)
        self._saved = self._clock.monotonic()

    def over(self) -> None:
        """Forget it: what came of the training stands elsewhere."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def fingerprint(values: F32, validation: F32, config: ModelConfig, device: torch.device) -> str:
    """What the weights of a training depend on: records [n, width] and [m, width], configuration, machine, release."""
    place = f"{config.model_dump_json()} {device} {torch.get_num_threads()} {torch.__version__} {monitor.__version__}"
    digest = hashlib.sha256(f"{values.shape} {validation.shape} {place}".encode())
    for array in (values, validation):
        for rows in range(0, len(array), ROWS):
            digest.update(array[rows : rows + ROWS].tobytes())
    return digest.hexdigest()


def _parted(content: bytes) -> tuple[bytes, bytes]:
    return content[:32], content[32:]
