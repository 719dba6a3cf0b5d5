"""An explanation as text: what a person sees of an alert that is replayed, of one that is not, and of any record."""

from __future__ import annotations

import textwrap
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from monitor.core.alerts import Alert, FieldFinding, ModelRef, Score, SourceRef
from monitor.explaining.explanation import Explanation, Replay
from monitor.explaining.fields import reassure
from monitor.explaining.notes import notes
from monitor.explaining.report import as_text

MODEL = ModelRef("20260203T100000.000Z-0123456789ab", "0" * 64)
SCORE = Score(3.254, 4.2, 1.0, 1.3e-4)
DURATION = FieldFinding("duration_ms", 9120.0, 43, "3.1 to 250", 0.93, "above everything benign (max 250)", 5.2)
METHOD = FieldFinding("method", "GET", "POST", "GET, POST", 0.07, "unusual together with the other fields", 0.4)
AGENT = FieldFinding("agent", None, "curl/<*>", "2 templates", 0.0, "missing, though present in all", 0.0)

REPLAY = Replay(
    model=MODEL,
    score=SCORE,
    alerts=True,
    summary="web: duration_ms is 9120",
    fields=(DURATION, METHOD, AGENT),
    unread=("request_id",),
    past=(),
    averaged=1,
)
ALERT = Alert(
    id="00112233445566778899aabbccddeeff",
    fingerprint="f",
    severity="critical",
    stream="web",
    key="10.0.0.1",
    time="2026-02-03T10:11:11.000Z",
    detected_at="2026-02-03T10:11:12.000Z",
    source=SourceRef("/var/log/web.log", 1234),
    score=SCORE,
    fields=(DURATION,),
    summary="web: duration_ms is 9120, expected about 43 (benign 3.1 to 250): above everything benign (max 250); "
    "rarer than 1 in 7,600 benign records (score 4.2, limit 1)",
    raw="{}",
    model=MODEL,
    host="here",
)

EXACT = """\
web: duration_ms is 9120, expected about 43 (benign 3.1 to 250): above everything benign (max 250);
rarer than 1 in 7,600 benign records (score 4.2, limit 1)

alert   00112233445566778899aabbccddeeff, critical, raised 2026-02-03T10:11:12.000Z
record  /var/log/web.log, byte 1,234; event time 2026-02-03T10:11:11.000Z; key 10.0.0.1
model   20260203T100000.000Z-0123456789ab of stream web
score   4.2, limit 1; rarity among benign records: 1 in 7,600; plain L1 score 3.25
replay  scored once more by the same model, with the same result
unused  request_id

field        actual   expected  benign       blame  rarity          reason
duration_ms  9120     43        3.1 to 250     93%  < 1 in 100,000  above everything benign (max
                                                                    250)
method       GET      POST      GET, POST       7%  common
agent        missing  curl/<*>  2 templates     0%  common
"""


def explained(**changes: Any) -> Explanation:
    """An alert whose replay differs in the score ``l1`` or ``value``, say."""
    score = replace(SCORE, **{name: changes.pop(name) for name in ("l1", "value") if name in changes})
    return Explanation(stream="web", alert=ALERT, replay=replace(REPLAY, score=score, **changes))


def lines(text: str, start: str) -> str:
    """From the line that begins so, as it is printed, up to the next blank line."""
    return text[text.index(f"\n{start}") + 1 :].partition("\n\n")[0]


# -- text ------------------------------------------------------------------------------------------------------


def test_an_alert_that_is_repeated_has_every_field_shown() -> None:
    assert as_text(explained()) == EXACT


def test_of_an_alert_without_a_replay_stands_what_it_keeps() -> None:
    text = as_text(Explanation(stream="web", alert=ALERT, replay=None))

    assert text.startswith(EXACT.partition("replay")[0])
    assert lines(text, "replay").startswith("replay  none; these are the figures that the alert itself keeps")
    assert lines(text, "field").count("\n") == 2
    assert "duration_ms  9120    43        3.1 to 250    93%  < 1 in 100,000  above everything benign" in text


def test_fields_of_the_alert_stay_as_it_told_them_where_the_replay_lacks_the_past() -> None:
    calm = replace(DURATION, expected=9000, contribution=0.1, rarity=0.0, reason="calm")

    text = as_text(explained(l1=0.5, value=0.3, alerts=False, fields=(METHOD, calm), past=("duration_ms",)))

    assert "replay  scored alone by the same model: 0.3, limit 1;" in text
    assert lines(text, "field") == textwrap.dedent(
        """\
        field        actual  expected  benign      blame  rarity          reason
        duration_ms  9120    43        3.1 to 250    93%  < 1 in 100,000  above everything benign (max 250)
        method       GET     POST      GET, POST          common
        """
    )


def test_a_record_within_the_limit_is_told_so() -> None:
    score, fields = Score(0.2, 0.31, 1.0, 0.5), (replace(METHOD, contribution=1.0), replace(AGENT, actual="curl/8"))
    sentence = reassure("web", fields, 0.31, 1.0, 0.3)
    benign = Replay(MODEL, score, alerts=False, summary=sentence, fields=fields, unread=(), past=(), averaged=1)

    assert as_text(Explanation(stream="web", alert=None, replay=benign)) == textwrap.dedent(
        """\
        web: within the limit (score 0.31, limit 1); method stands out most

        model  20260203T100000.000Z-0123456789ab of stream web
        score  0.31, limit 1; rarity among benign records: common; plain L1 score 0.2; no alert

        field   actual  expected  benign       blame  rarity  reason
        method  GET     POST      GET, POST     100%  common
        agent   curl/8  curl/<*>  2 templates     0%  common
        """
    )


def test_another_model_speaks_for_itself() -> None:
    other = ModelRef("20260204T100000.000Z-0123456789ab", "1" * 64)

    text = as_text(explained(model=other, fields=(METHOD,), value=0.5, alerts=False))

    assert "\nreplay  scored alone by model 20260204T100000.000Z-0123456789ab: 0.5, limit 1;" in text
    assert "duration_ms" not in lines(text, "field")


def test_a_plain_score_tells_no_rarity() -> None:
    plain = tuple(replace(field, rarity=None) for field in REPLAY.fields)
    score = replace(SCORE, p_value=None)

    text = as_text(Explanation(stream="web", alert=None, replay=replace(REPLAY, score=score, fields=plain)))

    assert "\nscore   4.2, limit 1; plain L1 score 3.25; an alert\n" in text
    assert "method       GET      POST      GET, POST       7%          unusual together with the other fields" in text


def test_many_unused_fields_are_counted() -> None:
    text = as_text(explained(unread=tuple(f"f{number}" for number in range(15))))

    assert "f10, f11 and 3 more" in text


def test_why_a_rare_record_within_the_limit_is_no_alert() -> None:
    assert reassure("web", [], 0.9, 1.0, 2.0) == (
        "web: within the limit, though rarer than 1 in 100 benign records (score 0.9, limit 1)"
    )


@given(st.text(), st.text(max_size=300), st.lists(st.text(), max_size=20))
def test_however_hostile_the_record_every_line_is_printable_and_fits(name: str, value: str, unread: list[str]) -> None:
    field = FieldFinding(name, value, value, value, 0.5, value, 4.0)
    replayed = replace(REPLAY, summary=value, fields=(field,), unread=tuple(unread))
    alert = replace(ALERT, key=value, source=SourceRef(value, 0), summary=value, fields=(field,))

    for known in (None, alert):
        text = as_text(Explanation(stream="web", alert=known, replay=replayed, notes=(value,)))

        assert all(line.isprintable() for line in text.splitlines())
        assert max(cell_len(line) for line in text.splitlines()) <= 100


def test_the_json_can_be_read_back() -> None:
    assert msgspec.json.decode(msgspec.json.encode(explained()), type=Explanation) == explained()


# -- notes -----------------------------------------------------------------------------------------------------


def test_of_a_repeated_alert_nothing_needs_to_be_said() -> None:
    assert notes(explained(past=("gap",), averaged=5), cut=True) == ()


@pytest.mark.parametrize(
    ("changes", "cut", "note"),
    [
        ({"l1": 0.5, "past": ("gap", "load")}, False, "'gap', 'load' depend on earlier records of the key"),
        ({"l1": 0.5, "past": ("gap",)}, False, "'gap' depends on earlier records of the key"),
        ({"l1": 0.5}, True, "the alert keeps only the beginning of a record this long"),
        ({"value": 0.5, "averaged": 5}, True, "the score of the alert is the mean of the last 5 of its key"),
        ({"value": 0.5}, True, "nothing the score depends on is missing, and yet it is another one"),
    ],
)
def test_a_replay_that_differs_says_why(changes: dict[str, Any], cut: bool, note: str) -> None:
    (told,) = notes(explained(**changes), cut=cut)

    assert told.startswith(note)


def test_of_a_record_that_is_no_alert_it_is_said_what_the_replay_does_not_know() -> None:
    alone = Explanation(stream="web", alert=None, replay=replace(REPLAY, past=("gap",), averaged=5))

    assert notes(alone, cut=False) == (
        "'gap' depends on earlier records of the key, and the replay remembers none",
        "in the daemon the score is the mean of the last 5 of its key; here it is of this record alone",
    )
