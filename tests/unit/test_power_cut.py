"""The power goes at any moment: the ledger opens at some commit, whole, or is refused; no line is skipped."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from monitor.core.accounting import FileState
from monitor.core.errors import StateError
from monitor.ledger import Ledger
from tests.power_cut import Operation, cut, recorded
from tests.support_files import Follower, joined, numbered

LINES = numbered(1, 3_000)
LATE = numbered(9_001, 40, "late")
SECTORS = 8
"""The log on its disk may end within a write, or in so many sectors of zeros at the most."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Operation]]:
    """A log, and what a reader that committed all of it did to its state directory."""
    root = tmp_path_factory.mktemp("cut")
    log, state = root / "app.log", root / "state"
    log.write_bytes(joined(LINES))
    state.mkdir()
    operations = recorded(state, "-m", "tests.ledger_reader", str(state), str(log), "once")
    assert sum(found.kind == "sync" for found in operations) > 3
    return log, operations


def resumed(directory: Path) -> tuple[list[FileState], int]:
    """What an image of the state directory has: the places, and the lines committed; alerts are of the same commit."""
    with Ledger.open(directory) as ledger:
        assert ledger.broken_table() is None
        states, read = ledger.resume("web"), ledger.counts("web").read
        alerts = [int(msgspec.json.decode(body)["id"], 16) for body in ledger.alerts("web", limit=2 * len(LINES))]
    assert max((state.offset for state in states), default=0) == len(joined(LINES[:read]))
    assert sorted(alerts) == list(range(1, read + 1))
    return states, read


def survive(log: Path, operations: list[Operation], directory: Path, dice: random.Random) -> int | None:
    """One image: how many lines were committed in it; None when it was refused."""
    directory.mkdir()
    for name, content in cut(operations, dice).items():
        (directory / name).write_bytes(content)
    try:
        states, read = resumed(directory)
    except StateError:
        assert list(directory.glob("*.corrupt-*"))  # the evidence is kept, and the next start asks what to do
        return None
    kept = dice.choice([len(joined(LINES)), dice.randrange(len(joined(LINES)))])
    log.write_bytes(joined(LINES)[:kept] + bytes(512 * dice.randrange(SECTORS)) + b"\n" + joined(LATE))
    demand_rest(log, states, {*LINES[:read]})
    return read


def demand_rest(log: Path, states: list[FileState], committed: set[bytes]) -> None:
    """Whatever of the log came to the disk is committed, or read now."""
    tail = Follower(log)
    tail.states = {state.origin.file_id: state for state in states}
    tail.crash()
    tail.settle()
    tail.stop()
    there = {line.rstrip(b"\0") for line in log.read_bytes().splitlines()}
    assert there - {b""} <= committed | {line.rstrip(b"\0") for line in tail.lines}


def demand_survival(site: tuple[Path, list[Operation]], root: Path, images: int) -> None:
    results = [survive(*site, root / str(number), random.Random(number)) for number in range(images)]
    refused = results.count(None)
    assert len(set(results)) > 4  # different commits: moments all over the run
    print(f"{images} images: {images - refused} opened at a commit, {refused} refused, nothing skipped")


def test_forty_power_cuts_skip_nothing(site: tuple[Path, list[Operation]], tmp_path: Path) -> None:
    demand_survival(site, tmp_path, 40)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_five_hundred_power_cuts_skip_nothing(site: tuple[Path, list[Operation]], tmp_path: Path) -> None:
    demand_survival(site, tmp_path, 500)
