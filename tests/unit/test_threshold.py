from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.arrays import F64, I64, Bools
from monitor.core.errors import DataError
from monitor.deciding.threshold import Decider, exceeding


def alerting(threshold: float, scores: F64, ok: Bools | None = None) -> I64:
    ok = np.ones(len(scores), dtype=np.bool_) if ok is None else ok
    return exceeding(scores, Decider(threshold).limits(scores, ok), ok)


@given(st.lists(st.tuples(st.floats(allow_nan=False), st.booleans())), st.floats(-10, 10))
def test_alerts_are_the_rows_above_the_threshold_that_could_be_parsed(
    rows: list[tuple[float, bool]], threshold: float
) -> None:
    scores, ok = np.array([score for score, _ in rows]), np.array([parsed for _, parsed in rows], dtype=bool)

    alerts = alerting(threshold, scores, ok)

    assert alerts.tolist() == [i for i, (score, parsed) in enumerate(rows) if parsed and score > threshold]
    assert alerts.dtype == np.int64


def test_a_score_equal_to_the_threshold_is_no_alert() -> None:
    assert alerting(1.0, np.array([1.0, np.nextafter(1.0, 2)])).tolist() == [1]


def test_a_score_that_is_not_a_number_alerts() -> None:
    assert alerting(1.0, np.array([0.0, np.nan])).tolist() == [1]


@pytest.mark.parametrize("threshold", [float("nan"), float("inf")])
def test_a_threshold_nothing_can_exceed_is_refused(threshold: float) -> None:
    with pytest.raises(DataError, match=r"alert\.threshold: (nan|inf) is not a number a score can exceed"):
        Decider(threshold)
