"""An evaluation as a whole: what is counted, in which order, what is told to people and written for programs."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.arrays import F64
from monitor.core.errors import CannotCreateError, DataError
from monitor.core.records import HEADER
from monitor.model.history import History
from monitor.reporting.assessment import Choice, Subject, assess
from monitor.reporting.evaluation import Corrupted, Estimate, Evaluation
from monitor.reporting.facts import Table, aligned
from monitor.reporting.intervals import Bootstrap
from monitor.reporting.labelled import Gathering, Labelled, is_record
from monitor.reporting.labels import ANOMALOUS, BENIGN, UNLABELLED, Codes
from monitor.reporting.selection import Kept, Selection
from monitor.reporting.tables import as_json, as_text, scores_csv, write_files
from monitor.scoring.scores import ScoreBatch
from tests.framed import framed
from tests.records import records

SUBJECT = Subject("web", "v1", ("a.log",), 1.0, History(), "mse")
USUAL = Choice(None, None, 0.001)
NAN = math.nan


def quiet(_what: str, _done: int, _total: int, _remark: str) -> None:
    """Progress nobody looks at."""


def labelled(scores: list[float], codes: list[int], times: F64 | None = None) -> Labelled:
    rows = len(scores)
    return Labelled(
        paths=("a.log",),
        files=np.zeros(rows, dtype=np.int64),
        lines=np.arange(1, rows + 1),
        scores=np.array(scores),
        errors=np.array(scores) * 2,
        codes=np.array(codes, dtype=np.int8),
        times=times,
        keys=np.zeros(rows, dtype=np.int64),
        names=(None,),
    )


def assessed(found: Labelled, choice: Choice = USUAL, subject: Subject = SUBJECT, resamples: int = 50) -> Evaluation:
    return assess(found, subject, choice, Bootstrap(resamples, 1), quiet)


SMALL = labelled([0.1, NAN, 2.0, 0.3, 1.5, 0.9, NAN], [0, 1, 1, -1, 0, 1, 0])


# -- counting ------------------------------------------------------------------------------------------------------


def test_records_without_score_or_label_are_counted_and_in_no_array() -> None:
    found = assessed(SMALL)

    assert (found.records, found.unparsed, found.unlabelled) == (7, 2, 1)
    assert found.places.tolist() == [0, 2, 4, 5]
    assert found.scores.tolist() == [0.1, 2.0, 1.5, 0.9]
    assert found.labels.tolist() == [False, True, False, True]
    assert (found.confusion.true_positives, found.confusion.false_positives) == (1, 1)
    assert "records labelled anomalous that could not be parsed: 1; they are in none of the figures" in found.notes


def test_the_threshold_says_where_it_comes_from() -> None:
    found = labelled([float(i) for i in range(10)], [0] * 9 + [1])

    configured = assessed(found)
    given_one = assessed(found, Choice(4.0, None, 0.001))
    chosen = assessed(found, Choice(None, 0.25, 0.001))

    assert (configured.threshold, configured.threshold_source) == (1.0, "alert.threshold of stream web")
    assert (given_one.threshold, given_one.threshold_source) == (4.0, "given by --threshold")
    assert (chosen.threshold, chosen.confusion.false_positives) == (6.0, 2)
    assert "at most 0.25 of the 9 benign records" in chosen.threshold_source
    assert "optimistic" in chosen.threshold_source


def test_a_threshold_for_a_rate_needs_benign_records() -> None:
    with pytest.raises(DataError, match="--max-fpr: the input has no benign record"):
        assessed(labelled([1.0], [1]), Choice(None, 0.1, 0.001))


def test_an_input_without_a_usable_record_is_an_error_that_says_why() -> None:
    with pytest.raises(DataError, match="of 3 records none can be evaluated: 2 could not be parsed, 1 have no label"):
        assessed(labelled([NAN, NAN, 1.0], [1, 0, -1]))


@pytest.mark.parametrize(("code", "absent"), [(BENIGN, "anomalous"), (ANOMALOUS, "benign")])
def test_one_class_gives_named_reasons_not_numbers(code: int, absent: str) -> None:
    found = assessed(labelled([0.5, 2.0], [code, code]))

    assert any(note.startswith(f"there is no {absent} record, so what compares") for note in found.notes)
    assert np.isnan([found.auroc.value, found.average_precision.value, found.precision.value, found.f1.value]).all()
    assert found.accuracy.value == 0.5
    assert "AUROC" in as_text(found)


def test_a_rate_of_less_than_one_record_is_told() -> None:
    found = assessed(labelled([0.5, 2.0, 3.0], [0, 0, 1]))

    assert found.rate_threshold == 2.0
    assert any("0.001 of 2 benign records is less than one" in note for note in found.notes)


def test_a_share_that_all_resamples_agree_on_gets_an_exact_bound() -> None:
    found = assessed(labelled([*[2.0] * 1000, *[0.5] * 100], [*[1] * 1000, *[0] * 100]))

    assert (found.recall.low, found.recall.high) == (1.0, 1.0)
    # The rule of three: 3/1000 and 3/100, about.
    assert any("the recall is 1; by the exact bound it is not below 0.997 " in n for n in found.notes)
    assert any("false-positive rate is 0; by the exact bound it is not above 0.02951" in n
               for n in found.notes)  # fmt: skip


def test_records_from_the_time_of_the_training_are_told_of() -> None:
    found = labelled([0.5, 2.0, 3.0], [0, 0, 1], np.array([10.0, 20.0, NAN]))

    notes = assessed(found, subject=replace(SUBJECT, learned=(5.0, 15.0))).notes

    assert notes[0].startswith("of 3 records, 1 are from the time of the records that the model was made from")
    assert not any("made from" in note for note in assessed(found).notes)


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_another_order_of_the_input_is_another_order_of_the_results(data: st.DataObject) -> None:
    rows = st.lists(st.tuples(st.sampled_from([0.1, 0.5, 1.5, 2.0, NAN]), st.sampled_from([0, 1, -1])), min_size=1)
    drawn = [(0.5, 0), *data.draw(rows)]
    order = data.draw(st.permutations(range(len(drawn))))
    first = labelled([score for score, _ in drawn], [code for _, code in drawn])
    shuffled = labelled([drawn[i][0] for i in order], [drawn[i][1] for i in order])

    left, right = assessed(first, resamples=5), assessed(shuffled, resamples=5)

    moved = {order[place]: score for place, score in zip(right.places, right.scores, strict=True)}
    assert moved == dict(zip(left.places, left.scores, strict=True))
    assert (np.diff(right.places) > 0).all()
    assert (left.confusion, left.sweep, left.precision_at) == (right.confusion, right.sweep, right.precision_at)
    assert (left.auroc, left.recall) == (right.auroc, right.recall) or math.isnan(left.auroc.value)


# -- gathering -----------------------------------------------------------------------------------------------------


def gathered(gathering: Gathering, scores: list[float], ok: list[bool], *, header: bool, line: int) -> list[int]:
    rows = len(scores)
    batch = replace(records(x=[1.0] * rows, keys=["k", "l"] * (rows // 2)), raw=framed(*["x"] * rows))
    batch = replace(batch, reasons={0: HEADER} if header else {})
    codes: Codes = np.full(rows, UNLABELLED, dtype=np.int8)
    array = np.array(scores)
    places: list[int] = gathering.add(
        batch, ScoreBatch(array.astype(np.float32), array, array), codes, line, np.array(ok)
    ).tolist()
    assert is_record(batch).tolist() == [not header, *[True] * (rows - 1)]
    return places


def test_places_count_records_and_lines_count_lines() -> None:
    gathering = Gathering()

    first = gathered(gathering, [9.0, 1.0, 2.0, 3.0], [False, True, False, True], header=True, line=1)
    second = gathered(gathering, [4.0, 5.0], [True, True], header=False, line=5)

    assert (first, second) == ([-1, 0, 1, 2], [3, 4])
    whole = gathering.whole()
    assert whole.lines.tolist() == [2, 3, 4, 5, 6]
    assert np.array_equal(whole.scores, [1.0, NAN, 3.0, 4.0, 5.0], equal_nan=True)
    assert [whole.names[key] for key in whole.keys.tolist()] == ["l", "k", "l", "k", "l"]
    assert whole.times is None


@given(
    st.lists(st.lists(st.floats(0, 1), max_size=12), max_size=8),
    st.integers(0, 5),
)
def test_a_selection_keeps_the_smallest_ranks_however_the_input_is_cut(batches: list[list[float]], limit: int) -> None:
    selection = Selection(limit)
    start = 0
    for ranks in batches:
        places = np.arange(start, start + len(ranks))
        values = places[:, np.newaxis].astype(np.float32)
        selection.offer(records(x=places.astype(float).tolist() or [None]), values, places, np.arange(len(ranks)),
                        np.array(ranks))  # fmt: skip
        start += len(ranks)

    everything = [rank for ranks in batches for rank in ranks]
    best = sorted(sorted(range(len(everything)), key=lambda place: everything[place])[:limit])
    kept: Kept | None = selection.kept()
    assert (kept.places.tolist() if kept else []) == best
    if kept:
        assert kept.values[:, 0].tolist() == best
        assert next(iter(kept.records.columns.values())).to_pylist() == best


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


# -- output --------------------------------------------------------------------------------------------------------


def test_every_record_stands_in_the_table_of_scores_in_its_order() -> None:
    rows = list(csv.DictReader(io.StringIO("".join(scores_csv(SMALL, 1.0)))))

    assert [row["line"] for row in rows] == ["1", "2", "3", "4", "5", "6", "7"]
    assert [row["score"] for row in rows] == ["0.1", "", "2", "0.3", "1.5", "0.9", ""]
    assert [row["error"] for row in rows] == ["0.2", "", "4", "0.6", "3", "1.8", ""]
    assert [row["label"] for row in rows] == ["0", "1", "1", "", "0", "1", "0"]
    assert [row["predicted"] for row in rows] == ["0", "", "1", "0", "1", "0", ""]


def test_json_has_null_for_what_is_not_defined_and_nothing_by_record() -> None:
    found = json.loads(as_json(assessed(labelled([0.5, 2.0], [0, 0]))))

    both = json.loads(as_json(assessed(SMALL)))

    assert found["auroc"] == {"value": None, "low": None, "high": None}
    assert (both["roc"]["thresholds"][0], both["roc"]["thresholds"][1]) == (None, 2.0)  # nothing exceeds infinity
    assert (found["benign"], found["anomalous"], found["confusion"]["false_positives"]) == (2, 0, 1)
    assert not {"scores", "labels", "errors", "pictures"} & found.keys()


def test_the_files_of_a_report_can_be_read_back(tmp_path: Path) -> None:
    damage = Corrupted("noise", "=x", "0 to 20", 9, Estimate(0.5, 0.4, 0.6), Estimate(0.1, NAN, NAN), 0.75)
    evaluation = replace(assessed(SMALL), corruptions=(damage,))

    write_files(evaluation, SMALL, tmp_path)

    assert json.loads((tmp_path / "evaluation.json").read_text())["confusion"]["true_positives"] == 1
    sweep = table(tmp_path / "sweep.csv")
    at = next(row for row in sweep if row["threshold"] == "1")
    assert (at["true_positives"], at["recall"], at["precision"]) == ("1", "0.5", "0.5")
    (corruption,) = table(tmp_path / "corruptions.csv")
    assert (corruption["recall_low"], corruption["recall_at_rate_low"], corruption["auroc"]) == ("0.4", "", "0.75")
    events = table(tmp_path / "events.csv")
    assert [(row["first"], row["last"], row["delay_records"]) for row in events] == [("2", "2", "0"), ("5", "5", "")]


def test_a_directory_that_is_not_there_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(CannotCreateError, match="cannot be written"):
        write_files(assessed(SMALL), SMALL, tmp_path / "absent")


def test_the_text_has_every_figure_with_its_interval_and_nothing_that_moves_the_cursor() -> None:
    damage = Corrupted("noise", "a\x1b[31m", "0 to 20", 9, Estimate(0.5, 0.4, 0.6), Estimate(0.1, NAN, NAN), 0.75)
    subject = replace(SUBJECT, inputs=("evil\n\x1b[2J",))

    text = as_text(replace(assessed(SMALL, subject=subject), corruptions=(damage,)))

    assert "7 records: 2 anomalous, 2 benign, 1 without label, 2 unparsed" in text
    assert "anomalous             1 (TP)         1 (FN)" in text
    assert "recall               0.500         0 to 1" in text
    assert "1 of 2 events found, 1 false episode; precision 0.500, recall 0.500. Delay to the first alert: " in text
    assert re.search(r"^-    missed  -  +6     6 +-", text, re.MULTILINE)
    assert len(re.findall(" in use$", text, re.MULTILINE)) == 1
    assert "a\\x1b[31m  noise   0 to 20         9   0.500  0.400 to 0.600" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 160


def test_of_several_inputs_events_name_the_file() -> None:
    subject = replace(SUBJECT, inputs=("a.log", "b.log"))

    assert " a.log:6  a.log:6 " in as_text(assessed(SMALL, subject=subject))


def test_the_page_and_the_terminal_show_the_same_table() -> None:
    table = Table("Told.", ("name", "n"), [("a", "1"), ("bcdefg", "10")], note="More.")

    assert list(aligned(table)) == ["Told.", "name     n", "a        1", "bcdefg  10", "More."]
    assert list(aligned(replace(table, rows=[]))) == []
