"""The demo is what a newcomer runs first: it has to end by itself with the promised last line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.support import aemonitor


@pytest.mark.timeout(240)
def test_the_demo_finds_what_it_planted(tmp_path: Path) -> None:
    done = aemonitor("demo", "--out", str(tmp_path), "--seed", "7")

    *_, named, last = done.stdout.decode().splitlines()
    found = re.fullmatch(r"demo: (\d+) of 20 planted faults alerted, (\d+) false alerts", last)
    assert found is not None, last
    assert int(found[1]) >= 18
    assert int(found[2]) <= 3
    assert named.endswith(f"{found[1]} of {found[1]}")
