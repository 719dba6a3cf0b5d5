"""The training loop against the usual one of published examples, in turns on the same cores, on the same images.

Both train the network of reference system R4 (784-512-256-128-64-32-16 and back, ReLU, SGD 0.01, weight decay 1e-5,
batches of 32, MSE) from data in memory for the same number of epochs. The usual loop is a DataLoader over a Dataset
that takes one row after the other out of a pandas table; ours is `monitor.training.fitting.fit`.

Usage: python benches/training.py IMAGES.csv [--epochs 1] [--rounds 3] [--threads 2]
with a CSV of a label and 784 pixels a line, such as `aemonitor data images ... --format csv` writes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from monitor.core.model_config import ModelConfig
from monitor.training.fitting import fit

WIDTHS = [784, 512, 256, 128, 64, 32, 16, 32, 64, 128, 256, 512, 784]
BATCH = 32


class Rows(Dataset[tuple[Tensor, int]]):
    """One image a row, a label in front."""

    def __init__(self, table: pd.DataFrame) -> None:
        self._table = table

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        row = self._table.iloc[index]
        return torch.tensor(row.iloc[1:].to_numpy() / 255.0, dtype=torch.float32), int(row.iloc[0])


def usual(table: pd.DataFrame, epochs: int) -> float:
    """Train as examples do; the mean loss of the last epoch."""
    torch.manual_seed(1)
    layers = [part for a, b in pairwise(WIDTHS) for part in (nn.Linear(a, b), nn.ReLU())]
    network, criterion = nn.Sequential(*layers), nn.MSELoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, weight_decay=1e-5)
    batches = DataLoader(Rows(table), batch_size=BATCH, shuffle=True)
    loss = 0.0
    for _ in range(epochs):
        total = 0.0
        for images, _labels in batches:
            optimizer.zero_grad()
            error: Tensor = criterion(network(images), images)
            torch.autograd.backward(error)
            optimizer.step()
            total += error.item() * len(images)
        loss = total / len(table)
    return loss


def ours(table: pd.DataFrame, epochs: int) -> float:
    """Train as the product does; the mean loss of the last epoch."""
    values = (table.to_numpy()[:, 1:] / 255.0).astype(np.float32)
    config = ModelConfig(
        hidden=WIDTHS[1:-1],
        activation="relu",
        output_activation="relu",
        init="torch",
        optimizer="sgd",
        learning_rate=0.01,
        weight_decay=1e-5,
        batch_size=BATCH,
        epochs=epochs,
        patience=0,
    )
    fitted = fit(values, values[:0], config, torch.device("cpu"), lambda _epoch: None)
    return fitted.history.epochs[-1].loss


def measured(loop: Callable[[pd.DataFrame, int], float], table: pd.DataFrame, epochs: int) -> tuple[float, float]:
    """Seconds of wall time, and the loss."""
    start = time.perf_counter()
    loss = loop(table, epochs)
    return time.perf_counter() - start, loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    table = pd.read_csv(options.images).copy()  # one block: a row of a table in pieces costs ten times as much
    measured(usual, table.head(BATCH), 1)  # imports and first allocations belong to neither
    ratios: list[float] = []
    for number in range(options.rounds):
        theirs, their_loss = measured(usual, table, options.epochs)
        mine, my_loss = measured(ours, table, options.epochs)
        ratios.append(theirs / mine)
        print(
            f"round {number + 1}: usual {theirs:.1f} s loss {their_loss:.5f}; ours {mine:.1f} s loss {my_loss:.5f}; "
            f"ratio {ratios[-1]:.2f}",
            flush=True,
        )
    print(f"median ratio {statistics.median(ratios):.2f} ({len(table):,} images, {options.epochs} epochs)")


if __name__ == "__main__":
    main()
