"""How many records a second a GPU encodes into errors, next to what its memory, its bus and its arithmetic allow.

The L1 error of random records, as the daemon computes it (`monitor.model.inference`): copied to the GPU from pinned
memory, passed through the network in slices, the errors copied back. Dense networks of several widths, and networks
over windows of 32 values of four fields. Each line is the best of some repetitions.
Ceilings are measured first: copies to the GPU, copies within it, and the product of two large matrices.

Usage: python benches/gpu.py [--device cuda:0] [--widths 8,16,...] [--windows conv,gru,lstm] [--batches 256,...]
                             [--seconds 0.3]
Without a GPU it says so; `--device cpu` runs the same table on the CPU.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, get_args

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from monitor.core.arrays import F32
from monitor.core.features import Layout
from monitor.core.model_config import ModelConfig, Network
from monitor.model.autoencoder import Autoencoder, initialise
from monitor.model.inference import Inference
from monitor.model.networks import network_for
from monitor.model.windows import Windows

WIDTHS = (8, 16, 32, 64, 128, 256, 512)
WINDOWED: tuple[Network, ...] = tuple(kind for kind in get_args(Network) if kind != "dense")
FIELDS, STEPS = 4, 32
"""Of the windows."""
BATCHES = (256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576)
LARGE = 8192
"""Rows and columns of the matrices by which ceilings are measured; an eighth of them on a CPU."""
TOLERANCE = 1e-4
"""By how much an error may differ from the CPU's, relative to the largest one."""


class Ceilings(NamedTuple):
    """What the device does at the most: bytes and operations a second."""

    to_device: float
    within: float
    operations: float


def best(work: Callable[[], object], device: torch.device, seconds: float) -> float:
    """The shortest of the calls that fit into so many seconds, two at least; in seconds."""
    found: list[float] = []
    until = time.perf_counter() + seconds
    while len(found) < 3 or time.perf_counter() < until:
        begun = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        found.append(time.perf_counter() - begun)
    return min(found[1:])  # the first one compiles, fills caches and gets memory


def ceilings(device: torch.device, seconds: float) -> Ceilings:
    """Measured on matrices of float32."""
    side = LARGE if device.type == "cuda" else LARGE // 8
    host = torch.zeros(side, side, pin_memory=device.type == "cuda")
    here, other = host.to(device), torch.zeros(side, side, device=device)
    size = host.numel() * host.element_size()
    return Ceilings(
        size / best(lambda: here.copy_(host, non_blocking=True), device, seconds),
        2 * size / best(lambda: here.copy_(other), device, seconds),
        2 * side**3 / best(lambda: torch.mm(here, other), device, seconds),
    )


def network(kind: Network, width: int) -> Autoencoder:
    """The default network over so many columns; what it learned does not matter for its speed."""
    config = ModelConfig(network=kind)
    columns = tuple(tuple(range(field * STEPS, (field + 1) * STEPS)) for field in range(FIELDS))
    module = network_for(width, config, None if kind == "dense" else Windows(columns))
    initialise(module, config, torch.Generator().manual_seed(1))
    return module.eval()


def operations_of(module: Autoencoder) -> float:
    """Multiplications and additions of one record, counted by torch."""
    nowhere = copy.deepcopy(module).to("meta")
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        nowhere(torch.zeros(64, module.width, device="meta"))
    return float(counter.get_total_flops()) / 64


def measure(
    kind: Network, width: int, batches: Sequence[int], device: torch.device, seconds: float, most: Ceilings
) -> bool:
    """Print the lines of one network; whether the errors are those of the CPU."""
    place, module = Layout.of([("x", width, 0)]), network(kind, width)
    inference, on_cpu = Inference(module, place, device), Inference(module, place)
    operations = operations_of(module)
    alike = True
    for count in batches:
        values: F32 = np.random.default_rng(0).standard_normal((count, width)).astype(np.float32)
        rate = count / best(partial(inference.errors, values), device, seconds)
        few = values[:4096]
        expected = on_cpu.errors(few)
        off = float(np.abs(inference.errors(few) - expected).max() / expected.max())
        alike &= off <= TOLERANCE and not inference.guard.lost
        print(
            f"| {kind} | {width} | {count:,} | {rate:,.0f} | {100 * rate * 4 * width / most.to_device:.1f} % "
            f"| {100 * rate * operations / most.operations:.1f} % | {off:.1e} |",
            flush=True,
        )
    return alike


def names(text: str) -> list[Network]:
    """Networks over windows with commas between."""
    given = text.split(",")
    if unknown := [kind for kind in given if kind not in WINDOWED]:
        raise argparse.ArgumentTypeError(f"no network over windows: {unknown[0]!r}; there are {', '.join(WINDOWED)}")
    return [kind for kind in WINDOWED if kind in given]


def numbers(text: str) -> list[int]:
    """Numbers with commas between."""
    return [int(part) for part in text.split(",")]


def main() -> None:
    """Print the table; exit with 1 if an error is too far from the CPU's."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--device", default="cuda:0")
    options.add_argument("--widths", type=numbers, default=WIDTHS)
    options.add_argument("--windows", type=names, default=WINDOWED)
    options.add_argument("--batches", type=numbers, default=BATCHES)
    options.add_argument("--seconds", type=float, default=0.3)
    given = options.parse_args()
    device = torch.device(given.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("no usable GPU: not measured")
    torch.set_num_threads(1)
    most = ceilings(device, given.seconds)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, one thread"
    print(f"{name}, torch {torch.__version__}: {most.to_device / 1e9:.1f} GB/s to the device,")
    print(f"{most.within / 1e9:.1f} GB/s within it, {most.operations / 1e12:.2f} TFLOP/s in float32\n")
    print(
        "| network | columns | records a batch | records/s | of the copies | of the arithmetic | off from the CPU by |"
    )
    print("|---|---|---|---|---|---|---|")
    cases: list[tuple[Network, int]] = [*(("dense", width) for width in given.widths)]
    cases += [(kind, FIELDS * STEPS) for kind in given.windows]
    alike = [measure(kind, width, given.batches, device, given.seconds, most) for kind, width in cases]
    if not all(alike):
        sys.exit(f"errors differ from the CPU's by more than {TOLERANCE}, or the device failed")


if __name__ == "__main__":
    main()
