"""What to do when a GPU fails in the middle of a batch: compute that again on the CPU, and go on there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

Made = TypeVar("Made")


def on_gpu(device: torch.device | None) -> bool:
    """Whether that is another device than the CPU, which None means too."""
    return device is not None and device.type != "cpu"


class Guard:
    """Computes on a GPU until that fails, and then on the CPU for good; nothing is lost between.

    Args:
        device: where it begins; without a GPU every error is raised.
        go_over: brings everything that ``compute`` uses to the CPU; called once, before the second attempt.
    """

    def __init__(self, device: torch.device | None, go_over: Callable[[], None]) -> None:
        self._on_gpu = on_gpu(device)
        self._go_over = go_over
        self.lost = ""
        """Why the GPU is not used any more; empty while nothing failed."""

    def __call__(self, compute: Callable[[], Made]) -> Made:
        """What ``compute`` gives, which may be called a second time."""
        try:
            return compute()
        except RuntimeError as error:  # out of memory, a lost device and a failed kernel have no other class in common
            if not self._on_gpu:
                raise
            self._on_gpu = False
            self.lost = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
            self._go_over()
        return compute()
