"""The sender of a sink: in order, nothing acknowledged that was not taken, and patient with whoever fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from monitor.core import backoff
from monitor.core.accounting import Counts, Outcome
from monitor.core.backoff import Backoff
from monitor.core.clock import ManualClock
from monitor.core.delivery import GoneError, PartlyDeliveredError, RefusedError, RetryLaterError
from monitor.core.errors import UnavailableError
from monitor.core.protocols import Sink
from monitor.ledger import Ledger
from monitor.runtime.patience import Refusals
from monitor.runtime.plan import SinkPlan
from monitor.runtime.sender import LAST_ROUND_SECONDS, LONGEST_FIRING_SECONDS, MOST_FIRING, Outbox, Sender
from monitor.telemetry import Telemetry
from tests.support_files import alert, position


class ListOutbox:
    """An outbox of numbered alerts that remembers what was acknowledged."""

    def __init__(self, count: int) -> None:
        self.alerts = [(number, b'{"id":"%d"}' % number) for number in range(1, count + 1)]
        self.acknowledged = 0
        self.empty = threading.Event()
        self.going_on: list[bytes] = []
        self.asked: list[tuple[Sequence[str], float, int]] = []

    def pending(self, sink: str, streams: Sequence[str] | None = None, limit: int = 256) -> Sequence[tuple[int, bytes]]:
        return [alert for alert in self.alerts if alert[0] > self.acknowledged][:limit]

    def acknowledge(self, sink: str, sequence: int) -> None:
        self.acknowledged = sequence
        if sequence == len(self.alerts):
            self.empty.set()

    def firing(self, streams: Sequence[str], *, within_seconds: float, limit: int) -> Sequence[bytes]:
        self.asked.append((streams, within_seconds, limit))
        return self.going_on

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, body in self.alerts]


class ScriptedSink:
    """Does for each call what is next in its script: an error is raised, a number of alerts taken; then it takes all.

    ``refused`` are alerts that it takes under no circumstances.
    """

    def __init__(self, *script: Exception | int, refused: Sequence[bytes] = ()) -> None:
        self.script = list(script)
        self.refused = refused
        self.taken: list[bytes] = []
        self.calls = 0
        self.closed = threading.Event()
        self.called = threading.Condition()

    def send(self, alerts: Sequence[bytes]) -> int:
        with self.called:
            self.calls += 1
            self.called.notify_all()
        step = self.script.pop(0) if self.script else len(alerts)
        if any(body in self.refused for body in alerts):
            raise RefusedError("HTTP 400")
        if isinstance(step, PartlyDeliveredError):
            self.taken += alerts
        if isinstance(step, Exception):
            raise step
        self.taken += alerts[:step]
        return step

    def close(self) -> None:
        self.closed.set()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self.called:
            assert self.called.wait_for(condition, 30)


class ForgetfulSink(ScriptedSink):
    """Wants to be told again, and remembers what it was told."""

    repeat_seconds = 10.0

    def __init__(self, *script: Exception | int, troubles: Sequence[Exception] = ()) -> None:
        super().__init__(*script)
        self.troubles = list(troubles)
        self.told: list[list[bytes]] = []

    def repeat(self, alerts: Sequence[bytes]) -> None:
        with self.called:
            self.told.append(list(alerts))
            self.called.notify_all()
        if self.troubles:
            raise self.troubles.pop(0)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds takes none: what is tested is the order of things."""
    monkeypatch.setattr(backoff, "FIRST_RETRY_SECONDS", 0.001)
    monkeypatch.setattr(backoff, "LONGEST_RETRY_SECONDS", 0.002)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def telemetry(clock: ManualClock) -> Telemetry:
    return Telemetry(clock)


Start = Callable[..., Sender]


@pytest.fixture
def start(clock: ManualClock, telemetry: Telemetry) -> Iterator[Start]:
    """Starts a sender that is ended with the test."""
    started: list[Sender] = []

    def begin(sink: Sink, outbox: Outbox, *, stopped: bool = False) -> Sender:
        sender = Sender(SinkPlan("ops", None, lambda: sink, ("web",)), outbox, telemetry, failures.append, clock=clock)
        if stopped:
            sender.stop()  # one last round and out
        sender.start()
        started.append(sender)
        return sender

    failures: list[BaseException] = []
    yield begin
    for sender in started:
        sender.stop()
        sender.join(10)
        assert not sender.is_alive()
    assert failures == []


def ended(sender: Sender) -> None:
    sender.join(10)
    assert not sender.is_alive()


def metric(telemetry: Telemetry, name: str) -> float:
    line = next(line for line in telemetry.scrape()[0].decode().splitlines() if line.startswith(f"aemonitor_{name}{{"))
    return float(line.rsplit(" ", 1)[1])


# -- order and acknowledgement ---------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [600, 7, 1])
def test_everything_is_delivered_in_order_and_acknowledged(start: Start, telemetry: Telemetry, at_once: int) -> None:
    class Picky(ScriptedSink):
        def send(self, alerts: Sequence[bytes]) -> int:
            return super().send(alerts[:at_once])

    sink, outbox = Picky(), ListOutbox(600)

    ended(start(sink, outbox, stopped=True))

    assert sink.taken == outbox.bodies
    assert outbox.acknowledged == 600
    assert metric(telemetry, "sink_delivered_total") == 600
    assert sink.closed.is_set()


def test_what_a_sink_does_not_take_is_not_acknowledged(start: Start) -> None:
    sink, outbox = ScriptedSink(UnavailableError("the sink is away")), ListOutbox(3)

    ended(start(sink, outbox, stopped=True))

    assert (sink.taken, outbox.acknowledged, sink.calls) == ([], 0, 1)


def test_what_was_taken_before_a_failure_is_not_sent_again(start: Start) -> None:
    sink, outbox = ScriptedSink(2, UnavailableError("away"), UnavailableError("away"), 1), ListOutbox(5)

    start(sink, outbox)

    assert outbox.empty.wait(10)
    assert sink.taken == outbox.bodies


def test_alerts_the_sink_took_are_not_sent_again_when_only_the_acknowledgement_fails(start: Start) -> None:
    class FullDisk(ListOutbox):
        def acknowledge(self, sink: str, sequence: int) -> None:
            if self.failures:
                self.failures -= 1
                raise UnavailableError("the disk is full")
            super().acknowledge(sink, sequence)

        failures = 2

    sink, outbox = ScriptedSink(), FullDisk(3)

    start(sink, outbox)

    assert outbox.empty.wait(10)
    assert sink.taken == outbox.bodies


def test_the_sender_of_a_changed_sink_begins_when_the_old_one_has_ended() -> None:
    class Slow(ScriptedSink):
        def send(self, alerts: Sequence[bytes]) -> int:
            sending.set()
            go_on.wait(10)
            return super().send(alerts)

    sending, go_on = threading.Event(), threading.Event()
    old, new, outbox = Slow(), ScriptedSink(), ListOutbox(3)
    telemetry = Telemetry(ManualClock())
    first = Sender(SinkPlan("ops", "old", lambda: old, ("web",)), outbox, telemetry, lambda error: None)
    second = Sender(SinkPlan("ops", "new", lambda: new, ("web",)), outbox, telemetry, lambda error: None, first)
    first.start()
    sending.wait(10)

    first.stop()
    second.start()
    second.stop()
    second.join(0.2)  # without its predecessor's end in sight it delivers nothing
    go_on.set()
    second.join(10)

    assert old.taken == outbox.bodies
    assert new.taken == []


def test_a_sender_that_dies_says_so_and_closes_its_sink() -> None:
    sink, failures, caught = ScriptedSink(RuntimeError("a fault of the sink")), list[BaseException](), list[object]()
    threading.excepthook, saved = (lambda args: caught.append(args.exc_value)), threading.excepthook
    plan = SinkPlan("ops", None, lambda: sink, ("web",))
    try:
        sender = Sender(plan, ListOutbox(1), Telemetry(ManualClock()), failures.append)
        sender.start()
        ended(sender)
    finally:
        threading.excepthook = saved

    assert [str(error) for error in failures] == ["a fault of the sink"]
    assert sink.closed.is_set()


def test_a_slow_sink_does_not_hold_up_the_end(start: Start, clock: ManualClock) -> None:
    class Slow(ScriptedSink):
        def send(self, alerts: Sequence[bytes]) -> int:
            clock.advance(LAST_ROUND_SECONDS / 3)
            return super().send(alerts[:1])

    sink, outbox = Slow(), ListOutbox(100)

    ended(start(sink, outbox, stopped=True))

    assert outbox.acknowledged == len(sink.taken) == 4


def test_an_attempt_that_fails_while_the_end_is_asked_for_was_the_last_one(start: Start) -> None:
    class Hanging(ScriptedSink):
        def send(self, alerts: Sequence[bytes]) -> int:
            asked.set()
            go_on.wait(10)
            return super().send(alerts)

    asked, go_on = threading.Event(), threading.Event()
    sink = Hanging(UnavailableError("did not answer"))
    sender = start(sink, ListOutbox(3))
    asked.wait(10)
    sender.stop()
    go_on.set()

    ended(sender)
    assert (sink.calls, sink.taken) == (1, [])


# -- receivers that say more than no ---------------------------------------------------------------------------


def test_who_asks_to_be_left_alone_is_not_asked_again_even_at_the_end(start: Start, telemetry: Telemetry) -> None:
    sink, outbox = ScriptedSink(RetryLaterError("HTTP 429", 3600.0)), ListOutbox(3)

    sender = start(sink, outbox)
    sink.wait_for(lambda: sink.calls == 1)
    sender.stop()
    ended(sender)

    assert (sink.calls, sink.taken, outbox.acknowledged) == (1, [], 0)
    assert metric(telemetry, "sink_failures_total") == 1


def test_who_asks_for_a_moment_is_asked_again_after_it(start: Start) -> None:
    sink, outbox = ScriptedSink(RetryLaterError("HTTP 503", 0.01)), ListOutbox(3)

    start(sink, outbox)

    assert outbox.empty.wait(10)
    assert sink.taken == outbox.bodies


def test_a_receiver_that_wants_no_more_is_left_alone_and_alerts_wait(start: Start, telemetry: Telemetry) -> None:
    telemetry.sink("ops")
    sink, outbox = ScriptedSink(2, GoneError("HTTP 410")), ListOutbox(5)

    sender = start(sink, outbox)
    sink.wait_for(lambda: sink.calls == 2)
    sender.wake()
    sender.join(0.05)
    assert sender.is_alive()
    assert metric(telemetry, "sink_stopped") == 1
    sender.stop()
    ended(sender)

    assert (sink.calls, outbox.acknowledged) == (2, 2)
    telemetry.sink("ops")
    assert metric(telemetry, "sink_stopped") == 0


def test_an_alert_that_is_always_refused_is_put_aside_and_the_others_get_through(
    start: Start, clock: ManualClock, telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = ListOutbox(9)
    bad = [outbox.bodies[3], outbox.bodies[8]]

    class Slow(ScriptedSink):
        def send(self, alerts: Sequence[bytes]) -> int:
            clock.advance(5)
            return super().send(alerts)

    sink = Slow(refused=bad)
    start(sink, outbox)

    assert outbox.empty.wait(10)
    assert sink.taken == [body for body in outbox.bodies if body not in bad]
    assert metric(telemetry, "sink_refused_total") == 2
    refused = [record for record in caplog.records if record.message == "alert_refused"]
    assert [(record.levelname, vars(record)["fields"]["alert"]) for record in refused] == [
        ("ERROR", "4"),
        ("ERROR", "9"),
    ]


def test_a_receiver_that_refuses_for_a_moment_costs_no_alert(start: Start, telemetry: Telemetry) -> None:
    sink, outbox = ScriptedSink(*[RefusedError("HTTP 400")] * 20), ListOutbox(3)

    start(sink, outbox)

    assert outbox.empty.wait(10)
    assert sink.taken == outbox.bodies
    assert metric(telemetry, "sink_refused_total") == 0


def test_what_some_receivers_have_is_delivered_and_told_as_a_failure(start: Start, telemetry: Telemetry) -> None:
    sink, outbox = ScriptedSink(PartlyDeliveredError("one of two is down")), ListOutbox(3)

    ended(start(sink, outbox, stopped=True))

    assert (sink.taken, outbox.acknowledged) == (outbox.bodies, 3)
    assert (metric(telemetry, "sink_delivered_total"), metric(telemetry, "sink_failures_total")) == (3, 1)


# -- telling again ---------------------------------------------------------------------------------------------


def test_what_is_going_on_is_told_at_once_and_then_every_so_often(start: Start, clock: ManualClock) -> None:
    sink, outbox = ForgetfulSink(), ListOutbox(0)
    outbox.going_on = [b"1"]

    sender = start(sink, outbox)
    sink.wait_for(lambda: len(sink.told) == 1)
    clock.advance(sink.repeat_seconds - 1)
    sender.wake()
    outbox.going_on = [b"1", b"2"]
    clock.advance(1)
    sender.wake()
    sink.wait_for(lambda: len(sink.told) == 2)

    assert sink.told == [[b"1"], [b"1", b"2"]]
    assert outbox.asked[0] == (("web",), LONGEST_FIRING_SECONDS, MOST_FIRING)


def test_what_could_not_be_told_again_is_tried_until_it_can(start: Start) -> None:
    sink = ForgetfulSink(troubles=[UnavailableError("away"), RefusedError("HTTP 400"), PartlyDeliveredError("one is")])

    start(sink, ListOutbox(1))
    sink.wait_for(lambda: len(sink.told) == 3)

    assert sink.taken == [b'{"id":"1"}']


def test_an_end_without_a_start_tells_nothing_again(start: Start) -> None:
    sink = ForgetfulSink()

    ended(start(sink, ListOutbox(1), stopped=True))

    assert (len(sink.taken), sink.told) == (1, [])


# -- patience --------------------------------------------------------------------------------------------------


def test_waits_double_up_to_a_limit_and_begin_anew_after_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    waiting = Backoff(chance=lambda: 0.0)

    waits = [waiting.seconds() for _ in range(10)]
    waiting.reset()

    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    assert waiting.seconds() == 0.2
    assert waiting.seconds(at_least=5.0) == 5.0


def test_chance_makes_a_wait_up_to_half_shorter() -> None:
    longest, shortest = Backoff(chance=lambda: 0.0), Backoff(chance=lambda: 1.0)

    assert shortest.seconds() == longest.seconds() / 2


def test_an_alert_is_given_up_only_when_it_was_refused_often_and_for_long() -> None:
    often, long = Refusals(), Refusals()

    assert not any(often.hopeless(1, now=0.0) for _ in range(100))
    assert [long.hopeless(1, now=now) for now in (0.0, 100.0, 200.0, 300.0, 400.0)] == [False] * 4 + [True]
    assert not long.hopeless(2, now=500.0)


# -- with the real outbox --------------------------------------------------------------------------------------


def test_a_sender_over_the_ledger_delivers_across_a_restart(tmp_path: Path, start: Start) -> None:
    first, second = ScriptedSink(2, UnavailableError("away")), ScriptedSink()
    for sink in (first, second):
        with Ledger.open(tmp_path) as ledger:
            ledger.register(["ops"])
            if sink is first:
                ledger.commit([Outcome("web", (position(10),), Counts(), alerts=tuple(alert(n) for n in range(5)))])
            ended(start(sink, ledger, stopped=True))

    assert [len(first.taken), len(second.taken)] == [2, 3]
