"""The sentences that tell of many keys, of a change of regime and of silence; hostile names cannot break them."""

from __future__ import annotations

from monitor.core.alerts import FieldFinding
from monitor.explaining.regimes import settle
from monitor.explaining.silences import give_up, hush, hush_many, speak, speak_many
from monitor.explaining.storms import FIELDS, example, gather, merge, subside

HOSTILE = "a\x1b[31m\nb"


def finding(name: str, actual: object, benign: str) -> FieldFinding:
    return FieldFinding(name, actual, None, benign, 0.5, "")


def test_many_keys_are_told_with_the_worst_of_them() -> None:
    lead = gather("web", 412, 1_204, "2026-11-22T03:12:00Z", 5.2, "status")

    assert lead + example("web", "10.0.0.7", "web: status is 503") == (
        "web: about 412 keys are anomalous since 2026-11-22T03:12:00Z (1,204 records in 5 s), mostly status; "
        "worst 10.0.0.7: status is 503"
    )
    assert gather("web", 3, 3, None, 0.0) == "web: 3 keys are anomalous (3 records in 0 s); worst "
    assert example("web", None, "web: x") == "a record without a key: x"


def test_in_a_stream_without_keys_many_are_fields() -> None:
    assert gather("web", 3, 9, None, 0.0, unit=FIELDS) + example("web", None, "web: x is 9", unit=FIELDS) == (
        "web: 3 fields are anomalous (9 records in 0 s); worst x is 9"
    )
    assert "9 anomalous records of 3 fields within 5 s" in subside("web", 3, 9, 5.0, 2.0, unit=FIELDS)


def test_a_storm_that_lasts_says_what_to_do_about_it() -> None:
    assert gather("web", 412, 1_204, None, 86_400.0, settled=True) == (
        "web: about 412 keys are anomalous (1,204 records in 86,400 s), perhaps how it is now (if so, retrain with "
        "newer records or label this benign; nothing more is told until it is over, unless it gets much worse); worst "
    )


def test_the_end_of_many_and_of_one_that_is_among_them() -> None:
    assert subside("web", 50, 1_000, 60, 4.25) == (
        "web: no longer many at once, after 1,000 anomalous records of 50 keys within 60 s (highest score 4.25)"
    )
    assert merge("web", "b", "0123456789") == ("web b: one of many that are anomalous, told as 01234567 from now on")
    assert merge("web", None, "0123456789").startswith("web: one of many")


def test_a_change_of_regime_names_the_old_ranges_and_the_new_values() -> None:
    fields = [finding("level", 900.0, "20 to 36"), finding("mode", "z", "")]

    assert settle("web", "b", 5, "2026-11-21T03:12:00Z", fields) == (
        "web b: anomalous in 5 episodes since 2026-11-21T03:12:00Z, perhaps how it is now: "
        "level benign 20 to 36 -> 900, mode what was benign -> z; if so, retrain with newer records or label this "
        "benign; nothing more is told until it is over"
    )
    assert "anomalous in 1 episode, perhaps how it is now: the record as a whole; if so" in settle(
        "w", None, 1, None, []
    )


def test_silence_is_told_in_units_people_use() -> None:
    assert hush("web", "2026-11-22T03:12:00Z", 720, 600) == (
        "web: silent for 12 min, since 2026-11-22T03:12:00Z: no record in 10 min or longer"
    )
    assert speak("web", 90_000) == "web: records come again after a silence of 25.0 h"


def test_the_silence_of_keys_names_them() -> None:
    assert hush("web", None, 720, 600, "a") == "web a: silent for 12 min: no record in 10 min or longer"
    assert hush_many("web", "2026-11-22T03:12:00Z", 720, list("abcdefg")) == (
        "web: 7 keys are silent, for 12 min, since 2026-11-22T03:12:00Z: a, b, c, d, e and 2 more"
    )
    assert hush_many("web", None, 720, list("abc")) == "web: 3 keys are silent, for 12 min: a, b, c"
    assert speak("web", 720, "a") == "web a: records come again after a silence of 12 min"
    assert speak_many("web", 7, 1, 720) == (
        "web: 6 keys are heard again after a silence of 12 min; 1 more is silent still, told apart"
    )
    assert speak_many("web", 7, 0, 720) == "web: 7 keys are heard again after a silence of 12 min"
    assert give_up("web", 604_800, "a") == "web a: silent for 7.0 days, not expected any more"
    assert give_up("web", 604_800, None, 7) == "web: 7 keys silent for 7.0 days, not expected any more"


def test_hostile_names_are_printable() -> None:
    told = [
        gather(HOSTILE, 3, 3, None, 0, HOSTILE),
        example("web", HOSTILE, ""),
        subside(HOSTILE, 3, 3, 0, 1),
        merge(HOSTILE, HOSTILE, "0"),
        settle(HOSTILE, HOSTILE, 2, None, [finding(HOSTILE, HOSTILE, HOSTILE)]),
        hush(HOSTILE, None, 1, 1),
        speak(HOSTILE, 1),
        hush(HOSTILE, None, 1, 1, HOSTILE),
        hush_many(HOSTILE, None, 1, [HOSTILE]),
        speak_many(HOSTILE, 7, 0, 1),
        give_up(HOSTILE, 1, HOSTILE),
    ]

    assert all(text.isprintable() for text in told)
