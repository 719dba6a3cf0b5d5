"""The text encoder knows benign log messages again and is surprised by as much as benign data justify."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from monitor.core.errors import DataError
from monitor.core.novelty import changed, never
from monitor.core.protocols import FittedEncoder, QuotingEncoder
from monitor.encoders import text
from monitor.encoders._passages import FittedPassages
from monitor.encoders.text import Config
from tests.text_encoding import NAME, encode, finding, surprise, total
from tests.text_encoding import fit as fit_encoder

USERS = ("root", "alice", "bob", "carol")
BENIGN = [
    message
    for i in range(200)
    for message in (
        f"Accepted password for {USERS[i % 4]} from 10.0.{i % 7}.{i} port {1000 + i}",
        f"session opened for {USERS[i % 3]} (uid={i})",
        f"session closed after {i * 1.7:g} s",
    )
]


def fit(values: Sequence[str | None], **options: int) -> FittedEncoder:
    return fit_encoder(text.build(Config(**options), NAME), values)


@pytest.fixture(scope="module")
def log() -> FittedEncoder:
    return fit(BENIGN)


@pytest.mark.parametrize(
    "message",
    [
        "session closed after 17.25 s",
        "Accepted password for bob from 192.168.200.254 port 5",
        "session closed after 3 s",
    ],
)
def test_values_never_seen_are_no_surprise(log: FittedEncoder, message: str) -> None:
    assert surprise(log, message) == {}


def test_a_new_order_of_known_words_is_a_new_template(log: FittedEncoder) -> None:
    found = surprise(log, "opened session for bob (uid=3)")

    assert found == {"unseen template": pytest.approx(never(600))}


def test_a_new_word_is_told_as_a_word_and_not_counted_twice(log: FittedEncoder) -> None:
    found = surprise(log, "session opened for mallory (uid=3)")

    assert found == {"unseen word": pytest.approx(never(600))}


def test_more_new_words_weigh_more_in_an_open_vocabulary() -> None:
    names = [f"hello {''.join(chr(97 + i // 26**k % 26) for k in range(3))}" for i in range(0, 12_000, 30)]
    encoder = fit([*names, *names[:100], "goodbye now", "goodbye now"])

    one, two = total(encoder, "hello zzz"), total(encoder, "adieu zzz")

    assert "unseen template" not in encoder.novelty  # most names occur once: a new one says nothing
    assert one < 0.3
    assert two > 2.5


def test_repeated_new_words_count_once() -> None:
    encoder = fit(
        [f"hello {name}" for name in ("ann", "ben", "cas", "dan", "eva", "fay") for _ in range(3)] + ["hi gus"]
    )

    assert surprise(encoder, "hello zoe zoe")["unseen word"] == surprise(encoder, "hello zoe")["unseen word"]


def test_what_occurs_twice_in_one_record_only_still_counts_as_met_once() -> None:
    often = ["all is well", "all is quiet"] * 49
    twice, apart = fit([*often, "ho ho", "well well"]), fit([*often, "ho all", "ho is"])

    # Without its record the word would be new: one such record of 100 beside the new one makes 2 in 102.
    assert surprise(twice, "all is lost")["unseen word"] == pytest.approx(np.log10(102 / 2))
    assert surprise(apart, "all is lost")["unseen word"] == pytest.approx(never(100))


def test_texts_that_repeat_exactly_are_known_by_their_value() -> None:
    encoder = fit(["firmware 1.4.2", "firmware 1.4.3"] * 100)

    assert surprise(encoder, "firmware 1.4.4") == {"unseen value": pytest.approx(never(200))}
    assert surprise(encoder, "firmware 1.4.2") == {}


def test_a_constant_that_changes_is_the_loudest() -> None:
    encoder = fit(["job 7 done"] * 50)

    assert encoder.columns == ()
    assert surprise(encoder, "job 7 done") == {}
    assert total(encoder, "job 8 done") == pytest.approx(changed(50, np.zeros(1))[0])
    assert finding(encoder, "job 8 done").reason == "changed: always job 7 done in 50 benign records"
    assert finding(encoder, "job 8 done").expected == "job 7 done"


@pytest.mark.parametrize("missing", [None])
def test_missing_is_a_novelty_only_where_it_never_was(log: FittedEncoder, missing: None) -> None:
    sometimes = fit([*BENIGN, None])

    assert surprise(log, missing) == {"missing": pytest.approx(never(600))}
    assert surprise(sometimes, missing) == {}
    assert "<missing>" in sometimes.columns
    assert finding(log, missing).reason == "missing, though present in all 600 benign records"


def test_a_missing_value_reads_as_benign_data_do_on_average(log: FittedEncoder) -> None:
    benign, _ = encode(log, *BENIGN)
    columns, _ = encode(log, None)

    np.testing.assert_allclose(columns[0], benign.mean(axis=0), atol=1e-5)


def test_longer_than_benign_is_surprising_by_how_much(log: FittedEncoder) -> None:
    lengths = [
        surprise(log, "session closed after 3 s" + "0" * extra)["length beyond"] for extra in (60, 600, 1_000_000)
    ]

    assert sorted(lengths) == lengths
    assert 0 < lengths[0] < 1 < lengths[2] < never(600)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("session closed after 3 s" + ";" * 14, "semicolons: 14, none in 600 benign records"),
        ("session (uid=1) (uid=2) opened", "brackets: 4, at most 2 in 600 benign records"),
        ("session closed after 3 s" + "0" * 10**6, "length: about 1,000,000, at most 53 in 600 benign records"),
    ],
)
def test_more_of_a_kind_than_ever_is_told_with_its_number(message: str, reason: str) -> None:
    encoder = fit(BENIGN, vocabulary=1)  # nothing but counts and neighbours can be told
    columns, novelty = encode(encoder, message)
    counted = np.array([name.endswith(" beyond") and not name.startswith("rarest") for name in encoder.novelty])

    assert encoder.explain(columns[0], novelty[0] * counted, columns[0]).reason == reason


def test_gibberish_is_rarer_than_benign_words_though_new_words_say_nothing() -> None:
    names = [f"hello {a}{b}{c}" for a in ("an", "be", "ca") for b in ("ri", "lo", "ta") for c in ("na", "s", "ro")]
    encoder = fit(names)

    assert surprise(encoder, "hello berina") == {}
    assert surprise(encoder, "hello qxzwkvjq")["rarest passage beyond"] > 0.5
    assert encoder.columns[-2:] == ("rarity of characters", "rarest passage")


def test_how_rare_a_short_text_is_does_not_depend_on_what_stands_behind_it(log: FittedEncoder) -> None:
    short = ("", "se", "closed a")

    before, _ = encode(log, *short, "qxzwkvjq" * 3)
    alone = [encode(log, value)[0][0] for value in short]

    np.testing.assert_array_equal(before[:3], alone)


def test_what_hardly_ever_varies_is_no_column() -> None:
    often = fit([*BENIGN, *["session closed (#1) after 2 s"] * 4])
    rarely = fit([*BENIGN, "session closed (#1) after 2 s"])

    assert len(often.columns) == len(rarely.columns) + 1
    assert surprise(rarely, "session closed (#1) after 2 s") == {}


def test_the_oddest_passage_can_be_quoted(log: FittedEncoder) -> None:
    assert isinstance(log, FittedPassages)
    assert log.oddest("session opened for <script>alert(1)</script> (uid=3)") == "<script>alert"
    assert log.oddest("session opened for %3Cb%3E (uid=3)") == "for <b> (uid"
    assert log.oddest("a\x1b[") == "a\\x1b["
    assert log.oddest("") == ""


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("session opened for alice (uid=1' OR 1=1)", "1' OR 1=1"),
        ("session opened for alice (uid=\x1b[2J\x1b[31m)", "\\x1b[2J\\x1b[31m"),
        ("session opened for alice (uid=7)", ""),  # nothing is new
        ("' OR 1", ""),  # that is all of it
        (f"session closed after {'9' * 500} s", ""),  # only long
    ],
)
def test_an_alert_quotes_the_part_of_a_text_that_is_new(log: FittedEncoder, text: str, quoted: str) -> None:
    assert isinstance(log, QuotingEncoder)
    passage = log.quote(text, encode(log, text)[1][0])

    assert (quoted in passage) if quoted else not passage
    assert passage.isprintable()
    assert len(passage) <= 60


@pytest.mark.parametrize(
    "hidden", ["\x1b[2J", "\u202e", "\u200b", "\x9b", "\ufeff", "\ufffd", "\x00", "\u2028", "\x7f"]
)
def test_invisible_characters_are_surprising(log: FittedEncoder, hidden: str) -> None:
    assert total(log, f"session {hidden}closed after 3 s") >= never(600) - 1e-5
    assert total(log, f"session closed after 3{hidden}4 s") >= never(600) - 1e-5


@pytest.mark.parametrize("visible", ["é", "“", "…", "日本", "Â¿", "😀"])
def test_other_letters_are_not_invisible(log: FittedEncoder, visible: str) -> None:
    assert "invisible characters" not in surprise(log, visible)


def test_line_ends_that_benign_data_have_are_no_surprise() -> None:
    encoder = fit(["Traceback:\n\tin a", "Traceback:\n\tin b"] * 30)

    assert surprise(encoder, "Traceback:\n\tin a") == {}
    assert "invisible characters" in surprise(encoder, "Traceback:\r\n\tin a")


def test_columns_tell_templates_words_and_length_apart(log: FittedEncoder) -> None:
    columns, _ = encode(log, "session closed after 1 s", "session closed after 99 s", "session opened for bob (uid=1)")
    one_hot = [name.startswith("template") for name in log.columns]

    assert columns[:, one_hot].sum(axis=1).tolist() == [1.0, 1.0, 1.0]
    np.testing.assert_array_equal(columns[0, one_hot], columns[1, one_hot])
    assert (columns[0, one_hot] != columns[2, one_hot]).any()
    assert columns.min() >= -1.0
    assert columns.max() <= 1.0


def test_rare_templates_share_a_column() -> None:
    encoder = fit(BENIGN, templates=2)

    columns, novelty = encode(encoder, *BENIGN)

    assert encoder.columns[:3] == ("template 1", "template 2", "<other template>")
    assert columns[:, :3].sum(axis=1).tolist() == [1.0] * len(BENIGN)
    assert not novelty.any()


def test_too_many_templates_to_remember_are_no_novelty() -> None:
    encoder = fit(BENIGN, vocabulary=2)

    assert not {"unseen template", "unseen word"} & set(encoder.novelty)
    assert not encode(encoder, *BENIGN)[1].any()


def test_a_finding_names_the_nearest_benign_template(log: FittedEncoder) -> None:
    found = finding(log, "session opened for mallory (uid=0)")

    assert found.expected.startswith("session opened for ")
    assert found.expected.endswith("(uid=<*>)")
    assert found.reason == "a word never seen in 600 benign records"
    assert found.benign_range == "8 templates, 24 to 53 bytes"


def test_a_finding_of_a_known_text_tells_what_the_network_expected(log: FittedEncoder) -> None:
    found = finding(log, "session closed after 3 s", reconstructed="Accepted password for bob from 10.0.0.1 port 1")

    assert found.expected == "Accepted password for bob from <*> port <*>"
    assert found.reason == "unusual together with the other fields"


def test_nothing_to_learn_is_refused() -> None:
    with pytest.raises(DataError, match="field 'thing': missing in all of 3 benign records"):
        fit([None, None, None])


def test_buckets_must_be_a_power_of_two() -> None:
    with pytest.raises(ValidationError, match="48 is not a power of two; the next smaller one is 32"):
        Config(buckets=48)


def test_state_is_compact(log: FittedEncoder) -> None:
    assert len(json.dumps(log.state())) < 5_000


@pytest.mark.data
@pytest.mark.parametrize("name", ["Apache", "HDFS", "Linux", "OpenSSH"])
def test_surprises_in_real_logs_are_as_frequent_as_their_strength_says(data_dir: Path, name: str) -> None:
    lines = (data_dir / "logs" / f"{name}_2k.log").read_text(errors="replace").splitlines()
    shuffled = [lines[i] for i in np.random.default_rng(1).permutation(len(lines))]
    encoder = fit(shuffled[:1000])

    _, benign = encode(encoder, *shuffled[:1000])
    _, later = encode(encoder, *shuffled[1000:])

    assert not benign.any()
    for bans in (1.0, 2.0, 3.0):
        assert (later.sum(axis=1) >= bans).mean() < 2 * 10**-bans
    assert total(encoder, "kernel panic: all your base are belong to us") > 1.0
