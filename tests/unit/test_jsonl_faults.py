"""A full disk, a failing disk and a kill at any moment neither lose an alert nor write one twice."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.errors import UnavailableError
from monitor.sinks import jsonl
from tests.unit.test_jsonl_sink import ALERTS, deliver, opened, text


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alerts.jsonl"


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """The kernel writes up to this size and then refuses, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# -- a full disk -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [0, 1, len(ALERTS[0]), len(ALERTS[0]) + 1, 100])
def test_what_did_not_fit_is_taken_back_and_the_retry_repeats_nothing(path: Path, room: int) -> None:
    sink = opened(path)
    sink.send(ALERTS[:1])

    with (
        largest_file(len(text(ALERTS[0])) + room),
        pytest.raises(UnavailableError, match="cannot write: File too large"),
    ):
        sink.send(ALERTS[1:])
    in_between = path.read_bytes()
    sink.send(ALERTS[1:])

    sink.close()
    assert in_between == text(ALERTS[0])
    assert path.read_bytes() == text(*ALERTS)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_failed_sync_counts_as_not_written(path: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    def fail(_: int) -> None:
        raise OSError(error, os.strerror(error))

    sink = opened(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(UnavailableError, match=os.strerror(error)):
            sink.send(ALERTS)
    in_between = path.read_bytes()
    sink.send(ALERTS)

    sink.close()
    assert in_between == b""
    assert path.read_bytes() == text(*ALERTS)


def test_a_really_full_disk_recovers_by_itself(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("needs root to mount a small disk")
    try:
        sink = opened(disk / "a.jsonl")
        sink.send(ALERTS[:1])
        filler = disk / "filler"
        with pytest.raises(OSError, match="No space left"):
            filler.write_bytes(b"x" * 100_000)
        long_alert = b'{"id":"long","text":"%s"}' % (b"y" * 8000)

        with pytest.raises(UnavailableError, match="No space left on device"):
            sink.send([long_alert])
        filler.unlink()
        sink.send([long_alert])

        sink.close()
        assert (disk / "a.jsonl").read_bytes() == text(ALERTS[0], long_alert)
    finally:
        subprocess.run(["umount", disk], check=True)


# -- crashes ---------------------------------------------------------------------------------------------------


@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_a_crash_at_any_byte_leaves_every_alert_once(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """The file has what was written before the crash; the sender then repeats from any alert it is not sure of."""
    place = tmp_path_factory.mktemp("crash") / "a.jsonl"
    whole = text(*ALERTS)
    written = whole[: data.draw(st.integers(0, len(whole)), label="bytes written")]
    complete = written.count(b"\n")
    unsure = data.draw(st.integers(0, complete), label="first alert not acknowledged")
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=8, max_size=8), label="sizes of the batches")
    place.write_bytes(written)

    sink, start = opened(place, sync=False), unsure
    for size in sizes:
        sink.send(ALERTS[start : start + size])
        start += size

    sink.close()
    assert place.read_bytes() == whole


KILLED = """
import resource, signal, sys
from pathlib import Path
from monitor.sinks import jsonl
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the kernel kills whoever writes beyond the limit
path, limit = sys.argv[1], int(sys.argv[2])
sink = jsonl.build(jsonl.Config(path=path))
if limit >= 0:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sink.send([line.encode() for line in sys.argv[3:]])
import os
os.kill(os.getpid(), signal.SIGKILL)  # after the write and before anyone can acknowledge it
"""


@pytest.mark.parametrize(
    ("limit", "end"), [(30, signal.SIGXFSZ), (len(text(*ALERTS[:4])), signal.SIGXFSZ), (-1, signal.SIGKILL)]
)
def test_a_killed_sink_goes_on_without_losing_or_repeating(path: Path, limit: int, end: signal.Signals) -> None:
    command = [sys.executable, "-c", KILLED, str(path), str(limit), *(alert.decode() for alert in ALERTS)]

    killed = subprocess.run(command, check=False, capture_output=True)
    left = path.read_bytes()
    deliver(path, ALERTS)

    assert killed.returncode == -end, killed.stderr
    assert left == text(*ALERTS)[: limit if limit >= 0 else None]
    assert path.read_bytes() == text(*ALERTS)


def test_alerts_with_the_same_id_are_both_written(path: Path) -> None:
    firing, resolved = b'{"id":"1","state":"firing"}', b'{"id":"1","state":"resolved"}'
    deliver(path, [firing])

    deliver(path, [resolved])

    assert path.read_bytes() == text(firing, resolved)


def test_an_older_equal_line_is_no_reason_to_skip(path: Path) -> None:
    deliver(path, [ALERTS[0], ALERTS[1], ALERTS[2]])

    deliver(path, [ALERTS[0], ALERTS[3]])

    assert path.read_bytes() == text(*ALERTS[:3], ALERTS[0], ALERTS[3])


@pytest.mark.parametrize(
    ("torn", "left"),
    [
        (b'{"id":"torn', b""),
        (b'{"id":"torn"\0\0\0', b""),
        (b"\0" * 5000, b""),
        (b'{"id":"whole"}', b'{"id":"whole"}\n'),
        (b"not ours", b"not ours\n"),
        (b'{"id":"' + b"[" * 5000, b""),
        (b"[" * 5000, b"[" * 5000 + b"\n"),
    ],
)
def test_a_partial_last_line_never_merges_with_the_next(path: Path, torn: bytes, left: bytes) -> None:
    path.write_bytes(b'{"id":"older"}\n' + torn)

    deliver(path, ALERTS)

    assert path.read_bytes() == b'{"id":"older"}\n' + left + text(*ALERTS)


def test_a_foreign_file_without_newlines_is_ended_and_not_cut(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "LONGEST_TORN_BYTES", 1000)
    foreign = b"{" * 200_000
    path.write_bytes(foreign)

    deliver(path, ALERTS)

    assert path.read_bytes() == foreign + b"\n" + text(*ALERTS)


def test_a_large_file_is_read_only_at_its_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "REPLAY_BYTES", 300)
    older = text(*(b'{"id":"old%d"}' % number for number in range(1000)))
    path.write_bytes(older + text(*ALERTS[:3]))

    deliver(path, ALERTS)

    assert path.read_bytes() == older + text(*ALERTS)
