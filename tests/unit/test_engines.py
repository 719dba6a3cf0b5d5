"""Engines: all results, in order, whatever becomes of a worker."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from monitor.core.errors import DataError, UnavailableError, UsageError
from monitor.engines.choice import EngineChoice
from monitor.engines.engine import Engine
from monitor.engines.ray import Ray

pytestmark = pytest.mark.timeout(300)


def doubled(item: int) -> int:
    return 2 * item


def killed_once(marks: Path, item: int) -> int:
    """Every third item ends its worker the first time that it is tried."""
    mark = marks / str(item)
    if item % 3 == 0 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def deadly(item: int) -> int:
    """The third item ends its worker while the first is still under way."""
    if item == 0:
        time.sleep(0.5)
    if item == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def refused(item: int) -> int:
    if item == 2:
        raise DataError(f"record {item} cannot be read")
    return item


def test_results_come_in_the_order_of_the_items(engine: Engine) -> None:
    assert list(engine.map(doubled, range(50))) == list(range(0, 100, 2))


def test_few_items_are_under_way_at_once(engine: Engine) -> None:
    begun: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            begun.append(item)
            yield item

    results = engine.map(doubled, items())
    next(results)

    assert len(begun) <= 2 * engine.workers


def test_what_a_killed_worker_did_is_done_again(engine: Engine, tmp_path: Path) -> None:
    assert list(engine.map(partial(killed_once, tmp_path), range(7))) == list(range(7))
    assert {mark.name for mark in tmp_path.iterdir()} == {"0", "3", "6"}


def test_work_that_kills_every_worker_is_given_up(engine: Engine) -> None:
    with pytest.raises(UnavailableError, match=r"(over|on) 2: "):
        list(engine.map(deadly, range(4)))


def test_what_is_wrong_with_the_data_is_told_as_it_is(engine: Engine) -> None:
    with pytest.raises(DataError, match=r"^record 2 cannot be read$"):
        list(engine.map(refused, range(4)))


def test_nobody_else_can_reach_the_workers(engine: Engine) -> None:
    assert list(engine.map(doubled, range(2))) == [0, 2]
    family = psutil.Process().children(recursive=True)
    places = [connection.laddr.ip for each in family for connection in each.net_connections("inet")]

    assert all(place in {"127.0.0.1", "::1", "::ffff:127.0.0.1"} for place in places), places
    assert places or not isinstance(engine, Ray)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (EngineChoice("inline", workers=2), "--workers goes with"),
        (EngineChoice("processes", address="auto"), "goes with --engine ray"),
    ],
)
def test_options_that_do_not_fit_are_refused(choice: EngineChoice, message: str) -> None:
    with pytest.raises(UsageError, match=message), choice.opened():
        pass


def test_without_an_engine_this_process_works() -> None:
    with EngineChoice().opened() as engine:
        assert engine is None


def test_a_cluster_that_is_not_there_is_named() -> None:
    with (
        pytest.raises(UnavailableError, match=r"--address 127\.0\.0\.1:1: no Ray there"),
        EngineChoice("ray", address="127.0.0.1:1").opened(),
    ):
        pass
