"""Slices computed in turns by several lanes, as on a GPU: each record has its own error, whoever computed it."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.model.inference import Inference, Passes, errors_in_turns
from monitor.model.torch_passes import TorchPasses
from tests.support_models import layout, network, rows

PLACE = layout(6)
ROWS = 64


@pytest.mark.parametrize("lanes", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, ROWS, 2 * ROWS, 5 * ROWS + 7])
def test_each_record_has_its_own_error_however_many_lanes_there_are(lanes: int, count: int) -> None:
    module, values = network(PLACE.width), rows(count, PLACE)
    several: list[Passes] = [TorchPasses(module, PLACE, ROWS, None) for _ in range(lanes)]

    found = errors_in_turns(several, values)

    assert np.array_equal(found, Inference(module, PLACE, slice_rows=ROWS).errors(values))


def test_a_slice_is_begun_before_the_one_ahead_of_it_is_waited_for() -> None:
    module, values, seen = network(PLACE.width), rows(3 * ROWS, PLACE), list[str]()

    class Watched(TorchPasses):
        def begin(self) -> None:
            seen.append("begin")

        def errors(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
            seen.append("wait")
            return super().errors()

    errors_in_turns([Watched(module, PLACE, ROWS, None) for _ in range(2)], values)

    assert seen == ["begin", "begin", "wait", "begin", "wait", "wait"]
