"""Training against PyOD's AutoEncoder: the same records, width and epochs, in turns on one core.

Both learn a network of columns-64-32-64-columns with ReLU by Adam in batches of 32, from data in memory, to the end of
the last epoch; PyOD's includes the scores of its training records, which its `fit` always computes, ours those too.
A second figure of ours is with the batches of 256 that are its default.

Usage: pip install 'pyod>=3' tqdm
       python benches/training_peer.py [--rows 10000] [--columns 40] [--epochs 10] [--rounds 3] [--alone]
`--alone` leaves PyOD out, to see how long many records take and how much memory.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module

import numpy as np
import torch

from monitor.core.arrays import F32
from monitor.core.features import Layout
from monitor.core.model_config import ModelConfig
from monitor.model.inference import Inference
from monitor.training.fitting import fit

LAYERS = [64, 32]


def records(rows: int, columns: int) -> F32:
    """Records that a few hidden numbers explain, with noise."""
    chance = np.random.default_rng(1)
    hidden, mixing = chance.standard_normal((rows, 6)), chance.standard_normal((6, columns))
    return (np.tanh(hidden @ mixing) + 0.1 * chance.standard_normal((rows, columns))).astype(np.float32)


def theirs(values: F32, epochs: int) -> None:
    """PyOD's, without the parts that ours does not have: normalisation of batches, and dropping units."""
    detector = import_module("pyod.models.auto_encoder").AutoEncoder(
        epoch_num=epochs, batch_size=32, hidden_neuron_list=LAYERS, batch_norm=False, dropout_rate=0.0, verbose=0
    )
    detector.fit(values)


def ours(values: F32, epochs: int, batch_size: int) -> None:
    """The trainer that `retrain` uses, and the errors of all records."""
    hidden = [*LAYERS, *LAYERS[-2::-1]]
    config = ModelConfig(
        hidden=hidden, activation="relu", learning_rate=0.001, weight_decay=1e-5, batch_size=batch_size,
        epochs=epochs, patience=0,
    )  # fmt: skip
    fitted = fit(values, values[:0], config, torch.device("cpu"), lambda _epoch: None)
    Inference(fitted.module, Layout.of([("x", values.shape[1], 0)])).errors(values)


def seconds(train: Callable[[], None]) -> float:
    """Processor time."""
    begun = time.process_time()
    train()
    return time.process_time() - begun


def main() -> None:
    """Print a line a round, and the median ratio."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=10_000)
    options.add_argument("--columns", type=int, default=40)
    options.add_argument("--epochs", type=int, default=10)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--alone", action="store_true")
    given = options.parse_args()
    torch.set_num_threads(1)
    values = records(given.rows, given.columns)
    if not given.alone:
        theirs(values[:256], 1)  # imports belong to neither
    ours(values[:256], 1, 32)
    ratios: list[tuple[float, float]] = []
    for number in range(given.rounds):
        other = float("nan") if given.alone else seconds(partial(theirs, values, given.epochs))
        same, usual = (seconds(partial(ours, values, given.epochs, size)) for size in (32, 256))
        ratios.append((other / same, other / usual))
        print(f"round {number + 1}: PyOD {other:.2f} s, ours {same:.2f} s, in batches of 256 {usual:.2f} s", flush=True)
    medians = [statistics.median(each) for each in zip(*ratios, strict=True)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{given.rows:,} records of {given.columns} columns, {given.epochs} epochs, one core, CPU seconds: "
        f"{medians[0]:.1f} times faster, in batches of 256 {medians[1]:.1f} times; {peak:.0f} MB at the most"
    )


if __name__ == "__main__":
    main()
