"""Where the network computes, and with how many threads."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager

import torch

from monitor.core.errors import UnavailableError, UsageError


def choose_device(wanted: str) -> tuple[torch.device, str]:
    """The device for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``, and a sentence saying what was chosen and why.

    ``auto`` falls back to the CPU; a device asked for by name is never replaced by another.

    Raises:
        UnavailableError: a GPU was asked for and is not there.
        UsageError: no such kind of device.
    """
    if wanted == "cpu":
        return torch.device("cpu"), "computing on the CPU, as configured"
    if wanted == "auto":
        return _automatic()
    if not re.fullmatch(r"cuda(:\d{1,3})?", wanted):
        raise UsageError(f"device {wanted!r} is not one of auto, cpu, cuda, cuda:N")
    return _demanded(wanted)


def _automatic() -> tuple[torch.device, str]:
    if torch.cuda.is_available():
        return torch.device("cuda:0"), f"computing on the GPU {torch.cuda.get_device_name(0)}"
    return torch.device("cpu"), f"computing on the CPU: {_no_gpu_reason()}"


def _demanded(wanted: str) -> tuple[torch.device, str]:
    if not torch.cuda.is_available():
        raise UnavailableError(f"device {wanted}: {_no_gpu_reason()}; set device: auto or device: cpu to go without")
    index = int(wanted.partition(":")[2] or 0)
    if index >= torch.cuda.device_count():
        raise UnavailableError(
            f"device {wanted}: there are only {torch.cuda.device_count()} GPUs, counted from 0; name one of them"
        )
    return torch.device(f"cuda:{index}"), f"computing on the GPU {torch.cuda.get_device_name(index)}"


def _no_gpu_reason() -> str:
    if torch.version.cuda is None:
        return "the installed torch is built without GPU support"
    return "no usable GPU was found (see nvidia-smi)"


def spare_cores() -> int:
    """How many threads a long computation may take: all cores of this process but one, or what OMP_NUM_THREADS says.

    Threads that share a matrix product wait for each other by spinning. A single busy neighbour on the last core makes
    all of them wait: on two cores, training with two threads beside one busy process took three times as long as with
    one, beside two of them ten times.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return torch.get_num_threads()
    return max(1, min(torch.get_num_threads(), len(os.sched_getaffinity(0)) - 1))


@contextmanager
def threads(count: int) -> Generator[None, None, None]:
    """Compute with so many threads inside. Costs nothing where the process is set to as many already."""
    before = torch.get_num_threads()
    if before == count:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def one_thread() -> AbstractContextManager[None]:
    """Compute with one thread inside: faster for small slices, and the sum order cannot depend on the machine.

    The daemon is set to one thread already.
    """
    return threads(1)
