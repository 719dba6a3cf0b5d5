"""Where a suspected record stands, whatever was read before it and however much of that was kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from monitor.app.places import Place, Places
from monitor.app.suspicions import SHOWN, Suspicion, listing, suspicions
from monitor.core.records import RecordBatch
from monitor.ingest.framing import Framer
from monitor.ingest.reading import read_files
from monitor.training.gathering import gather
from monitor.training.trimming import Suspect
from tests.records import records


def batches(*paths: Path, rows: int = 3) -> Iterator[RecordBatch]:
    """What a parser would make of files of numbers; lines that are no number do not parse."""
    for raw in read_files(paths, partial(Framer, 100, rows)):
        lines = [raw.line(row) for row in range(len(raw))]
        ok = np.array([line.isdigit() for line in lines], dtype=np.bool_)
        values = [float(line) if line.isdigit() else 0.0 for line in lines]
        yield replace(records(x=values), raw=raw, ok=ok)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The numbers 0 to 9, but for 4 that is no number, in two files."""
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    first.write_text("0\n1\n2\n3\nfour\n5\n")
    second.write_text("6\n7\n8\n9\n")
    return first, second


@pytest.mark.parametrize("most", [3, 5, 100])
def test_every_gathered_record_is_where_it_was_read(files: tuple[Path, Path], most: int) -> None:
    places = Places(most)

    kept, _, _ = gather(places.watch(batches(*files)), most)

    values = next(iter(kept.columns.values())).to_pylist()
    found = [places.of(row, len(kept)) for row in range(len(kept))]
    assert [Path(place.path).read_bytes()[place.offset :].split()[0] for place in found] == [
        b"%d" % value for value in values
    ]
    assert [Path(place.path).read_text().splitlines()[place.line - 1] for place in found] == [
        str(int(value)) for value in values
    ]


def test_lines_are_counted_anew_in_each_file(files: tuple[Path, Path]) -> None:
    places = Places(100)

    kept, _, _ = gather(places.watch(batches(*files)), 100)

    assert places.of(5, len(kept)) == Place(str(files[1]), 1, 0)


def test_a_record_that_was_not_gathered_has_no_place(files: tuple[Path, Path]) -> None:
    places = Places(100)
    gather(places.watch(batches(*files)), 100)

    with pytest.raises(IndexError, match="there are 9 records, and one beyond them is asked for"):
        places.of(9, 9)


def test_a_suspicion_says_where_what_and_why(files: tuple[Path, Path]) -> None:
    places = Places(100)
    kept, _, _ = gather(places.watch(batches(*files)), 100)

    (found,) = suspicions([Suspect(4, "calibration", 12.345, "x")], places, len(kept))

    assert found == Suspicion(str(files[0]), 6, 13, "calibration", 12.345, "x")
    assert listing([found]) == [
        "  suspected  records left out (model.trim): 1, of them held out: 1",
        f"             {files[0]}:6: 12.3 times the usual error, most in x",
    ]


def test_a_person_is_shown_the_worst_only_and_a_hostile_name_does_no_harm() -> None:
    many = [Suspicion("a\x1b[2J", row, 0, "train", 5.0, "x") for row in range(SHOWN + 7)]

    lines = listing(many)

    assert len(lines) == SHOWN + 2
    assert lines[0].startswith("  suspected  records left out (model.trim): 17, of them held out: 0")
    assert lines[-1] == "             and 7 more; --json lists all"
    assert "\x1b" not in "".join(lines)


def test_nothing_is_said_of_no_suspects() -> None:
    assert listing([]) == []


@pytest.mark.parametrize(("most", "begins"), [(3, [None, 2]), (5, [13, 0]), (7, [4, 0]), (100, [0, 0])])
def test_what_was_gathered_begins_somewhere_in_each_file(
    files: tuple[Path, Path], most: int, begins: list[int | None]
) -> None:
    places = Places(most)

    kept, _, _ = gather(places.watch(batches(*files)), most)

    found = places.begins(len(kept))
    assert [found.get(str(path)) for path in files] == begins


def test_of_a_file_read_twice_nothing_counts_as_older(files: tuple[Path, Path]) -> None:
    places = Places(6)

    kept, _, _ = gather(places.watch(batches(files[0], files[1], files[0])), 6)

    assert places.begins(len(kept)) == {str(files[1]): 6, str(files[0]): 0}
