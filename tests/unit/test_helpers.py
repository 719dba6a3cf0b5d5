"""Batches are prepared ahead where that can help, and used by the pipeline that they were prepared for alone."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import active_children, get_context

import numpy as np
import pytest

from monitor.core.clock import ManualClock
from monitor.core.records import Origin, RawBatch
from monitor.core.rows import places_only
from monitor.runtime.helpers import LEAST_RECORDS, RESTART_SECONDS, Ahead, Helpers

FIRST, SECOND = object(), object()


def batch(records: int = LEAST_RECORDS) -> RawBatch:
    return places_only(Origin("f", 0, "/var/log/a.log"), records)


def double(raw: RawBatch) -> int:
    return 2 * len(raw)


def fail(raw: RawBatch) -> int:
    raise ValueError(str(len(raw)))


def die(raw: RawBatch) -> int:
    del raw
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


class Crew:
    """Helpers that are there, with how often they were told to have died."""

    def __init__(self, count: int, executor: Executor) -> None:
        self.clock = ManualClock()
        self.deaths = 0
        self.executor = executor
        self.started: list[Executor] = []
        self.helpers = Helpers(self.clock, self._ended)
        self.helpers.renew(count, self._start)
        self.helpers.adopt("web", FIRST, double)

    def _start(self) -> Executor:
        self.started.append(self.executor)
        return self.executor

    def _ended(self) -> None:
        self.deaths += 1

    def begun(self) -> Ahead:
        """A batch that a helper has; it is asked for until somebody is there to do it."""
        while True:
            many = [self.helpers.begin("web", batch()) for _ in range(4)]
            for ahead in many:
                if ahead and ahead.future:
                    return ahead
            for ahead in many:
                if ahead:
                    ahead.claim(ahead)


@pytest.fixture
def crew() -> Iterator[Crew]:
    with ThreadPoolExecutor(1) as executor:
        yield Crew(1, executor)


def test_what_was_prepared_is_for_that_pipeline_alone(crew: Crew) -> None:
    assert crew.begun().result(FIRST) == 2 * LEAST_RECORDS
    assert crew.begun().result(SECOND) is None
    crew.helpers.adopt("web", SECOND, double)
    assert crew.begun().result(SECOND) == 2 * LEAST_RECORDS


def test_small_batches_and_unknown_streams_are_left_to_the_scorer(crew: Crew) -> None:
    crew.begun()

    assert crew.helpers.begin("web", batch(LEAST_RECORDS - 1)) is None
    assert crew.helpers.begin("db", batch()) is None


def test_without_helpers_none_are_started() -> None:
    with ThreadPoolExecutor(1) as executor:
        crew = Crew(0, executor)

        assert crew.helpers.begin("web", batch()) is None
        assert not crew.started


class Never(Executor):
    """Finishes its first task, and others when it is told to."""

    def __init__(self) -> None:
        self.tasks = 0
        self.unfinished: deque[Future[object]] = deque()

    def finish(self) -> None:
        """The oldest of them."""
        self.unfinished.popleft().set_result(0)

    def submit(self, fn: object, /, *args: object, **kwargs: object) -> Future[object]:  # type: ignore[override]
        del fn, args, kwargs
        future = Future[object]()
        self.tasks += 1
        if self.tasks == 1:
            future.set_result(0)
        else:
            self.unfinished.append(future)
        return future


def all_begun(crew: Crew, count: int) -> list[Ahead]:
    begun = [crew.helpers.begin("web", batch()) for _ in range(count)]
    assert all(begun)
    return [ahead for ahead in begun if ahead]


def with_helpers(begun: list[Ahead]) -> list[bool]:
    return [ahead.future is not None for ahead in begun]


def test_helpers_have_what_they_can_begin_soon_and_the_scorer_as_much_before_that() -> None:
    crew = Crew(1, Never())

    begun = all_begun(crew, 6)

    assert with_helpers(begun) == [False, False, True, True, False, False]


def test_what_the_scorer_has_come_to_no_helper_begins() -> None:
    crew = Crew(1, executor := Never())
    begun = all_begun(crew, 6)

    assert begun[0].result(FIRST) is None
    executor.finish()

    assert with_helpers(begun) == [False, False, True, True, False, True]  # the next two are left to the scorer
    assert begun[2].result(FIRST) == 0


def test_a_new_model_has_nothing_prepared_for_the_one_before() -> None:
    crew = Crew(1, executor := Never())
    begun = all_begun(crew, 6)

    crew.helpers.adopt("web", SECOND, double)
    executor.finish()
    later = all_begun(crew, 3)

    assert with_helpers(begun) == [False, False, True, True, False, False]
    assert with_helpers(later) == [False, False, True]


def test_a_batch_that_cannot_be_prepared_is_left_to_the_scorer(crew: Crew) -> None:
    crew.helpers.adopt("web", FIRST, fail)

    assert crew.begun().result(FIRST) is None
    assert crew.deaths == 0


def test_helpers_that_die_are_replaced_after_a_while() -> None:
    crew = Crew(1, ProcessPoolExecutor(1, get_context("spawn")))
    crew.helpers.adopt("web", FIRST, die)
    assert crew.begun().result(FIRST) is None
    while not crew.deaths:
        pass

    crew.executor = ProcessPoolExecutor(1, get_context("spawn"))
    crew.helpers.adopt("web", FIRST, double)
    assert crew.helpers.begin("web", batch()) is None
    assert len(crew.started) == 1
    crew.clock.advance(RESTART_SECONDS)
    assert crew.begun().result(FIRST) == 2 * LEAST_RECORDS
    assert len(crew.started) == 2
    crew.helpers.stop()
    assert crew.helpers.begin("web", batch()) is None
    for process in active_children():
        process.join()
    assert crew.deaths == 1


def test_batches_reach_another_process_whole() -> None:
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        raw = batch(3)

        assert executor.submit(double, raw).result() == 6
        np.testing.assert_array_equal(executor.submit(same, raw).result().offsets, raw.offsets)


def same(raw: RawBatch) -> RawBatch:
    return raw
