"""A ledger that is not what it was: older, newer, flipped, zeroed, empty, missing, not ours to write."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.core.accounting import Counts, Outcome
from monitor.core.clock import ManualClock
from monitor.core.errors import AemonitorError, StateError
from monitor.ledger import Ledger, LedgerUnavailableError, Recovery, schema, seals
from monitor.ledger.files import NAME
from tests.support_files import alert, position, remember, remembered

FLIPS = 1_000
END = Recovery("end", ("web",))

VERSION_1 = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (
  stream TEXT NOT NULL, file_id TEXT NOT NULL, epoch INTEGER NOT NULL, offset INTEGER NOT NULL,
  marker BLOB NOT NULL, tail_bytes INTEGER NOT NULL, head BLOB NOT NULL,
  device TEXT NOT NULL, inode TEXT NOT NULL, path BLOB NOT NULL, committed_at REAL NOT NULL,
  PRIMARY KEY (stream, file_id)
) WITHOUT ROWID;
CREATE TABLE counters (
  stream TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (stream, name)
) WITHOUT ROWID;
CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, state TEXT NOT NULL,
  stream TEXT NOT NULL, committed_at REAL NOT NULL, body BLOB NOT NULL
);
CREATE UNIQUE INDEX outbox_id ON outbox (id, state);
CREATE INDEX outbox_stream ON outbox (stream, seq);
CREATE TABLE cursors (sink TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE dead_letters (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, file_id TEXT NOT NULL, epoch INTEGER NOT NULL,
  offset INTEGER NOT NULL, path BLOB NOT NULL, reason TEXT NOT NULL, text TEXT NOT NULL,
  bytes INTEGER NOT NULL, committed_at REAL NOT NULL
);
CREATE INDEX dead_letters_stream ON dead_letters (stream, seq, bytes);
INSERT INTO meta VALUES ('schema_version', '1');
INSERT INTO files VALUES ('web', 'f', 2, 700, x'0102030405060708', 256, x'68', '1', '18446744073709551615',
  x'2f7661722f6c6f672fff', 1.7e9);
INSERT INTO counters VALUES ('web', 'read', 70), ('web', 'scored', 69), ('web', 'unparsed', 1), ('web', 'bytes', 700);
INSERT INTO outbox (id, state, stream, committed_at, body) VALUES ('00', 'firing', 'web', 1.7e9, '{}');
INSERT INTO outbox (id, state, stream, committed_at, body) VALUES ('01', 'firing', 'web', 1.7e9, '{}');
INSERT INTO cursors VALUES ('ops', 1);
"""
VERSION_2 = f"""
{VERSION_1}
CREATE TABLE memories (
  id INTEGER PRIMARY KEY, stream TEXT NOT NULL, name TEXT NOT NULL, made_by TEXT NOT NULL,
  version INTEGER NOT NULL, seen INTEGER NOT NULL, UNIQUE (stream, name)
);
CREATE TABLE remembered (
  memory INTEGER NOT NULL, key BLOB NOT NULL, seen INTEGER NOT NULL, numbers BLOB NOT NULL, PRIMARY KEY (memory, key)
) WITHOUT ROWID;
UPDATE meta SET value = '2';
INSERT INTO memories VALUES (1, 'web', 'gap', 'gap of a kind', 1, 1);
INSERT INTO remembered VALUES (1, x'61', 1, x'000000000000f03f');
"""


def sql(file: Path, *statements: str) -> None:
    """Write to a ledger behind its back."""
    connection = sqlite3.connect(file)
    for statement in statements:
        connection.executescript(statement)
    connection.close()


def tables(file: Path) -> list[str]:
    connection = sqlite3.connect(file)
    found = [str(row[0]) for row in connection.execute("SELECT sql FROM sqlite_master WHERE sql != '' ORDER BY name")]
    connection.close()
    return found


# -- versions --------------------------------------------------------------------------------------------------


def brought_to(file: Path, version: int) -> None:
    """Do what the program of that version did with an older file."""
    connection = sqlite3.connect(file)
    seals.install(connection)
    schema.migrate(connection, version)
    connection.close()


@pytest.mark.parametrize(("text", "version"), [(VERSION_1, 1), (VERSION_2, 2), (VERSION_2, 3), (VERSION_2, 4)])
def test_a_ledger_of_every_older_version_is_taken_over(tmp_path: Path, text: str, version: int) -> None:
    sql(tmp_path / NAME, text)
    brought_to(tmp_path / NAME, version)

    with Ledger.open(tmp_path) as ledger:
        (state,) = ledger.resume("web")
        assert (state.origin.epoch, state.offset, state.tail_bytes) == (2, 700, 256)
        assert (state.origin.inode, state.origin.path) == (2**64 - 1, "/var/log/\udcff")
        assert ledger.counts("web") == Counts(read=70, scored=69, unparsed=1, bytes=700)
        assert [seq for seq, _ in ledger.pending("ops")] == [2]
        account = ledger.account("web")
        assert (account.counts, account.ranges) == (account.settled, [])
        ledger.commit([Outcome("web", (position(710, epoch=2),), Counts(read=1, scored=1, bytes=10))])
        ledger.commit([remember({"b": [2.0]})])
        assert remembered(ledger) == [("a", [1.0])] * (version > 1) + [("b", [2.0])]

    Ledger.open(tmp_path / "fresh").close()
    assert tables(tmp_path / NAME) == tables(tmp_path / "fresh" / NAME)


def test_the_text_that_older_versions_kept_of_files_is_gone_once_a_ledger_is_taken_over(tmp_path: Path) -> None:
    head = b"user=alice password=hunter2\nuser=bob password=swordfish"
    sql(tmp_path / NAME, VERSION_2.replace("x'68'", f"x'{head.hex()}'"))
    brought_to(tmp_path / NAME, 4)
    assert b"hunter2" in (tmp_path / NAME).read_bytes()

    with Ledger.open(tmp_path) as ledger:
        (state,) = ledger.resume("web")
        assert state.repeated(head) == state.head_bytes == len(head)
        assert not any(b"hunter2" in path.read_bytes() for path in tmp_path.glob(f"{NAME}*"))


def test_every_version_there_ever_was_is_tried_above() -> None:
    assert (min(schema.MIGRATIONS), max(schema.MIGRATIONS)) == (1, 4)
    assert schema.VERSION == 5


# -- flipped bits ----------------------------------------------------------------------------------------------


def content(ledger: Ledger) -> tuple[object, ...]:
    """All that decides what is read, counted and delivered."""
    places = [(state.origin, state.offset, state.marker) for state in ledger.resume("web")]
    waiting = [sequence for sequence, _ in ledger.pending("ops", limit=1_000)]
    return places, waiting, ledger.account("web"), ledger.counts("web")


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """The file of a ledger with something in every table."""
    with Ledger.open(tmp_path / "full") as ledger:
        ledger.register(["ops"])
        for n in range(1, 30):
            done = Outcome(
                "web", (position(10 * n, file_id=f"f{n % 4}"),), Counts(read=1, scored=1, bytes=10), [alert(n)]
            )
            ledger.commit([done, remember({f"k{n % 5}": [float(n)]})])
        ledger.acknowledge("ops", 20)
    return tmp_path / "full" / NAME


def test_no_flipped_bit_moves_a_place_or_ends_in_a_traceback(full: Path, tmp_path: Path) -> None:
    with Ledger.open(full.parent) as ledger:
        sound, expected = full.read_bytes(), content(ledger)
    chance = random.Random(11)
    state_dir, refused = tmp_path / "flipped", 0

    for _ in range(FLIPS):
        damaged = bytearray(sound)
        damaged[chance.randrange(len(sound))] ^= 1 << chance.randrange(8)
        state_dir.mkdir()
        (state_dir / NAME).write_bytes(damaged)
        try:
            with Ledger.open(state_dir) as ledger:
                assert content(ledger) == expected
        except AemonitorError:
            refused += 1
            assert any(path.read_bytes() == damaged for path in state_dir.glob(f"{NAME}*"))
        shutil.rmtree(state_dir)

    assert 50 < refused < FLIPS


def test_a_flipped_bit_in_what_is_remembered_ends_in_nothing_but_our_errors(full: Path) -> None:
    sound = full.read_bytes()
    for place in range(sound.index(b"gap of a kind") - 200, sound.index(b"gap of a kind") + 200):
        full.write_bytes(sound[:place] + bytes([sound[place] ^ 0x10]) + sound[place + 1 :])
        try:
            with Ledger.open(full.parent) as ledger:
                for memory in ledger.memories("web").values():
                    memory.state()
        except AemonitorError:
            for kept in full.parent.glob("*.corrupt-*"):
                kept.unlink()


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("files", "offset = offset + 1"), ("files", "stream = 'wec'"), ("counters", "value = value + 1"),
        ("cursors", "seq = seq + 1"), ("ranges", "read = read + 1"), ("ranges", "stop = stop + 1"),
    ],
)  # fmt: skip
def test_a_number_changed_behind_the_ledgers_back_is_damage(full: Path, table: str, change: str) -> None:
    sql(full, f"UPDATE {table} SET {change}")

    with pytest.raises(StateError, match=rf"a row of its table {table} is not as it was committed\). It was kept as"):
        Ledger.open(full.parent)


# -- policy ----------------------------------------------------------------------------------------------------


def damage(file: Path, kind: str) -> None:
    match kind:
        case "empty":
            file.write_bytes(b"")
        case "zeros":
            file.write_bytes(bytes(file.stat().st_size))
        case "cut":
            file.write_bytes(file.read_bytes()[:5_000])
        case _:
            sql(file, "UPDATE files SET offset = offset + 1")


@pytest.mark.parametrize("kind", ["empty", "zeros", "cut", "row"])
@pytest.mark.parametrize("begin", ["beginning", "end"])
def test_who_asked_for_it_begins_anew_and_the_evidence_is_kept(full: Path, kind: str, begin: str) -> None:
    damage(full, kind)
    damaged = full.read_bytes()
    told: list[AemonitorError] = []
    recovery = Recovery("end" if begin == "end" else "beginning", ("web",), told.append)

    with Ledger.open(full.parent, clock=ManualClock(), recovery=recovery) as ledger:
        assert ledger.resume("web") == []
        assert (ledger.begin("web"), ledger.begin("new")) == (begin, None)
    assert "is damaged" in str(told[0])

    with Ledger.open(full.parent) as ledger:  # and a crash before the first commit changes nothing
        assert ledger.begin("web") == begin
    assert (full.parent / f"{NAME}.corrupt-20231114T221320Z").read_bytes() == damaged


def test_a_ledger_that_began_as_usual_says_nothing_of_where_to_begin(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, recovery=END) as ledger:
        assert ledger.begin("web") is None


@pytest.mark.parametrize("note", ["{", "[]", '{"begin": "middle", "streams": ["web"]}'])
def test_a_damaged_note_is_refused(full: Path, note: str) -> None:
    damage(full, "empty")
    Ledger.open(full.parent, recovery=END).close()
    sql(full, f"UPDATE meta SET value = '{note}' WHERE name = 'after_damage'")

    with Ledger.open(full.parent) as ledger, pytest.raises(StateError, match="note on how it began is damaged"):
        ledger.begin("web")


def test_damage_twice_within_a_second_keeps_both(full: Path) -> None:
    clock = ManualClock()
    for _ in range(2):
        damage(full, "empty")
        Ledger.open(full.parent, clock=clock, recovery=END).close()

    assert len(list(full.parent.glob("*.corrupt-*"))) == 2


def test_a_missing_ledger_beside_a_damaged_one_is_not_a_first_start(full: Path) -> None:
    full.rename(full.with_name(f"{NAME}.corrupt-20231114T221320Z"))

    with pytest.raises(StateError, match="there is no ledger, but a damaged one"):
        Ledger.open(full.parent)
    with Ledger.open(full.parent, recovery=END) as ledger:
        assert ledger.begin("web") == "end"


@pytest.fixture
def owned_by_root() -> Iterator[Path]:
    if os.geteuid():
        pytest.skip("needs root, to make what another user may not write")
    with tempfile.TemporaryDirectory() as name:  # pytest's own directories are hidden from other users
        state = Path(name)
        Ledger.open(state).close()
        state.chmod(0o777)
        (state / "lock").chmod(0o666)
        yield state


@pytest.mark.parametrize("mode", [0o444, 0o000])
def test_a_ledger_that_may_not_be_written_is_left_as_it_is(owned_by_root: Path, mode: int) -> None:
    (owned_by_root / NAME).chmod(mode)
    before = (owned_by_root / NAME).read_bytes()
    os.seteuid(65534)
    try:
        with pytest.raises(LedgerUnavailableError, match=r"READONLY|CANTOPEN"):
            Ledger.open(owned_by_root, recovery=END)
    finally:
        os.seteuid(0)

    assert (owned_by_root / NAME).read_bytes() == before


def test_the_seal_of_a_row_is_that_of_the_migration(full: Path) -> None:
    connection = sqlite3.connect(full)
    seals.install(connection)
    before = connection.execute("SELECT seal FROM files").fetchall()
    connection.execute(seals.reseal("files"))
    after = connection.execute("SELECT seal FROM files").fetchall()
    connection.close()

    assert before == after
