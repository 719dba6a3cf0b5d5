from __future__ import annotations

import gc
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from monitor.core.accounting import Counts, DeadLetter, Outcome, Position, tail_marker
from monitor.core.clock import ManualClock
from monitor.core.errors import (
    CannotCreateError,
    NoInputError,
    PermissionDeniedError,
    StateError,
    TryLaterError,
    UsageError,
)
from monitor.core.fingerprint import prefixes
from monitor.core.records import Mark, Origin
from monitor.ledger import Ledger, LedgerUnavailableError, ProgressError, Retention, schema, seals
from monitor.ledger.history import MAX_DEAD_LETTER_BYTES, MAX_DEAD_LETTERS, MAX_TEXT_BYTES
from tests.support_files import alert, position, remember, remembered

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: ManualClock) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "state", clock=clock) as opened:
        yield opened


def outcome(offset: int, *numbers: int, stream: str = "web", read: int = 1) -> Outcome:
    alerts = [alert(number, stream) for number in numbers]
    return Outcome(stream, (position(offset),), Counts(read=read, scored=read, alerts=len(numbers)), alerts)


def ids(bodies: list[bytes]) -> list[int]:
    return [int(msgspec.json.decode(body)["id"], 16) for body in bodies]


# -- opening ---------------------------------------------------------------------------------------------------


def test_the_directory_and_the_file_are_for_the_owner_alone(tmp_path: Path) -> None:
    state_dir = tmp_path / "a" / "state"

    Ledger.open(state_dir).close()

    assert state_dir.stat().st_mode & 0o777 == 0o700
    assert (state_dir / "ledger.sqlite3").stat().st_mode & 0o777 == 0o600


def test_a_file_in_the_way_of_the_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")

    with pytest.raises(CannotCreateError, match=r"cannot create state_dir .*state: File exists"):
        Ledger.open(tmp_path / "state")


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's rights for a while; a process of its own might not be allowed to run this interpreter."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_directory_that_cannot_be_written_is_a_permission_error() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own directories are hidden from other users
        closed = Path(name)
        closed.chmod(0o555)
        with as_nobody():
            with pytest.raises(PermissionDeniedError, match=f"may not write in state_dir {closed}: Permission denied"):
                Ledger.open(closed)
            with pytest.raises(PermissionDeniedError, match=f"cannot create state_dir {closed}/sub: Permission denied"):
                Ledger.open(closed / "sub")


def test_a_second_holder_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    with (
        Ledger.open(tmp_path),
        pytest.raises(TryLaterError, match=rf"{tmp_path} is in use by process {os.getpid()}; stop it first"),
    ):
        Ledger.open(tmp_path)


HOLDER = """
import sys
from pathlib import Path
from monitor.ledger import Ledger

ledger = Ledger.open(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    with holder:
        assert holder.stdout.readline() == b"ready\n"
        with pytest.raises(TryLaterError, match=f"process {holder.pid};"):
            Ledger.open(tmp_path)
        holder.kill()

    Ledger.open(tmp_path).close()


def test_the_lock_is_free_again_after_close_and_close_may_be_repeated(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path)

    ledger.close()
    ledger.close()

    Ledger.open(tmp_path).close()


def test_the_lock_is_free_again_after_a_failed_open(tmp_path: Path) -> None:
    Ledger.open(tmp_path).close()
    (tmp_path / "ledger.sqlite3").write_bytes(b"garbage" * 1000)
    with pytest.raises(StateError):
        Ledger.open(tmp_path)
    for damaged in tmp_path.glob("*.corrupt-*"):
        damaged.unlink()

    Ledger.open(tmp_path).close()


# -- reading beside a writer -----------------------------------------------------------------------------------


def test_a_reader_works_beside_the_writer_and_sees_new_commits(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as writer, Ledger.open(tmp_path, read_only=True) as reader:
        writer.commit([outcome(10, 1)])
        assert ids(reader.alerts()) == [1]
        writer.commit([outcome(20, 2)])
        assert ids(reader.alerts()) == [2, 1]


def test_a_reader_without_a_ledger_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(NoInputError, match=r"there is no ledger at .*: has a daemon run with this state_dir"):
        Ledger.open(tmp_path, read_only=True)

    assert not list(tmp_path.iterdir())


def test_a_reader_does_not_put_a_damaged_ledger_aside(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(b"garbage" * 1000)

    with pytest.raises(StateError, match="cannot be trusted"):
        Ledger.open(tmp_path, read_only=True)

    assert [p.name for p in tmp_path.iterdir()] == ["ledger.sqlite3"]


@pytest.mark.parametrize(
    ("directory", "file", "message"),
    [
        (0o000, 0o644, r"may not read .*ledger\.sqlite3: Permission denied"),
        (0o755, 0o000, r"may not read .*ledger\.sqlite3; run this as the daemon's user"),
        (0o555, 0o644, r"may not read .*ledger\.sqlite3: while no daemon runs, that takes the right to write in /"),
    ],
)
def test_a_reader_without_rights_is_told_so(directory: int, file: int, message: str) -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own directories are hidden from other users
        state = Path(name)
        Ledger.open(state).close()
        (state / "ledger.sqlite3").chmod(file)
        state.chmod(directory)

        with as_nobody(), pytest.raises(PermissionDeniedError, match=message):
            Ledger.open(state, read_only=True)


def test_a_reader_beside_a_writer_whose_files_are_closed_to_it_is_told_so() -> None:
    with tempfile.TemporaryDirectory() as name:
        state = Path(name)
        with Ledger.open(state):
            state.chmod(0o755)
            (state / "ledger.sqlite3").chmod(0o644)
            (state / "ledger.sqlite3-wal").chmod(0)

            with as_nobody(), pytest.raises(PermissionDeniedError, match=r"may not read .*-wal; run this as"):
                Ledger.open(state, read_only=True)


def test_a_reader_may_not_write(tmp_path: Path) -> None:
    Ledger.open(tmp_path).close()

    with Ledger.open(tmp_path, read_only=True) as reader, pytest.raises(LedgerUnavailableError, match="READONLY"):
        reader.commit([outcome(10)])


# -- damage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, bytes(8192)], ids=["empty", "garbage", "zeros"])
def test_a_damaged_ledger_is_kept_and_never_replaced_silently(
    tmp_path: Path, clock: ManualClock, content: bytes
) -> None:
    Ledger.open(tmp_path).close()
    (tmp_path / "ledger.sqlite3").write_bytes(content)

    with pytest.raises(StateError, match=r"is damaged .* It was kept as .*ledger\.sqlite3\.corrupt-20231114T221320Z\."):
        Ledger.open(tmp_path, clock=clock)
    with pytest.raises(StateError, match=r"there is no ledger, but a damaged one: .*move the damaged file away"):
        Ledger.open(tmp_path, clock=clock)

    assert (tmp_path / "ledger.sqlite3.corrupt-20231114T221320Z").read_bytes() == content


def test_the_way_out_of_damage_is_what_the_message_says(tmp_path: Path, clock: ManualClock) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.commit([outcome(10, 1)])
    backup = (tmp_path / "ledger.sqlite3").read_bytes()
    (tmp_path / "ledger.sqlite3").write_bytes(backup[:5000])
    with pytest.raises(StateError):
        Ledger.open(tmp_path, clock=clock)

    (tmp_path / "ledger.sqlite3").write_bytes(backup)

    with Ledger.open(tmp_path) as ledger:
        assert ledger.resume("web")[0].offset == 10


def test_damage_deep_in_the_file_is_found_at_the_start(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.commit([outcome(1, *range(1, 400))])
    file = tmp_path / "ledger.sqlite3"
    content = bytearray(file.read_bytes())
    page = content.index(b"alert 200") // 4096
    content[page * 4096 : page * 4096 + 8] = b"\xff" * 8
    file.write_bytes(content)

    with pytest.raises(StateError, match="is damaged"):
        Ledger.open(tmp_path)


def test_a_foreign_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "ledger.sqlite3")
    connection.execute("CREATE TABLE x (y)")
    connection.close()

    with pytest.raises(StateError, match="a database but not a ledger"):
        Ledger.open(tmp_path)

    assert (tmp_path / "ledger.sqlite3").exists()


def test_a_ledger_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    Ledger.open(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "ledger.sqlite3")
    connection.execute("UPDATE meta SET value = '99'")
    connection.commit()
    connection.close()

    with pytest.raises(StateError, match="schema version 99, this program knows up to 5: install the newer program"):
        Ledger.open(tmp_path)
    with pytest.raises(StateError, match="schema version 99, this program reads 5"):
        Ledger.open(tmp_path, read_only=True)


def test_migration_goes_forward_one_version_at_a_time() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(connection, version=1)

    schema.migrate(connection, 3, {1: "CREATE TABLE one (x)", 2: "ALTER TABLE one ADD COLUMN y"})

    assert schema.stored_version(connection) == 3
    assert [row[1] for row in connection.execute("PRAGMA table_info(one)")] == ["x", "y"]
    connection.close()


def test_a_migration_that_fails_leaves_the_version_before_it() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(connection, version=1)

    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(connection, 3, {1: "CREATE TABLE one (x)", 2: "CREATE TABLE two (x); NONSENSE"})

    connection.execute("ROLLBACK")
    assert schema.stored_version(connection) == 2
    assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'two'").fetchall()
    connection.close()


def test_progress_no_commit_could_have_written_is_refused(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.commit([outcome(10)])
    for column, value in (("offset", -1), ("tail_bytes", 257), ("inode", "x"), ("head", 5)):
        copy = tmp_path / column
        shutil.copytree(tmp_path, copy, ignore=lambda _, names: [n for n in names if n != "ledger.sqlite3"])
        connection = sqlite3.connect(copy / "ledger.sqlite3")
        connection.create_function("seal", -1, seals.seal)  # sealed as if the program itself had written it
        connection.execute(f"UPDATE files SET {column} = ?", (value,))
        connection.execute(seals.reseal("files"))
        connection.commit()
        connection.close()

        with Ledger.open(copy) as ledger, pytest.raises(StateError, match="progress of stream web is damaged"):
            ledger.resume("web")


# -- commit ----------------------------------------------------------------------------------------------------


def test_progress_comes_back_with_its_evidence(tmp_path: Path, clock: ManualClock) -> None:
    origin = Origin("id", 3, "/var/log/\udcff.log", 2**63 + 5, 2**64 - 1, b"\x00head")
    tail = bytes(range(256)) * 2
    with Ledger.open(tmp_path, clock=clock) as ledger:
        ledger.commit([Outcome("web", (position(5, file_id="other"),), Counts())])
        clock.advance(1)
        ledger.commit([Outcome("web", (type(position(0))(origin, 7, tail),), Counts())])

    with Ledger.open(tmp_path) as ledger:
        other, state = ledger.resume("web")

    assert other.origin.file_id == "other"
    assert state.origin == replace(origin, head=b"")
    assert state.prefixes == prefixes(origin.head)
    assert (state.offset, state.marker, state.tail_bytes) == (7, tail_marker(tail), 256)
    assert state.committed_at == clock.now()


def written(directory: Path) -> bytes:
    """All that stands in the files of a ledger."""
    return b"".join(path.read_bytes() for path in sorted(directory.glob("ledger.sqlite3*")))


def test_nothing_of_the_text_of_a_log_stands_in_the_progress_of_it(tmp_path: Path) -> None:
    head = b"user=alice password=hunter2\nuser=bob password=swordfish\n"
    with Ledger.open(tmp_path) as ledger:
        ledger.commit(
            [Outcome("web", (Position(Origin("f", 0, "/var/log/x", 1, 2, head), len(head), head),), Counts())]
        )
        (state,) = ledger.resume("web")

        assert state.head_bytes == len(head)
        assert not [word for word in head.split() if word in written(tmp_path)]


def test_what_is_known_of_the_head_of_a_file_stays_known_where_a_position_says_nothing_of_it(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.commit([outcome(5)])
        (before,) = ledger.resume("web")
        ledger.commit([Outcome("web", (Position(before.origin, 9, b"x"),), Counts())])
        (state,) = ledger.resume("web")

    assert state.offset == 9
    assert state.prefixes == before.prefixes == prefixes(b"head")


def test_a_head_that_grows_is_known_as_it_grew(tmp_path: Path) -> None:
    heads = [b"one\n", b"one\ntwo\n", b"one\ntwo\nthree"]
    with Ledger.open(tmp_path) as ledger:
        for offset, head in enumerate(heads, start=1):
            ledger.commit([Outcome("web", (Position(Origin("f", 0, "/x", 1, 2, head), offset, head),), Counts())])
            (state,) = ledger.resume("web")

            assert state.prefixes == prefixes(head)


def test_nothing_is_kept_in_memory_of_files_that_were_rotated_away(tmp_path: Path) -> None:
    def rotate(ledger: Ledger, number: int) -> None:
        head = b"".join(b'{"seq": %d, "level": 20.0}\n' % (32 * number + line) for line in range(32))
        place = Position(Origin(f"file-{number}", 0, "/var/log/x", 1, number, head), len(head), head)
        ledger.commit([Outcome("web", (place,), Counts())])

    with Ledger.open(tmp_path) as ledger:
        rotate(ledger, 0)
        gc.collect()
        tracemalloc.start()
        try:
            for number in range(1, 200):
                rotate(ledger, number)
            gc.collect()
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert kept < 200_000  # a thousand bytes a file


def test_places_within_what_was_read_at_first_are_known_as_far_as_it_is_committed(tmp_path: Path) -> None:
    early = tuple(Mark(place, tail_marker(bytes([place % 251])), 1) for place in (1_280, 2_560, 5_120))
    origin = Origin("f", 0, "/var/log/x", 1, 2, b"head", early)
    with Ledger.open(tmp_path) as ledger:
        for offset in (0, 4_000, 9_000):
            ledger.commit([Outcome("web", (Position(origin, offset, b"x" * min(offset, 256)),), Counts())])
        (state,) = ledger.resume("web")

    assert [mark.offset for mark in state.marks] == [1_280, 2_560, 4_000]
    assert state.marks[:2] == early[:2]


def test_counts_add_up_by_stream_and_survive(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.commit([outcome(1, read=5), outcome(2, read=6), outcome(3, stream="db", read=7)])
        ledger.commit([Outcome("web", (), Counts(read=2, unparsed=1, filtered=1))])

    with Ledger.open(tmp_path) as ledger:
        assert ledger.counts("web") == Counts(read=13, scored=11, unparsed=1, filtered=1)
        assert ledger.counts("web").balanced
        assert ledger.counts("db").read == 7
        assert ledger.counts("none") == Counts()
        assert ledger.streams() == ["db", "web"]


@pytest.mark.parametrize(("epoch", "offset"), [(1, 9), (0, 100)])
def test_a_position_that_moves_back_stops_the_whole_commit(ledger: Ledger, epoch: int, offset: int) -> None:
    ledger.commit([Outcome("web", (position(10, epoch=1),), Counts(read=1))])

    with pytest.raises(ProgressError, match=f"would move back from epoch 1 offset 10 to epoch {epoch} offset {offset}"):
        ledger.commit([Outcome("web", (position(offset, epoch=epoch),), Counts(read=5), [alert(1)])])

    assert ledger.counts("web").read == 1
    assert ledger.alerts() == []


def test_one_bad_outcome_undoes_the_good_ones_before_it(ledger: Ledger) -> None:
    ledger.commit([outcome(10, 1)])

    with pytest.raises(ProgressError):
        ledger.commit([outcome(20, 2, 3), outcome(15, 4)])

    assert ledger.resume("web")[0].offset == 10
    assert ids(ledger.alerts()) == [1]
    assert ledger.counts("web").read == 1


def test_positions_within_one_batch_may_not_move_back_either(ledger: Ledger) -> None:
    with pytest.raises(ProgressError, match="from epoch 0 offset 20 to epoch 0 offset 10"):
        ledger.commit([Outcome("web", (position(20), position(10)), Counts())])

    assert ledger.resume("web") == []


def test_a_new_epoch_may_begin_before_the_old_offset(ledger: Ledger) -> None:
    ledger.commit([Outcome("web", (position(10),), Counts())])

    ledger.commit([Outcome("web", (position(3, epoch=1),), Counts())])

    (state,) = ledger.resume("web")
    assert (state.origin.epoch, state.offset) == (1, 3)


def test_the_same_place_may_be_committed_again(ledger: Ledger) -> None:
    ledger.commit([outcome(10)])

    ledger.commit([outcome(10)])

    assert ledger.resume("web")[0].offset == 10


def test_an_alert_committed_twice_is_delivered_once_and_counted(ledger: Ledger) -> None:
    ledger.commit([outcome(10, 1)])

    ledger.commit([outcome(20, 1, 2)])

    assert ids([body for _, body in ledger.pending("ops")]) == [1, 2]
    assert ledger.duplicate_alerts("web") == 1


def test_an_alert_that_fires_and_resolves_is_not_a_duplicate(ledger: Ledger) -> None:
    ledger.commit([outcome(10, 1)])

    ledger.commit([Outcome("web", (), Counts(), [alert(1, state="resolved")])])

    assert ledger.duplicate_alerts("web") == 0
    assert len(ledger.pending("ops")) == 2
    newest = ledger.alert(f"{1:032x}")
    assert newest is not None
    assert msgspec.json.decode(newest)["state"] == "resolved"


def test_a_file_name_that_is_not_unicode_does_not_stop_an_alert(ledger: Ledger) -> None:
    odd = msgspec.structs.replace(alert(1), summary="in /var/log/\udcff.log")

    ledger.commit([Outcome("web", (), Counts(), [odd])])

    assert msgspec.json.decode(ledger.alerts()[0])["summary"] == "in /var/log/���.log"


def test_a_fault_of_the_program_is_not_taken_for_a_full_disk(ledger: Ledger) -> None:
    broken = Outcome(None, (), Counts(read=1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    with pytest.raises(sqlite3.IntegrityError):
        ledger.commit([broken])

    ledger.commit([outcome(10)])


@pytest.mark.parametrize("seconds", [86_400, -86_400])
def test_a_clock_that_is_set_moves_no_place_and_forgets_nothing(
    ledger: Ledger, clock: ManualClock, seconds: float
) -> None:
    ledger.commit([outcome(10, 1)])
    clock.jump(seconds)
    ledger.commit([outcome(20, 2)])

    assert ledger.forget("web", ["f"]) == 0
    assert ledger.resume("web")[0].offset == 20
    assert ids([body for _, body in ledger.pending("ops")]) == [1, 2]
    assert ledger.oldest_pending_seconds("ops") >= 0


# -- a disk that is full ---------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount = tmp_path / "small"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"cannot mount a small tmpfs: {done.stderr.decode().strip()}")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def fill(ballast: Path) -> None:
    """Take every block that is left."""
    with suppress(OSError), ballast.open("wb", buffering=0) as stream:
        while stream.write(bytes(4096)):
            pass


def test_a_full_disk_commits_nothing_and_the_same_commit_works_later(small_disk: Path) -> None:
    with Ledger.open(small_disk) as ledger:
        ledger.commit([outcome(10, 1)])
        ballast = small_disk / "ballast"
        fill(ballast)
        large = Outcome("web", (position(20),), Counts(read=50, scored=50), [alert(n) for n in range(2, 400)])

        for _ in range(3):
            with pytest.raises(LedgerUnavailableError, match=r"SQLITE_FULL.*nothing is lost, it will be tried again"):
                ledger.commit([large])
        assert ledger.resume("web")[0].offset == 10
        assert ids(ledger.alerts()) == [1]
        ballast.unlink()
        ledger.commit([large])

        assert ledger.counts("web").read == 51
        assert len(ledger.pending("ops", limit=1000)) == 399


def test_closing_on_a_full_disk_loses_nothing(small_disk: Path) -> None:
    with Ledger.open(small_disk) as ledger:
        for number in range(0, 100, 25):
            ledger.commit([outcome(number, *range(number, number + 25))])
        fill(small_disk / "ballast")

    (small_disk / "ballast").unlink()
    with Ledger.open(small_disk) as ledger:
        assert ids(ledger.alerts()) == list(range(99, -1, -1))


def test_a_disk_full_from_the_start_is_said(small_disk: Path) -> None:
    fill(small_disk / "ballast")

    with pytest.raises(CannotCreateError, match=r"cannot make .*lock: No space left on device"):
        Ledger.open(small_disk)
    (small_disk / "ballast").unlink()

    Ledger.open(small_disk).close()


def test_a_lock_held_by_another_program_is_waited_for_and_then_reported(ledger: Ledger, tmp_path: Path) -> None:
    ledger._connection.execute("PRAGMA busy_timeout = 1")  # pyright: ignore[reportPrivateUsage]
    other = sqlite3.connect(tmp_path / "state" / "ledger.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(LedgerUnavailableError, match=r"cannot use .*ledger.sqlite3 now: .*SQLITE_BUSY"):
        ledger.commit([outcome(10, 1)])
    other.execute("ROLLBACK")
    other.close()
    ledger.commit([outcome(10, 1)])

    assert ids(ledger.alerts()) == [1]


# -- outbox ----------------------------------------------------------------------------------------------------


def test_each_sink_has_its_own_place(ledger: Ledger) -> None:
    ledger.commit([outcome(10, 1, 2, 3)])

    (first, _), (second, _) = ledger.pending("ops", limit=2)
    ledger.acknowledge("ops", second)
    ledger.acknowledge("ops", first)

    assert ids([body for _, body in ledger.pending("ops")]) == [3]
    assert ids([body for _, body in ledger.pending("journal")]) == [1, 2, 3]
    assert (ledger.pending_count("ops"), ledger.pending_count("journal")) == (1, 3)


def test_acknowledged_places_survive_a_restart(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.commit([outcome(10, 1, 2)])
        ledger.acknowledge("ops", ledger.pending("ops")[0][0])

    with Ledger.open(tmp_path) as ledger:
        assert ids([body for _, body in ledger.pending("ops")]) == [2]


def test_a_sink_gets_the_alerts_of_its_streams_alone(ledger: Ledger) -> None:
    ledger.commit([outcome(10, 1), outcome(20, 2, stream="db"), outcome(30, 3)])

    assert ids([body for _, body in ledger.pending("ops", ["db"])]) == [2]
    assert ids([body for _, body in ledger.pending("all", ["db", "web"])]) == [1, 2, 3]
    assert ledger.pending("none", []) == []


def test_alerts_of_other_streams_do_not_wait_for_a_sink(ledger: Ledger) -> None:
    ledger.commit([outcome(10, 1, 2)])
    assert ledger.pending_count("ops") == 2

    assert ledger.pending("ops", ["db"]) == []

    assert ledger.pending_count("ops") == 0


def test_a_sink_registered_for_the_first_time_begins_with_the_next_alert(ledger: Ledger) -> None:
    ledger.register(["old"])
    ledger.commit([outcome(10, 1)])

    ledger.register(["old", "new"])
    ledger.commit([outcome(20, 2)])

    assert ids([body for _, body in ledger.pending("old")]) == [1, 2]
    assert ids([body for _, body in ledger.pending("new")]) == [2]


def test_the_age_of_the_oldest_waiting_alert_is_known(ledger: Ledger, clock: ManualClock) -> None:
    assert ledger.outbox_state("ops") == (0, 0.0)
    ledger.commit([outcome(10, 1)])
    clock.advance(5)
    ledger.commit([outcome(20, 2)])
    clock.advance(1)

    assert ledger.outbox_state("ops") == (2, 6.0)
    clock.jump(-3600)
    assert ledger.oldest_pending_seconds("ops") == 0.0


def test_history_keeps_what_every_sink_has_up_to_its_limit(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, retention=Retention(max_alerts=10)) as ledger:
        ledger.register(["ops", "slow"])
        for number in range(1, 31):
            ledger.commit([outcome(number, number)])
            ledger.acknowledge("ops", number)

        assert len(ledger.alerts()) == 30  # `slow` still waits for all of them
        ledger.acknowledge("slow", 25)
        for number in range(31, 41):
            ledger.commit([outcome(number, number)])

        assert ids(ledger.alerts()) == list(range(40, 25, -1))
        ledger.register(["ops"])  # `slow` is no longer configured
        ledger.acknowledge("ops", 40)
        for number in range(41, 51):
            ledger.commit([outcome(number, number)])
        assert ids(ledger.alerts())[-1] == 41
        assert ledger.dropped_alerts("web") == 0


def test_a_sink_that_is_down_forever_cannot_fill_the_disk_and_the_loss_is_counted(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, retention=Retention(max_alerts=5, max_pending=20)) as ledger:
        ledger.register(["down"])
        for number in range(1, 51):
            ledger.commit([outcome(number, number)])

        assert ids([body for _, body in ledger.pending("down")]) == list(range(31, 51))
        assert ledger.dropped_alerts("web") == 30


def test_history_filters_by_stream_time_and_number(ledger: Ledger, clock: ManualClock) -> None:
    ledger.commit([outcome(10, 1), outcome(10, 2, stream="db")])
    clock.advance(60)
    ledger.commit([outcome(20, 3)])

    assert ids(ledger.alerts()) == [3, 2, 1]
    assert ids(ledger.alerts("web")) == [3, 1]
    assert ids(ledger.alerts(limit=1)) == [3]
    assert ids(ledger.alerts(since=clock.now() - 30)) == [3]


def test_an_alert_is_found_by_the_beginning_of_its_id(ledger: Ledger) -> None:
    ledger.commit([Outcome("web", (), Counts(), [alert(1, alert_id="abc1" * 8), alert(2, alert_id="abd2" * 8)])])

    found = ledger.alert("abc")

    assert found is not None
    assert msgspec.json.decode(found)["summary"] == "alert 1"
    assert ledger.alert("ff") is None
    assert ledger.alert("%") is None
    with pytest.raises(UsageError, match=r"several alerts begin with 'ab': abc1.*, abd2.*; give more of the id"):
        ledger.alert("ab")


# -- dead letters ----------------------------------------------------------------------------------------------


def letter(number: int, text: str = "bad") -> DeadLetter:
    return DeadLetter(Origin("f", 0, "/var/log/\udcff"), number, "not JSON", text)


def bury(ledger: Ledger, *letters: DeadLetter, stream: str = "web") -> None:
    ledger.commit([Outcome(stream, (), Counts(), dead_letters=letters)])


def test_dead_letters_come_back_newest_first(ledger: Ledger) -> None:
    bury(ledger, letter(1), letter(2))

    newest, older = ledger.dead_letters("web")

    assert (newest.offset, newest.reason, newest.text) == (2, "not JSON", "bad")
    assert newest.origin.path == "/var/log/\udcff"
    assert older.offset == 1
    assert ledger.dead_letters("db") == []


def test_dead_letters_are_a_ring_by_number_and_all_are_counted(ledger: Ledger) -> None:
    bury(ledger, letter(-1), stream="db")
    for start in range(0, 3000, 500):
        bury(ledger, *(letter(start + n) for n in range(500)))

    kept = [found.offset for found in ledger.dead_letters("web", limit=5000)]

    assert kept == list(range(2999, 2999 - MAX_DEAD_LETTERS, -1))
    assert ledger.dead_letter_count("web") == 3000
    assert len(ledger.dead_letters("db")) == 1


def test_dead_letters_are_a_ring_by_size_too(ledger: Ledger) -> None:
    bury(ledger, *(letter(n, "é" * 100_000) for n in range(400)))

    kept = ledger.dead_letters("web", limit=5000)

    assert kept[0].offset == 399
    assert all(len(found.text.encode()) <= MAX_TEXT_BYTES for found in kept)
    assert 200 < len(kept) < MAX_DEAD_LETTER_BYTES / MAX_TEXT_BYTES + 1


# -- retention of progress -------------------------------------------------------------------------------------


def test_progress_is_forgotten_only_when_named_and_old(ledger: Ledger, clock: ManualClock) -> None:
    ledger.commit([Outcome("web", (position(1, file_id="old"), position(1, file_id="kept")), Counts())])
    clock.advance(8 * 86400)
    ledger.commit([Outcome("web", (position(1, file_id="new"),), Counts())])

    forgotten = ledger.forget("web", ["old", "new", "unknown"])

    assert forgotten == 1
    assert [state.origin.file_id for state in ledger.resume("web")] == ["kept", "new"]


# -- threads and crashes ---------------------------------------------------------------------------------------


def test_a_committer_and_a_sender_work_side_by_side(ledger: Ledger) -> None:
    total, received = 300, list[int]()

    def send() -> None:
        while len(received) < total:
            for seq, body in ledger.pending("ops", ["web"], limit=7):
                received.extend(ids([body]))
                ledger.acknowledge("ops", seq)

    sender = threading.Thread(target=send)
    sender.start()
    for number in range(1, total + 1):
        ledger.commit([outcome(number, number)])
    sender.join(60)

    assert received == list(range(1, total + 1))


WRITER = """
import sys
from pathlib import Path
from monitor.core.accounting import Counts, MemoryChange, Outcome
from monitor.ledger import Ledger
from tests.support_files import alert, position, remember, remembered

ledger = Ledger.open(Path(sys.argv[1]))
states = ledger.resume("web")
offset = states[0].offset if states else 0
print("ready", flush=True)
while True:
    numbers = range(offset + 1, offset + 8)
    offset = numbers[-1]
    counts = Counts(read=7, scored=7, alerts=7)
    memories = [MemoryChange("gap", "", {str(n % 3): [n] for n in numbers[-3:]})]
    ledger.commit([Outcome("web", (position(offset),), counts, [alert(n) for n in numbers], memories=memories)])
"""


def test_kill_9_leaves_progress_counts_and_alerts_in_agreement(tmp_path: Path) -> None:
    dice = random.Random(7)
    before = 0
    for _ in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, cwd=REPOSITORY
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            wait_for_progress(tmp_path, beyond=before + dice.randrange(1, 300))
            writer.send_signal(signal.SIGKILL)
        with Ledger.open(tmp_path) as ledger:
            offset = ledger.resume("web")[0].offset
            committed = ids([body for _, body in ledger.pending("ops", limit=1_000_000)])
            assert committed == list(range(1, offset + 1))
            assert ledger.counts("web") == Counts(read=offset, scored=offset, alerts=offset)
            assert ledger.duplicate_alerts("web") == 0
            assert remembered(ledger) == [(str(n % 3), [n]) for n in range(offset - 2, offset + 1)]
        assert offset > before
        before = offset


def wait_for_progress(state_dir: Path, beyond: int) -> None:
    with Ledger.open(state_dir, read_only=True) as reader:
        while True:
            states = reader.resume("web")
            if states and states[0].offset >= beyond:
                return


def test_a_write_ahead_log_cut_at_any_place_gives_a_whole_earlier_state(tmp_path: Path) -> None:
    source = tmp_path / "source"
    with Ledger.open(source) as ledger:
        for number in range(1, 21):
            ledger.commit([outcome(number, number), remember({None: [number]})])
        shutil.copytree(source, tmp_path / "image")  # as a power cut would find it: the log is not yet merged
    whole = (tmp_path / "image" / "ledger.sqlite3-wal").read_bytes()
    seen = set[int]()
    for length in range(0, len(whole), 1024):
        copy = tmp_path / f"cut-{length}"
        copy.mkdir()
        shutil.copy(tmp_path / "image" / "ledger.sqlite3", copy)
        (copy / "ledger.sqlite3-wal").write_bytes(whole[:length])

        with Ledger.open(copy) as ledger:
            states = ledger.resume("web")
            offset = states[0].offset if states else 0
            assert sorted(ids(ledger.alerts())) == list(range(1, offset + 1))
            assert ledger.counts("web").read == offset
            assert not offset or remembered(ledger) == [(None, [offset])]
        seen.add(offset)
        shutil.rmtree(copy)

    assert seen >= set(range(20))
