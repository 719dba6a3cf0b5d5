"""Episodes as people look at them: each once, as it stands, however often it was told of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from monitor.app.history import find_alert, raised_alert
from monitor.core.alerts import Alert
from monitor.ledger import EpisodePage, Wanted, history
from tests.support_files import alert
from tests.support_pages import Place, begun, over


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.ledger.close()


def listed(page: EpisodePage) -> list[tuple[int, str, str]]:
    """Number, state and severity of each."""
    firsts = [msgspec.json.decode(each.first, type=Alert) for each in page.episodes]
    return [(int(a.id, 16), each.state, each.severity) for a, each in zip(firsts, page.episodes, strict=True)]


def every_page(place: Place, wanted: Wanted) -> list[tuple[int, str, str]]:
    """All pages, one behind the other."""
    found: list[tuple[int, str, str]] = []
    before = wanted.before
    while True:
        page = place.ledger.episodes(Wanted(wanted.stream, wanted.state, wanted.severity, before, wanted.limit))
        found += listed(page)
        if page.before is None:
            return found
        assert before is None or page.before < before
        before = page.before


def test_an_empty_ledger_has_none(place: Place) -> None:
    assert place.ledger.episodes(Wanted()) == EpisodePage([], None)
    assert place.ledger.told(f"{1:032x}") is None


def test_an_episode_that_became_worse_and_is_over_is_one(place: Place) -> None:
    place.commit(begun(1), begun(2))
    place.commit(begun(3, severity="critical", of=1), alert(4))
    place.commit(resolved=[over(1)])

    assert listed(place.ledger.episodes(Wanted())) == [
        (4, "record", "warning"), (2, "firing", "warning"), (1, "resolved", "critical"),
    ]  # fmt: skip
    told = place.ledger.told(f"{1:032x}")
    assert told is not None
    first, resolved, worse = (part and msgspec.json.decode(part, type=Alert) for part in told)
    assert (first and first.state, resolved and resolved.count, worse and worse.id) == ("firing", 7, f"{3:032x}")


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Wanted(state="firing"), [5, 1]),
        (Wanted(state="resolved"), [2]),
        (Wanted(state="record"), [4]),
        (Wanted(state="suppressed"), [6]),
        (Wanted(severity="critical"), [1]),
        (Wanted(stream="other"), [5]),
        (Wanted(stream="other", state="record"), []),
        (Wanted(), [5, 4, 2, 1]),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 50])
def test_filters_hold_on_every_page(place: Place, wanted: Wanted, numbers: list[int], limit: int) -> None:
    place.commit(begun(1), begun(2), resolved=[over(2)])
    place.commit(begun(3, severity="critical", of=1), alert(4))
    place.commit(begun(5, stream="other"), stream="other")
    place.commit(replace(begun(6), state="suppressed", suppressed_by="a rule"))

    found = every_page(place, Wanted(wanted.stream, wanted.state, wanted.severity, None, limit))

    assert [number for number, _, _ in found] == numbers


def test_a_page_looks_at_so_many_alerts_and_the_next_goes_on_there(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "FIRST_LOOKED_AT", 4)
    monkeypatch.setattr(history, "MAX_LOOKED_AT", 10)
    for number in range(35):
        place.commit(begun(number, severity="critical" if number == 3 else "warning"))

    first = place.ledger.episodes(Wanted(severity="critical"))

    assert (list(first.episodes), first.before) == ([], 26)
    assert every_page(place, Wanted(severity="critical")) == [(3, "firing", "critical")]


def test_what_turned_worse_after_a_page_ended_is_known_on_it(place: Place) -> None:
    place.commit(begun(1), begun(2))
    place.commit(begun(3, severity="critical", of=1))

    assert listed(place.ledger.episodes(Wanted(before=2))) == [(1, "firing", "critical")]


def test_a_cursor_from_anywhere_is_no_error(place: Place) -> None:
    place.commit(begun(1))

    assert listed(place.ledger.episodes(Wanted(before=2**62))) == [(1, "firing", "warning")]
    assert place.ledger.episodes(Wanted(before=0)) == EpisodePage([], None)


def test_what_is_explained_of_an_episode_that_is_over_is_what_raised_it(place: Place) -> None:
    place.commit(begun(1), begun(2))
    place.commit(resolved=[over(1)])

    assert find_alert(place.config, f"{1:032x}").state == "resolved"
    assert [raised_alert(place.config, f"{number:032x}").state for number in (1, 2)] == ["firing", "firing"]
