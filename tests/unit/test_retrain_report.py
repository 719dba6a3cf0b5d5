from __future__ import annotations

import msgspec
import pytest

from monitor.app.gates.replay import Disagreement, Disagreements
from monitor.app.retrain_report import Outcome, Report, Trial, check_published
from monitor.app.suspicions import Suspicion
from monitor.cli.progress import progress_bars
from monitor.core.errors import AemonitorError, NoInputError, TryLaterError
from monitor.core.limit import Daily, Limit
from monitor.model.history import Candidate
from monitor.model.trials import Gate

REPORT = Report(
    stream="web",
    published="20260101T000000.000Z-0123456789ab",
    records_read=1200,
    unparsed=3,
    train=840,
    early_stop=120,
    calibration=240,
    columns=9,
    novelty_columns=4,
    layers=(9, 4, 2, 4, 9),
    epochs=50,
    best_epoch=41,
    loss=0.01,
    explained=0.871,
    collapsed=False,
    split="time",
    error_low=0.1,
    error_high=2.0,
    state="ok",
    method="blend",
    average=1,
    threshold=1.0,
    limit=Limit("budget", 2.5, 5, 999, 0.005, 0.00916, Daily(840.0, 4.2, 7.66, 1, 12)),
    trial=Trial(false_alarms=0.004, planted=455, recall=0.924, named=0.97),
    left_out={"id": "every value is different"},
    gates=(Gate("enough", True, "240 held-out benign records set the limit"),),
    device="computing on the CPU, as configured",
)


def outcome(found: Report | AemonitorError) -> Outcome:
    return Outcome("web", found, 1.0)


def changed(**values: object) -> str:
    return msgspec.structs.replace(REPORT, **values).text()


def test_the_report_says_what_a_person_asks_after_a_training() -> None:
    assert REPORT.text().splitlines() == [
        "stream web: 1,200 records read, 3 of them do not parse",
        "  split      840 to learn, 120 to stop by, 240 to calibrate",
        "  device     computing on the CPU, as configured",
        "  network    9-4-2-4-9 and 4 novelty columns beside it, best of 50 epochs: 41",
        "  learned    87.1% of the variation of the calibration records is reproduced",
        "  benign     errors 0.1 to 2 are l1 scores 0 to 1",
        "  score      blend, how rare the record or its worst field is: 0 the best benign, 1 the limit",
        "  alerts     above 1: expect 4.2 false alerts a day (95 %: 1 to 12), on average at most 7.7",
        "             0.5 % of benign records above it, at most 0.92 %",
        "  faults     92% of 455 planted in held-out records are found, 97% of these name the field first",
        "  left out   id: every value is different",
        "  gate       enough: 240 held-out benign records set the limit",
        "  published  20260101T000000.000Z-0123456789ab",
    ]


def test_what_is_not_known_is_not_said() -> None:
    limit = Limit("fixed", 1.0, 5, 999, 0.005, 0.00916, None)

    assert "  alerts     above 1: expect 0.5 % of benign records above it, at most 0.92 %\n  faults" in changed(
        limit=limit
    )
    assert "  alerts     above 1\n  faults" in changed(limit=None)
    assert "planted in held-out records are found\n" in changed(trial=Trial(0.0, 455, 0.0, None))
    assert "  faults     no fault can be planted in these fields" in changed(trial=Trial(0.0, 0, None, None))


def test_an_average_of_scores_is_named() -> None:
    assert "score      l1, the summed error of the network; the mean of a key's last 5" in changed(
        method="l1", average=5
    )


def test_what_the_gate_keeps_back_is_told_with_the_reason_and_the_way_around() -> None:
    failed = (Gate("faults", False, "it is blind"),)
    kept = msgspec.structs.replace(REPORT, published=None, refused="faults: it is blind", gates=failed)

    assert kept.text().endswith("  gate       faults: FAILED: it is blind\n  refused    faults: it is blind")
    with pytest.raises(
        TryLaterError, match=r"stream web: not published: faults: it is blind\. .*--force publishes all"
    ):
        check_published([outcome(REPORT), outcome(kept)])
    check_published([outcome(REPORT)])


def test_what_was_forced_is_published_and_called_so() -> None:
    forced = msgspec.structs.replace(REPORT, refused="faults: it is blind")

    assert forced.text().endswith("  published  20260101T000000.000Z-0123456789ab by force, against the gates")
    check_published([outcome(forced)])


def test_a_stream_that_could_not_be_trained_gives_its_own_error() -> None:
    with pytest.raises(NoInputError, match=r"^nothing to read$"):
        check_published([outcome(REPORT), outcome(NoInputError("nothing to read"))])
    with pytest.raises(NoInputError, match="stream web: nothing to read; stream web: too few"):
        check_published([outcome(NoInputError("nothing to read")), outcome(TryLaterError("too few"))])


def test_records_on_which_the_models_differ_are_listed() -> None:
    differ = Disagreements(3, 1, 2, (Disagreement("a\x1b.log", 7, 1.25, 0.5),))

    assert changed(disagreements=differ).splitlines()[-3:-1] == [
        "  replayed   records that alert: 3 with both, 1 now, 2 with the one in use only",
        "             a\\x1b.log:7: scores 1.25 now, 0.5 with the one in use",
    ]


def test_a_program_is_told_everything_a_person_is() -> None:
    told = msgspec.json.decode(msgspec.json.encode(REPORT))

    assert (told["method"], told["limit"]["daily"]["expected"], told["trial"]["recall"]) == ("blend", 4.2, 0.924)
    assert told["refused"] is None


def test_a_collapsed_network_is_named_with_the_cure() -> None:
    text = changed(explained=-0.2, collapsed=True)

    assert "0.0% of the variation of the calibration records is reproduced: the network collapsed" in text
    assert "Try model.optimizer: adam" in text


def test_training_without_a_split_is_named() -> None:
    assert "none: the same 840 records to learn and to calibrate" in changed(split="none")


def test_novelty_that_does_not_count_is_not_mentioned() -> None:
    assert "  network    9-4-2-4-9, best of 50 epochs: 41" in changed(novelty_columns=0)


def test_where_nothing_varies_nothing_is_said_of_it() -> None:
    assert "learned" not in changed(explained=None)


def test_what_has_a_known_end_leaves_a_line_at_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars(milestones=True) as progress:
        for epoch in range(1, 1001):
            progress("web: training", epoch, 1000, f"loss {1 / epoch:.3f}")
        progress("web: reading", 5, 0, "")

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0] == "web: training 100/1,000: loss 0.010"
    assert lines[-1] == "web: training 1,000/1,000: loss 0.001"


def test_a_short_computation_leaves_no_line_in_a_journal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars() as progress:
        progress("scoring", 10, 10, "")

    assert capsys.readouterr().err == ""


def test_the_kind_of_network_and_the_bottlenecks_tried_are_named() -> None:
    text = changed(network="gru", candidates=(Candidate(2, 0.31), Candidate(4, 0.052)))

    assert "  network    gru 9-4-2-4-9 and 4 novelty" in text
    assert "\n  bottleneck 2: of the variation of held-out records is left 31.0% with 2, 5.2% with 4\n" in text
    assert "bottleneck" not in changed(candidates=(Candidate(2, 0.31),))


def test_suspects_are_listed_before_what_was_learned_without_them() -> None:
    text = changed(suspects=(Suspicion("a.log", 7, 99, "train", 31.4, "level"),))

    assert "  suspected  records left out (model.trim): 1, of them held out: 0\n" in text
    assert "             a.log:7: 31.4 times the usual error, most in level\n  network" in text


def test_the_report_says_what_became_of_older_records() -> None:
    taken = changed(older=759).splitlines()  # the limit rests on 999
    left = changed(older=759, limit=None).splitlines()

    assert taken[2] == "             759 older ones, of which nothing was learned, calibrate with them"
    assert left[2] == "             759 older ones score otherwise than the newest and do not calibrate"
