"""The page of a model: tables that say what failed and what moved, and nothing of a name that a browser would run."""

from __future__ import annotations

import numpy as np

from monitor.model.calibration import Calibration
from monitor.model.history import Epoch, History
from monitor.model.trials import Gate
from monitor.reporting.assessment import Choice, Subject, assess
from monitor.reporting.intervals import Bootstrap
from monitor.reporting.labelled import Labelled
from monitor.reporting.labels import BENIGN
from monitor.reporting.model_page import FieldErrors, ModelFacts, fields, gates, model_page

CALIBRATION = Calibration(200, 0.1, 2.0, (0.5, 0.0), (1.5, 0.0))
EVIL = "<script>x</script>\x1b"


def facts(history: History, since: dict[str, tuple[float, float]] | None = None) -> ModelFacts:
    scores = np.linspace(0.0, 1.2, 50)
    nothing = np.zeros(len(scores), dtype=np.int64)
    codes = np.full(len(scores), BENIGN, dtype=np.int8)
    labelled = Labelled(("",), nothing, nothing, scores, scores, codes, None, nothing, (None,))
    subject = Subject("web", "", (), 1.0, history, "mse")
    replayed = assess(labelled, subject, Choice(None, None, 0.001), Bootstrap(0, 1), lambda *_: None)
    rows = (Gate("faults", False, f"it does not see {EVIL}"), Gate("loads", True, "it does"))
    errors = FieldErrors((EVIL, "constant"), CALIBRATION, since)
    return ModelFacts("web", "2026-01-01", ("It sees.",), rows, replayed, errors, (("seed", "1"),))


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    page = model_page(facts(History((Epoch(1, 0.5, 0.6), Epoch(2, 0.25, 0.5)), 2)))

    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<svg") == 3  # distribution, scores, loss; nothing was planted
    assert "No fault can be planted in these fields." in page
    assert "<script" not in page
    assert "it does not see &lt;script&gt;" in page
    assert "\x1b" not in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_the_same_facts_give_the_same_bytes() -> None:
    history = History((Epoch(1, 0.5, 0.6),), 1)

    assert model_page(facts(history)) == model_page(facts(history))


def test_what_was_never_trained_has_no_course() -> None:
    assert "There was nothing to train: every feature is constant." in model_page(facts(History()))


def test_a_gate_that_failed_stands_out() -> None:
    table = gates((Gate("a", True, "fine"), Gate("b", False, "bad")))

    assert table.rows == [("a", "passed", "fine"), ("b", "FAILED", "bad")]
    assert table.marked == {1}


def test_errors_are_told_with_how_far_they_moved_since_the_model_before() -> None:
    table = fields(FieldErrors(("level", "constant"), CALIBRATION, {"level": (0.4, 0.8), "constant": (0.0, 0.1)}))

    assert table.rows == [("level", "0.5", "1.5", "0.4", "0.8", "2"), ("constant", "0", "0", "0", "0.1", "-")]
    assert fields(FieldErrors(("level", "constant"), CALIBRATION, None)).rows[0][3:] == ("-", "-", "-")
