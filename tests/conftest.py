"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.engines.choice import EngineChoice
from monitor.engines.engine import Engine

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The labelled data sets: ``$AEMONITOR_DATA`` or ``../shared/data``; skips where they are absent."""
    place = Path(os.environ.get("AEMONITOR_DATA", REPOSITORY.parent / "shared" / "data"))
    if not place.is_dir():
        pytest.skip(f"labelled data sets are not at {place} (set AEMONITOR_DATA)")
    return place


@pytest.fixture(scope="module", params=["processes", "ray"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Every engine in turn, with two workers."""
    with EngineChoice(request.param, workers=2).opened() as made:
        assert made is not None
        yield made
