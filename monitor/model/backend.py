"""Who computes: torch, on the CPU or a GPU, or numpy, where memory is too dear for torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.model.ops import Kind

if TYPE_CHECKING:
    import torch


def chosen(backend: Kind, device: str) -> tuple[torch.device | None, str]:
    """The device of torch, None for numpy, and a sentence saying what was chosen and why.

    Raises:
        UnavailableError: a GPU was asked for and is not there.
        UsageError: no such kind of device.
    """
    if backend == "numpy":
        return None, "computing on the CPU with numpy, as configured"
    from monitor.model.device import choose_device

    return choose_device(device)


def on_cpu(backend: Kind, device: str) -> bool:
    """Whether no GPU computes. Raises what ``chosen`` does."""
    found, _ = chosen(backend, device)
    return found is None or found.type == "cpu"


def settle(backend: Kind) -> str:
    """Let the whole process compute with one thread: slices of 1,024 rows are too small to share.

    Numpy was told when the program began (see ``monitor.cli``).

    Returns:
        The version of torch; ``none`` where it does not compute, and is not loaded.
    """
    if backend == "numpy":
        return "none"
    import torch

    torch.set_num_threads(1)
    return str(torch.__version__)
