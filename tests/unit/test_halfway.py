"""A training that ends in the middle: what it goes on with, and what it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from monitor.core.arrays import F32
from monitor.core.clock import ManualClock
from monitor.core.model_config import ModelConfig
from monitor.model.history import Epoch
from monitor.training.fitting import Fitted, fit
from monitor.training.halfway import SAVE_SECONDS, Halfway, Snapshot
from tests.support_models import CPU
from tests.unit.test_fitting import benign, ignore, weights

OPTIONS = [
    {},
    {"optimizer": "adamw", "weight_decay": 1e-4},
    {"optimizer": "sgd", "learning_rate": 0.3},
    {"optimizer": "sgd", "activation": "gelu"},
    {"noise": 0.05, "masking": 0.2},
    {"patience": 3, "learning_rate": 0.02},
]


class KilledError(Exception):
    """Ends a training between two epochs."""


class Lesson:
    """A training whose clock moves on by more than a save takes with each epoch."""

    def __init__(self, path: Path, **options: object) -> None:
        self.clock, self.path, self.resumed = ManualClock(), path, list[int]()
        self.config = ModelConfig.model_validate({"batch_size": 32, "epochs": 12, **options})

    def fit(self, until: int | None = None, values: F32 | None = None) -> Fitted:
        """Train, or end after epoch ``until``."""
        halfway = Halfway(self.path, self.clock, self.resumed.append)
        on_epoch = self._watched(until)
        return fit(benign() if values is None else values, benign(seed=1), self.config, CPU, on_epoch, halfway=halfway)

    def _watched(self, until: int | None) -> Callable[[Epoch], None]:
        def on_epoch(epoch: Epoch) -> None:
            if epoch.number == until:
                raise KilledError
            self.clock.advance(SAVE_SECONDS)

        return on_epoch


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_comes_to_the_same_weights_to_the_last_bit(tmp_path: Path, options: dict[str, object]) -> None:
    lesson = Lesson(tmp_path / "half", **options)
    straight = fit(benign(), benign(seed=1), lesson.config, CPU, ignore)
    with pytest.raises(KilledError):
        lesson.fit(until=4)
    with pytest.raises(KilledError):
        lesson.fit(until=7)

    resumed = lesson.fit()

    assert lesson.resumed == [3, 6]
    assert weights(resumed) == weights(straight)
    assert resumed.history == straight.history


def test_other_records_or_another_configuration_begin_anew(tmp_path: Path) -> None:
    lesson = Lesson(tmp_path / "half")
    with pytest.raises(KilledError):
        lesson.fit(until=4)

    lesson.fit(values=benign(seed=7))
    Lesson(tmp_path / "half", seed=2).fit()

    assert lesson.resumed == []


@pytest.mark.parametrize("damage", [b"", b"\0" * 200, b"flipped"])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, damage: bytes) -> None:
    lesson = Lesson(tmp_path / "half")
    with pytest.raises(KilledError):
        lesson.fit(until=4)
    whole = lesson.path.read_bytes()
    flipped = whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:]
    lesson.path.write_bytes(flipped if damage == b"flipped" else damage)

    lesson.fit()

    assert lesson.resumed == []


def test_nothing_is_written_before_it_is_time(tmp_path: Path) -> None:
    clock = ManualClock()
    halfway = Halfway(tmp_path / "half", clock)

    def snapshot() -> Snapshot:
        return Snapshot((Epoch(1, 0.5),), 1, {"weight": torch.ones(3)})

    halfway.offer("f", snapshot)
    assert not (tmp_path / "half").exists()
    clock.advance(SAVE_SECONDS)
    halfway.offer("f", snapshot)

    last = halfway.last("f")
    assert last is not None
    assert last.epochs == (Epoch(1, 0.5),)
    halfway.over()
    assert halfway.last("f") is None


def test_a_disk_that_takes_nothing_costs_the_training_nothing(tmp_path: Path) -> None:
    lesson = Lesson(tmp_path / "missing" / "half")

    assert weights(lesson.fit()) == weights(fit(benign(), benign(seed=1), lesson.config, CPU, ignore))
