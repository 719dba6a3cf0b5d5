"""`aemonitor state` and `aemonitor verify` on the ledger of a real daemon."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import execute
from monitor.ledger import seals
from monitor.ledger.files import NAME
from tests.e2e.support import Site, aemonitor
from tests.e2e.traffic import line, lines, trained

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Site:
    """A site that has read a rotated log, its successor, and a truncated one, with two lines that do not parse."""
    site = trained(tmp_path_factory.mktemp("site"), models)
    site.log.write_bytes(lines(1_000) + b"garbage\n")
    aemonitor("run", "-c", str(site.config), "--once")
    site.log.rename(site.log.with_name("app.log.1"))
    site.log.write_bytes(lines(500, 1_000) + b"\n" + lines(10, 1_500))
    aemonitor("run", "-c", str(site.config), "--once")
    return site


@pytest.fixture
def site(read_once: Site, tmp_path: Path) -> Iterator[Site]:
    """A ledger of its own over the same files."""
    copy = tmp_path / "state"
    shutil.copytree(read_once.state, copy)
    text = read_once.config.read_text()
    read_once.config.write_text(text.replace(str(read_once.state), str(copy)))
    kept, read_once.state = read_once.state, copy
    yield read_once
    read_once.state = kept
    read_once.config.write_text(text)


Command = Callable[..., str]


@pytest.fixture
def run(site: Site, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in this process, insists on its exit code, and gives all that it prints."""

    def run_it(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        assert execute([*arguments, "-c", str(site.config)]) == code
        printed = capsys.readouterr()
        return printed.out + printed.err

    return run_it


def proof_of(run: Command, code: int = 0) -> tuple[dict[str, Any], str]:
    """The proof of the one stream, and what was said on stderr."""
    proof, _, told = run("verify", "--json", code=code).partition("\n")
    return json.loads(proof)["streams"][0], told


def change(site: Site, *statements: str) -> None:
    """What a fault of the program would do: the rows are sealed, but wrong."""
    connection = sqlite3.connect(site.state / NAME)
    seals.install(connection)
    for statement in statements:
        connection.execute(statement)
    for table in seals.SEALED:
        connection.execute(seals.reseal(table))
    connection.commit()
    connection.close()


# -- verify ----------------------------------------------------------------------------------------------------


def test_every_record_is_found_again_in_the_files(site: Site, run: Command) -> None:
    proof, _ = proof_of(run)

    counts = proof["counts"]
    assert (counts["read"], counts["scored"], counts["unparsed"], proof["in_flight"]) == (1_512, 1_510, 2, 0)
    assert sorted((each["read"], each["recounted"], each["found_in"]) for each in proof["ranges"]) == [
        (511, 511, str(site.log)), (1_001, 1_001, str(site.log) + ".1")
    ]  # fmt: skip
    assert sum(each["stop"] - each["start"] for each in proof["ranges"]) == counts["bytes"]
    assert "proven: 1,512 of 1,512 records were counted again" in run("verify", "--stream", "web")


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE ranges SET read = read + 1 WHERE read = 511", ": 512 read is not 510 scored + 1 unparsed"),
        ("UPDATE ranges SET read = read + 1, scored = scored + 1 WHERE read = 511",
         "the total of scored is 1,510, but the ranges of the files add up to 1,511"),
        ("UPDATE ranges SET stop = stop - 1 WHERE read = 511", "it ends elsewhere than the committed place"),
        ("UPDATE files SET offset = offset + 1", "it ends elsewhere than the committed place"),
        ("UPDATE counters SET value = value + 1 WHERE name = 'scored'", "the totals do not add up: 1,512 read is not"),
        ("UPDATE counters SET value = value - 1 WHERE name = 'bytes'", "the total of bytes is"),
        ("UPDATE ranges SET epoch = 5", "it is newer than the place, which is in epoch 0"),
        ("DELETE FROM files", "its records are counted, but its place is not known"),
        ("INSERT INTO ranges SELECT stream, file_id, 0, 5, stop, 0, 0, 0, 0, 0, marker, tail_bytes, x'' FROM ranges",
         "it begins before byte"),
    ],
)  # fmt: skip
def test_one_record_or_byte_too_many_is_found(site: Site, run: Command, statement: str, message: str) -> None:
    change(site, statement)

    proof, told = proof_of(run, code=65)

    assert proof["faults"]
    assert message in told


def test_a_ledger_that_agrees_with_itself_is_held_against_the_files(site: Site, run: Command) -> None:
    change(
        site,
        "UPDATE ranges SET read = read + 1, scored = scored + 1 WHERE read = 511",
        "UPDATE counters SET value = value + 1 WHERE name IN ('read', 'scored')",
    )

    _, told = proof_of(run, code=65)

    assert "512 records are accounted for, 511 are there in " in told
    assert told.count("\n") == 1


def test_a_row_changed_behind_the_ledgers_back_is_named(site: Site, run: Command) -> None:
    connection = sqlite3.connect(site.state / NAME)
    connection.execute("UPDATE ranges SET stop = stop + 1")
    connection.commit()
    connection.close()

    assert "a row of the ledger's table ranges is not as it was committed" in proof_of(run, code=65)[1]


def test_what_exists_no_more_is_said_and_is_no_fault(site: Site, run: Command) -> None:
    rotated = site.log.with_name("app.log.1")
    hidden = rotated.rename(site.root / "hidden")
    try:
        proof, _ = proof_of(run)
        assert "these bytes exist no more, so they cannot be counted again" in run("verify", "--stream", "web")
    finally:
        hidden.rename(rotated)

    assert sorted((each["read"], each["recounted"]) for each in proof["ranges"]) == [(511, 511), (1_001, None)]


def test_a_compressed_log_is_counted_again_too(site: Site, run: Command) -> None:
    import gzip

    rotated = site.log.with_name("app.log.1")
    packed = rotated.with_name("app.log.1.gz")
    packed.write_bytes(gzip.compress(rotated.read_bytes()))
    hidden = rotated.rename(site.root / "hidden")
    try:
        proof, _ = proof_of(run)
    finally:
        hidden.rename(rotated)
        packed.unlink()

    assert str(packed) in {each["found_in"] for each in proof["ranges"]}


def test_without_a_ledger_there_is_nothing_to_prove(site: Site, run: Command) -> None:
    shutil.rmtree(site.state)

    assert "there is no ledger" in run("verify", "--stream", "web", code=66)
    assert "there is no ledger" in run("state", "show", code=66)


# -- state -----------------------------------------------------------------------------------------------------


def test_the_state_names_files_sinks_and_what_did_not_parse(site: Site, run: Command) -> None:
    shown = run("state", "show")
    letters = run("state", "dead-letters")
    rows = [json.loads(each) for each in run("state", "dead-letters", "--json").splitlines()]

    assert f"{site.log}  epoch 0  byte " in shown
    assert f"now {site.log}.1" in shown
    assert "stream web: 1,512 records read, 31 alerts" in shown
    assert "2 dead letters" in shown
    assert "sink file: nothing waits" in shown
    assert ": garbage" in letters
    assert [row["text"] for row in rows] == ["garbage", ""]


def test_what_is_not_read_yet_and_what_is_gone_is_shown(site: Site, run: Command) -> None:
    size = site.log.stat().st_size
    with site.log.open("ab") as out:
        out.write(line(1))
    rotated = site.log.with_name("app.log.1")
    hidden = rotated.rename(site.root / "hidden")
    try:
        view = json.loads(run("state", "show", "--json"))
    finally:
        hidden.rename(rotated)
        with site.log.open("r+b") as out:
            out.truncate(size)

    files = {(each["found"], each["behind_bytes"]) for each in view["streams"][0]["files"]}
    assert files == {(None, None), (str(site.log), len(line(1)))}


def test_nothing_is_reset_without_yes(site: Site, run: Command) -> None:
    before = (site.state / NAME).read_bytes()

    told = run("state", "reset", "--stream", "web")

    assert told.count("is forgotten: if it is still there, it is read as a new file") == 2
    assert "nothing was changed; add --yes to do it" in told
    assert (site.state / NAME).read_bytes() == before


def test_a_forgotten_stream_is_read_anew_and_its_totals_stay(site: Site, run: Command) -> None:
    run("state", "reset", "--stream", "web", "--yes")
    aemonitor("run", "-c", str(site.config), "--once")

    proof, _ = proof_of(run)

    assert (proof["counts"]["read"], proof["settled"]) == (1_512 + 511, 1_512)


def test_a_file_is_read_again_from_its_beginning(site: Site, run: Command) -> None:
    told = run("state", "reset", "--stream", "web", "--file", str(site.log), "--to", "beginning", "--yes")
    aemonitor("run", "-c", str(site.config), "--once")

    assert "is read again from its beginning; its alerts are raised again" in told
    proof, _ = proof_of(run)
    assert proof["counts"]["read"] == 1_512 + 511 + 1_001  # both files were read under this path


def test_what_is_not_read_yet_is_passed_over(site: Site, run: Command) -> None:
    size = site.log.stat().st_size
    with site.log.open("ab") as out:
        out.write(lines(3))
    try:
        told = run("state", "reset", "--stream", "web", "--to", "end", "--yes")
        aemonitor("run", "-c", str(site.config), "--once")
        proof, _ = proof_of(run)
    finally:
        with site.log.open("r+b") as out:
            out.truncate(size)

    assert f"{len(lines(3)):,} bytes before it are never scored" in told
    assert proof["counts"]["read"] == 1_512


def test_a_file_that_moved_is_adopted_if_it_holds_what_was_read(site: Site, run: Command, tmp_path: Path) -> None:
    moved = tmp_path / "moved.log"
    shutil.copy(site.log, moved)
    (file_id,) = [each["file_id"] for each in json.loads(run("state", "show", "--json"))["streams"][0]["files"]
                  if each["found"] == str(site.log)]  # fmt: skip

    assert "nothing was changed" in run("state", "adopt", file_id[:8], str(moved), "--stream", "web")
    told = run("state", "adopt", file_id[:8], str(moved), "--stream", "web", "--yes")
    assert f"{moved} is read on from byte {site.log.stat().st_size:,}" in told
    assert f"{moved}  epoch 0" in run("state", "show")

    moved.write_bytes(lines(2_000, 7))
    other = run("state", "adopt", file_id[:8], str(moved), "--stream", "web", code=65)
    assert "does not hold what was read of" in other
    assert "there is no file" in run("state", "adopt", file_id[:8], "/nowhere", "--stream", "web", code=66)
    assert "the ledger knows no file ffff" in run("state", "adopt", "ffff", str(moved), "--stream", "web", code=2)


def test_a_path_that_was_several_files_is_not_guessed_at(site: Site, run: Command) -> None:
    told = run("state", "adopt", str(site.log), str(site.log), "--stream", "web", code=2)

    assert f"several files were read as {site.log}" in told


def test_nothing_is_repaired_beside_a_daemon(site: Site, run: Command) -> None:
    from monitor.ledger import Ledger

    with Ledger.open(site.state):
        assert "is in use by process" in run("state", "reset", "--stream", "web", "--yes", code=75)
        assert "web" in run("state", "show")
