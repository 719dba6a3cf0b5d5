"""Counts of events: in lists, and in windows that do not depend on how records are cut into batches."""

from __future__ import annotations

import itertools
import math
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor import Detector
from monitor.core.errors import DataError
from monitor.core.groups import by_key
from monitor.core.protocols import FittedEncoder, KeyedEncoder
from monitor.core.records import Field, FieldType
from monitor.encoders._counts_codes import Counted
from monitor.encoders._counts_events import Successions, hashes
from monitor.encoders._counts_learned import BEYOND, UNSEEN_EVENT, UNSEEN_PAIR
from monitor.encoders._windows import Windows
from monitor.encoders._windows_clocks import Clock, Panes, Sessions
from tests.encoding import encode, encoder, finding
from tests.records import part, records

LISTS = Field("x", FieldType.TEXTS)
ROUND = ["open", "read", "read", "close"]
SESSIONS = [["open", *["read"] * (1 + i % 3), "close"] for i in range(60)]


def learned(**options: Any) -> FittedEncoder:
    """One to three reads between open and close, and sometimes a write."""
    benign = [*SESSIONS, *[["open", "write", "close"]] * 3]
    return encoder("counts", **options).fit(records(x=benign))


def novelty(fitted: FittedEncoder, events: Sequence[str] | None) -> dict[str, float]:
    found = encode(fitted, records(x=[*SESSIONS[:1], events]))[1][-1]
    return {name: value for name, value in zip(fitted.novelty, found.tolist(), strict=True) if value}


def test_a_list_has_a_column_for_each_event_that_benign_lists_had_often() -> None:
    fitted = learned(min_count=4)

    assert fitted.columns == ('"close"', '"open"', '"read"', "<all>", "<distinct>", "<others>")


def test_columns_grow_with_the_logarithm_of_the_count() -> None:
    columns, _ = encode(learned(), records({LISTS: [["read"] * count for count in (0, 1, 3, 7)]}))

    steps = np.diff(columns[:, learned().columns.index('"read"')])
    np.testing.assert_allclose(steps, steps[0], rtol=1e-5)
    assert steps[0] > 0.5


def test_the_order_of_a_list_counts_only_with_bigrams() -> None:
    lists = records(x=[["open", "read", "close"], ["open", "close", "read"]])

    plain, _ = encode(learned(), lists)
    paired, _ = encode(learned(bigrams=True), lists)

    np.testing.assert_array_equal(plain[0], plain[1])
    assert '"read" then "close"' in learned(bigrams=True).columns
    assert (paired[0] != paired[1]).any()


def test_masked_lines_count_by_their_template() -> None:
    benign = [[f"took {i} ms", f"took {i + 7} ms", "done"] for i in range(20)]

    fitted = encoder("counts", mask=True).fit(records(x=benign))

    assert fitted.columns[:2] == ('"done"', '"took <*> ms"')
    assert not novelty(fitted, ["took 999 ms", "took 1 ms", "done"])


def test_an_unseen_event_is_a_novelty_that_is_told_once() -> None:
    found = novelty(learned(), ["open", "read", "explode", "close"])

    assert found.keys() == {UNSEEN_EVENT}
    assert found[UNSEEN_EVENT] > 1.5
    said = finding(learned(), records(x=[["explode"]]))
    assert said.reason == "an event never seen in 63 benign records"
    assert said.benign_range == '"close", "open", "read" and 1 more'


def test_more_than_ever_is_a_novelty_in_its_own_words() -> None:
    more, most = novelty(learned(), ["open", *["read"] * 9, "close"]), novelty(learned(), ["open", *["read"] * 99])
    said = finding(learned(), records(x=[["open", *["read"] * 9, "close"]]))

    assert more.keys() == {BEYOND}
    assert 0 < more[BEYOND] < most[BEYOND]
    assert said.reason == '"read" 9 times, benign 0 to 3'


def test_a_count_that_never_changed_is_missed() -> None:
    said = finding(learned(), records(x=[["open", "read"]]), [0.0] * len(learned().columns))

    assert said.reason == '"close" never, benign always 1'
    assert said.expected == '"close" 1 time'
    assert novelty(learned(), ["open", "read"])[BEYOND] > 1.5


def test_a_new_order_of_known_events_is_told_with_bigrams() -> None:
    fitted = learned(bigrams=True)

    assert not novelty(fitted, ["open", "read", "close"])
    assert novelty(fitted, ["read", "open", "close"]).keys() == {UNSEEN_PAIR}
    assert "two events in a row" in finding(fitted, records(x=[["read", "open", "close"]])).reason


def test_lists_that_were_always_alike_make_any_other_the_loudest_alert() -> None:
    fitted = encoder("counts").fit(records(x=[ROUND] * 50))

    assert not novelty(fitted, ROUND)
    assert novelty(fitted, [*ROUND, "read"])[BEYOND] > 5.0


def test_missing_and_empty_are_states() -> None:
    assert novelty(learned(), None).keys() == {"missing"}
    assert "empty" in novelty(learned(), [])
    fitted = encoder("counts").fit(records(x=[*SESSIONS, None, []]))
    assert fitted.columns[-2:] == ("<missing>", "<empty>")
    assert not novelty(fitted, [])
    assert not novelty(fitted, None)


def test_without_one_event_there_is_nothing_to_learn() -> None:
    with pytest.raises(DataError, match="field 'x': not one event in 2 benign records; where each record is one event"):
        encoder("counts").fit(records({LISTS: [[], None]}))


def test_windows_need_the_event_time() -> None:
    with pytest.raises(DataError, match="feature 'x': the stream has no event time; set its `time:`"):
        encoder("counts", window="tumbling", seconds=60).fit(records(x=["a"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": "session"}, "window session needs gap, such as `gap: 300`"),
        ({"window": "sliding"}, "window sliding needs seconds"),
        ({"gap": 5}, "a list of texts takes no gap"),
        ({"window": "tumbling", "seconds": 5, "step": 1}, "window tumbling takes no step"),
        ({"window": "sliding", "seconds": 10, "step": 3}, "step 3 does not part 10 s into 2 to 100 steps"),
        ({"window": "tumbling", "seconds": 10, "lateness": 101}, "lateness 101 is more than 10 windows of 10 s"),
    ],
)
def test_options_that_do_not_fit_each_other_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        encoder("counts", **options)


EVENTS = list("abcde")
COUNTED = ["a", "b", "c"]
PAIRS = [("a", "b"), ("b", "b")]


def counted() -> Counted:
    """Counts a, b and c, and two successions; d and e are others."""
    first, second = (hashes(pa.array(side), mask=False) for side in zip(*PAIRS, strict=True))
    pairs = Successions(first, second, np.arange(len(PAIRS)))
    return Counted(hashes(pa.array(COUNTED), mask=False), pairs.found.items)


def tallies_of(clock: Clock, rows: list[tuple[float, str, str | None]], cuts: list[int], max_keys: int = 99) -> Any:
    """The tally of each (time, event, key), the records cut at ``cuts``."""
    windows = Windows.new(counted(), clock, max_keys)
    times, events, keys = [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
    batch = records(x=events, times=times, keys=keys)
    found = [
        windows.count(piece.once(by_key), np.array(times)[start:stop], hashes(pa.array(events[start:stop]), mask=False))
        for start, stop in itertools.pairwise([0, *cuts, len(rows)])
        for piece in [part(batch, start, stop)]
    ]
    return np.concatenate([tallies for tallies, _ in found])


@dataclass
class Simple:
    """What is known of one key, written the slow way."""

    newest: float = -math.inf
    session: int = 0
    begun: float = 0.0
    last: tuple[float, str] | None = None
    panes: dict[float, Counter[Any]] = field(default_factory=dict)

    def tally(self, clock: Panes | Sessions, time: float, event: str) -> Counter[Any]:
        if isinstance(clock, Panes):
            pane = time // clock.seconds
            late = (pane + 1) * clock.seconds + clock.lateness <= self.newest
        else:
            if time > self.newest + clock.gap:
                self.session, self.begun = self.session + 1, time
            pane, late = float(self.session), time < self.begun - clock.lateness
        self.newest = max(self.newest, time)
        if late:
            return Counter([event])
        here = self.panes.setdefault(pane, Counter())
        here[event] += 1
        if self.last and pane - clock.width < self.last[0] <= pane:
            here[self.last[1], event] += 1
        self.last = (pane, event)
        return sum((self.panes.get(pane - back, Counter()) for back in range(clock.width)), Counter())


def one_by_one(clock: Panes | Sessions, rows: list[tuple[float, str, str | None]], max_keys: int) -> list[list[int]]:
    keys: OrderedDict[str | None, Simple] = OrderedDict()
    result: list[list[int]] = []
    for time, event, key in rows:
        state = keys.pop(key, None) or Simple()
        if len(keys) == max_keys:
            keys.popitem(last=False)
        keys[key] = state
        tally = state.tally(clock, time, event)
        others = sum(tally[name] for name in EVENTS if name not in COUNTED)
        result.append([*(tally[name] for name in COUNTED), *(tally[pair] for pair in PAIRS), others])
    return result


CLOCKS = st.one_of(
    st.builds(Panes, st.just(10.0), st.integers(1, 4), st.sampled_from([0.0, 5.0, 25.0])),
    st.builds(Sessions, st.sampled_from([0.5, 3.0, 20.0]), st.sampled_from([0.0, 4.0])),
)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), clock=CLOCKS, max_keys=st.integers(1, 4))
def test_windows_count_as_one_by_one_however_records_are_cut(data: st.DataObject, clock: Any, max_keys: int) -> None:
    row = st.tuples(
        st.integers(-20, 80).map(float), st.sampled_from(EVENTS), st.sampled_from(["k", "l", "m", None, "n", "o"])
    )
    rows = data.draw(st.lists(row, min_size=1, max_size=40))
    if data.draw(st.booleans(), label="in order"):
        rows.sort(key=lambda each: each[0])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))

    found = tallies_of(clock, rows, cuts, max_keys)

    assert found.tolist() == one_by_one(clock, rows, max_keys)


def windowed(**options: Any) -> FittedEncoder:
    """One event a second, a then b, in turn."""
    benign = records(x=["a", "b"] * 100, times=[float(i) for i in range(200)])
    return encoder("counts", window="tumbling", seconds=10, **options).fit(benign)


def test_a_burst_is_beyond_everything_benign() -> None:
    burst = records(x=["a"] * 30, times=[1e6 + i / 10 for i in range(30)])

    _, found = encode(windowed(), burst)
    said = finding(windowed(), burst)

    assert not found[:5].any()
    assert found[-1, 1] > 0.2
    assert said.reason == '"a" 30 times within 10 s, benign 1 to 5'


def test_an_unseen_event_alerts_once_and_not_for_the_rest_of_its_window() -> None:
    _, found = encode(windowed(), records(x=["a", "new", "b"], times=[1e6, 1e6, 1e6]))

    assert (found[:, windowed().novelty.index(UNSEEN_EVENT)] > 0).tolist() == [False, True, False]


def test_records_without_an_event_or_a_time_are_passed_over() -> None:
    batch = records(x=["a", None, "a", "a"], times=[1e6, 1e6, math.nan, 1e6 + 1])

    columns, found = encode(windowed(), batch)

    assert (found[:, -1] > 0).tolist() == [False, True, True, False]
    assert not columns[1:3].any()
    np.testing.assert_array_equal(columns[[0, 3]], encode(windowed(), records(x=["a"] * 2, times=[1e6, 1e6 + 1]))[0])


def test_memory_is_carried_over_and_its_changes_are_told() -> None:
    before, after = windowed(), windowed()
    assert isinstance(before, KeyedEncoder)
    assert isinstance(after, KeyedEncoder)
    encode(before, records(x=["a", "b"], times=[1e6, 1e6], keys=["h", "i"]))
    changes = before.keyed_changes()

    after.load_keyed_state({"version": 1, "keys": list(changes.updated), "values": list(changes.updated.values())})

    again = records(x=["a", "b"], times=[1e6 + 1, 1e6 + 1], keys=["h", "i"])
    assert after.keyed_state() == before.keyed_state()
    np.testing.assert_array_equal(encode(after, again)[0], encode(before, again)[0])


def test_counts_of_other_events_are_not_carried_over() -> None:
    other = encoder("counts", window="tumbling", seconds=10).fit(
        records(x=["a", "c"] * 100, times=[float(i) for i in range(200)])
    )
    assert isinstance(other, KeyedEncoder)
    now = windowed()
    assert isinstance(now, KeyedEncoder)
    encode(other, records(x=["a"] * 5, times=[1e6] * 5))
    now.load_keyed_state(other.keyed_state())

    columns, _ = encode(now, records(x=["a"], times=[1e6]))

    np.testing.assert_array_equal(columns, encode(windowed(), records(x=["a"], times=[1e6]))[0])


def test_a_detector_takes_a_column_of_lists_of_texts() -> None:
    table = pa.table({"events": pa.array(SESSIONS * 5, pa.large_list(pa.large_string()))})

    detector = Detector(epochs=5).fit(table)
    scores = detector.anomaly_score(pa.table({"events": [["open", "explode", "close"], *SESSIONS[:3]]}))

    assert detector.encodings_ == {"events": {"counts": {"bigrams": True}}}
    assert scores[0] > 1.5 > scores[1:].max()
