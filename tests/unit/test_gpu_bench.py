"""The table of GPUs: its code runs on any device, and says so where there is none to measure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

BENCH = Path(__file__).parents[2] / "benches" / "gpu.py"


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, BENCH, *arguments], capture_output=True, text=True, check=False, timeout=250)


def test_it_prints_a_line_for_each_network_and_batch_with_the_errors_of_the_cpu() -> None:
    done = bench(
        *("--device", "cpu", "--widths", "8,64", "--windows", "lstm,conv", "--batches", "256,2048"),
        *("--seconds", "0.01"),
    )

    assert done.returncode == 0, done.stderr
    lines = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith(("| dense", "| conv", "| lstm"))]
    assert [tuple(line[:3]) for line in lines] == [
        ("| dense", "8", "256"), ("| dense", "8", "2,048"), ("| dense", "64", "256"), ("| dense", "64", "2,048"),
        ("| conv", "128", "256"), ("| conv", "128", "2,048"), ("| lstm", "128", "256"), ("| lstm", "128", "2,048"),
    ]  # fmt: skip
    assert all(line[-1] == "0.0e+00 |" for line in lines)


def test_without_a_gpu_nothing_is_measured() -> None:
    done = bench("--widths", "8", "--batches", "256", "--seconds", "0.01")

    if torch.cuda.is_available():
        assert done.returncode == 0, done.stderr
    else:
        assert (done.returncode, done.stderr) == (1, "no usable GPU: not measured\n")
