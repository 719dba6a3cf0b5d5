"""What several end-to-end tests need and none should make for itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.traffic import learned


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published model of the benign lines of ``traffic``."""
    return learned(tmp_path_factory.mktemp("models"))
