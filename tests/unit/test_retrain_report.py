from __future__ import annotations

import msgspec
import pytest

from monitor.app.retrain import Report
from monitor.cli.progress import progress_bars

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
    left_out={"id": "every value is different"},
    device="computing on the CPU, as configured",
)


def changed(**values: object) -> str:
    return msgspec.structs.replace(REPORT, **values).text()


def test_the_report_says_what_a_person_asks_after_a_training() -> None:
    assert REPORT.text().splitlines() == [
        "stream web: 1,200 records read, 3 of them do not parse",
        "  split      840 to learn, 120 to stop by, 240 to calibrate",
        "  device     computing on the CPU, as configured",
        "  network    9-4-2-4-9 and 4 novelty columns beside it, best of 50 epochs: 41",
        "  learned    87.1% of the variation of the calibration records is reproduced",
        "  benign     errors 0.1 to 2 are scores 0 to 1",
        "  left out   id: every value is different",
        "  published  20260101T000000.000Z-0123456789ab",
    ]


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
