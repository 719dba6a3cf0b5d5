"""What stands for the key of a stream that has none: the field that goes wrong, whatever stands beside a record."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.app.signatures import Signatures
from monitor.core.arrays import F32
from monitor.model.calibration import calibrate_network
from monitor.model.inference import Inference
from monitor.scoring.l1 import L1Scorer
from tests.support_models import layout, network

PLACE = layout(9)
SOURCES = {"f0": "level", "f1": "level", "f2": ""}


@pytest.fixture(scope="module")
def signatures() -> Signatures:
    module = network(9)
    calibration = calibrate_network(Inference(module, PLACE), np.full((200, PLACE.total), 0.1, dtype=np.float32))
    return Signatures(L1Scorer(module, PLACE, calibration), SOURCES)


def odd(features: list[int]) -> F32:
    """Records each of which shows something new in one feature."""
    values = np.full((len(features), PLACE.total), 0.1, dtype=np.float32)
    values[np.arange(len(features)), [PLACE.blocks[feature].novelty_start for feature in features]] = 5.0
    return values


def test_the_field_that_is_wrong_stands_for_it_and_features_of_one_field_are_one(
    signatures: Signatures,
) -> None:
    assert signatures.of(odd([0, 1, 2])) == ["level", "level", "f2"]


def test_what_comes_beside_a_record_changes_nothing(signatures: Signatures) -> None:
    values = odd([0] * 80 + [2] + [1] * 16)

    assert signatures.of(values) == [name for row in values for name in signatures.of(row[None])]
