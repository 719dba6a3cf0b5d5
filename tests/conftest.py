"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The labelled data sets: ``$AEMONITOR_DATA`` or ``../shared/data``; skips where they are absent."""
    place = Path(os.environ.get("AEMONITOR_DATA", REPOSITORY.parent / "shared" / "data"))
    if not place.is_dir():
        pytest.skip(f"labelled data sets are not at {place} (set AEMONITOR_DATA)")
    return place
