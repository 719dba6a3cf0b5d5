"""A made-up pumping plant: twelve sensors driven by three hidden states, so that each can be told from the others.

The plant is the same whatever the seed; the next seed is the next week of it. Benign rows do not depend on which
faults are planted: two runs that differ only in the number of faults agree everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from monitor.core.arrays import F64, I64
from monitor.core.errors import UsageError

FIRST_WEEK = datetime(2026, 1, 5, tzinfo=UTC)
WEEKS = 1000
"""So many seeds have a week of their own; then they begin again, for the years to stay believable."""
STEP = timedelta(minutes=1)
BENIGN_SHARE = 0.6
"""No fault is planted in this first part of the rows."""
LOAD_ROWS, DAY_ROWS = 480, 1440
"""Periods of the load (a shift of eight hours) and of the weather."""
SLOW_ROWS = 241
"""How far the random part of a hidden state remembers: four hours."""
LEAST_SLOT_ROWS = 4
"""A fault needs this many rows to itself, so that it has an end before the next one."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One sensor: its reading is ``centre + load * L + ambient * A + valve * V`` and noise, in its own unit.

    L, A and V are the hidden states, each about -1 to 1. ``noise`` is a standard deviation.
    """

    name: str
    centre: float
    load: float
    ambient: float
    valve: float
    noise: float
    decimals: int


CHANNELS = (
    Channel("flow_l_min", 420, 110, 0, 60, 4, 1),
    Channel("inlet_pressure_bar", 2.4, -0.35, 0, 0.1, 0.02, 3),
    Channel("outlet_pressure_bar", 6.8, 1.1, 0, -0.9, 0.04, 3),
    Channel("motor_current_a", 31, 8.5, 0.4, -1.2, 0.3, 2),
    Channel("motor_power_kw", 16.5, 4.6, 0.1, -0.5, 0.15, 2),
    Channel("speed_rpm", 1450, 160, 0, 0, 5, 0),
    Channel("vibration_mm_s", 2.2, 0.7, 0.05, 0.35, 0.08, 2),
    Channel("bearing_temp_c", 58, 6.5, 5, 0, 0.4, 1),
    Channel("winding_temp_c", 74, 11, 6, -1, 0.5, 1),
    Channel("oil_temp_c", 47, 3.5, 5.5, 0, 0.3, 1),
    Channel("inlet_temp_c", 14, 0, 4.5, 0, 0.2, 1),
    Channel("valve_position_pct", 52, 0, 0, 24, 0.5, 1),
)


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault in the data: rows ``first`` to ``last``, counted from 1 after the header."""

    sort: str
    channel: str
    first: int
    last: int

    def text(self) -> str:
        """For a person.

        >>> Planted("stuck", "speed_rpm", 7, 9).text()
        'rows 7 to 9: speed_rpm stuck'
        """
        rows = f"row {self.first}" if self.first == self.last else f"rows {self.first} to {self.last}"
        return f"{rows}: {self.channel} {self.sort}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One sort of fault: what ``rows`` readings [n] become, given the channel's usual mean and deviation."""

    sort: str
    rows: int
    spoil: Callable[[F64, float, float, np.random.Generator], F64]


FAULTS = (
    Fault("spike", 1, lambda x, _mean, deviation, _random: x + 8 * deviation),
    Fault("drift", 40, lambda x, _mean, deviation, _random: x + np.linspace(0, 6, len(x)) * deviation),
    Fault("dropout", 5, lambda x, _mean, _deviation, _random: np.zeros(len(x))),
    Fault("noisy", 20, lambda x, _mean, deviation, random: x + random.normal(0, 3 * deviation, len(x))),
    Fault("mirrored", 30, lambda x, mean, _deviation, _random: 2 * mean - x),
    Fault("stuck", 60, lambda x, _mean, _deviation, _random: np.full(len(x), x[0])),
)
"""From plain to hard: what is mirrored or stuck stays within its usual range and only contradicts the other sensors."""


@dataclass(frozen=True, slots=True)
class Plant:
    """Readings [n, channels], labels [n] (1 in a fault) and what was planted, in the order of the rows."""

    start: datetime
    readings: F64
    labels: I64
    planted: tuple[Planted, ...]

    def lines(self) -> Iterator[str]:
        """CSV lines, the header first."""
        yield ",".join(("time", *(channel.name for channel in CHANNELS), "label")) + "\n"
        decimals = [channel.decimals for channel in CHANNELS]
        for row, (values, label) in enumerate(zip(self.readings.tolist(), self.labels.tolist(), strict=True)):
            cells = [f"{value:.{places}f}" for value, places in zip(values, decimals, strict=True)]
            yield f"{self.start + row * STEP:%Y-%m-%dT%H:%M:%SZ},{','.join(cells)},{label}\n"


def plant(rows: int, anomalies: int, seed: int) -> Plant:
    """Some days of the plant, a row a minute, with ``anomalies`` faults spread over the last 40 % of the rows.

    Raises:
        UsageError: the faults do not fit into the rows.
    """
    weather, jitter, accidents = np.random.default_rng(seed).spawn(3)
    effects = np.array([(channel.load, channel.ambient, channel.valve) for channel in CHANNELS])  # [channels, 3]
    readings = np.array([channel.centre for channel in CHANNELS]) + _states(rows, weather) @ effects.T
    readings += jitter.standard_normal(readings.shape) * np.array([channel.noise for channel in CHANNELS])
    labels = np.zeros(rows, dtype=np.int64)
    planted = _plant_faults(readings, labels, anomalies, accidents)
    return Plant(FIRST_WEEK + timedelta(weeks=(seed - 1) % WEEKS), readings, labels, planted)


def _states(rows: int, random: np.random.Generator) -> F64:
    """Load, ambient temperature and valve position, [rows, 3]."""
    time = np.arange(rows)
    phases = random.uniform(0, 2 * np.pi, 2)
    load = 0.55 * np.sin(2 * np.pi * time / LOAD_ROWS + phases[0]) + 0.3 * _slow(rows, random)
    ambient = 0.7 * np.sin(2 * np.pi * time / DAY_ROWS + phases[1]) + 0.2 * _slow(rows, random)
    return np.stack([np.tanh(load), np.tanh(ambient), np.tanh(0.8 * _slow(rows, random))], axis=1)


def _slow(rows: int, random: np.random.Generator) -> F64:
    """Noise of variance 1 without sudden moves, [rows]."""
    window = np.hanning(SLOW_ROWS)
    return np.convolve(random.standard_normal(rows + SLOW_ROWS - 1), window / np.linalg.norm(window), "valid")


def _plant_faults(readings: F64, labels: I64, count: int, random: np.random.Generator) -> tuple[Planted, ...]:
    """Spoil ``readings`` in place, each fault somewhere in a stretch of its own; the sorts come in turn."""
    if count == 0:
        return ()
    begin = round(len(readings) * BENIGN_SHARE)
    slot = (len(readings) - begin) // count
    if slot < LEAST_SLOT_ROWS:
        least = round(count * LEAST_SLOT_ROWS / (1 - BENIGN_SHARE)) + 1
        raise UsageError(
            f"{count:,} anomalies do not fit into the last 40 % of {len(readings):,} rows; ask for --rows {least} "
            "or more, or for fewer anomalies"
        )
    means, deviations = readings.mean(axis=0), readings.std(axis=0)  # before anything is spoiled
    planted: list[Planted] = []
    for number in range(count):
        fault, channel = FAULTS[number % len(FAULTS)], int(random.integers(len(CHANNELS)))
        length = min(fault.rows, slot // 2)
        first = begin + number * slot + int(random.integers(slot - length))
        rows = slice(first, first + length)
        readings[rows, channel] = fault.spoil(readings[rows, channel], means[channel], deviations[channel], random)
        labels[rows] = 1
        planted.append(Planted(fault.sort, CHANNELS[channel].name, first + 1, first + length))
    return tuple(planted)
