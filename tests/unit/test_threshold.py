from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.errors import DataError
from monitor.deciding.threshold import Decider


@given(st.lists(st.tuples(st.floats(allow_nan=False), st.booleans())), st.floats(-10, 10))
def test_alerts_are_the_rows_above_the_threshold_that_could_be_parsed(
    rows: list[tuple[float, bool]], threshold: float
) -> None:
    scores, ok = np.array([score for score, _ in rows]), np.array([parsed for _, parsed in rows], dtype=bool)

    alerts = Decider(threshold).alerts(scores, ok)

    assert alerts.tolist() == [i for i, (score, parsed) in enumerate(rows) if parsed and score > threshold]
    assert alerts.dtype == np.int64


def test_a_score_equal_to_the_threshold_is_no_alert() -> None:
    assert Decider(1.0).alerts(np.array([1.0, np.nextafter(1.0, 2)]), np.ones(2, dtype=bool)).tolist() == [1]


def test_a_score_that_is_not_a_number_alerts() -> None:
    assert Decider(1.0).alerts(np.array([0.0, np.nan]), np.ones(2, dtype=bool)).tolist() == [1]


@pytest.mark.parametrize("threshold", [float("nan"), float("inf")])
def test_a_threshold_nothing_can_exceed_is_refused(threshold: float) -> None:
    with pytest.raises(DataError, match=r"alert\.threshold: (nan|inf) is not a number a score can exceed"):
        Decider(threshold)
