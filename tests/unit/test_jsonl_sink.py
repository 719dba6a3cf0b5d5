"""Every alert is in the file exactly once, whatever happens to the file, the disk or this program."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from monitor.core.errors import CannotCreateError, PermissionDeniedError, UnavailableError
from monitor.core.protocols import Sink
from monitor.sinks import jsonl

ALERTS = [b'{"id":"%d","text":"%s"}' % (number, b"x" * (10 * number)) for number in range(8)]


def text(*alerts: bytes) -> bytes:
    return b"".join(alert + b"\n" for alert in alerts)


def opened(path: Path, *, sync: bool = True) -> Sink:
    return jsonl.build(jsonl.Config(path=str(path), sync=sync))


def deliver(path: Path, alerts: Sequence[bytes], *, sync: bool = True) -> None:
    sink = opened(path, sync=sync)
    try:
        sink.send(alerts)
    finally:
        sink.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alerts.jsonl"


# -- writing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sync", [True, False])
def test_alerts_stand_in_the_file_when_send_returns(path: Path, *, sync: bool) -> None:
    sink = opened(path, sync=sync)

    sink.send(ALERTS[:2])
    first = path.read_bytes()
    sink.send(ALERTS[2:])

    assert first == text(*ALERTS[:2])
    assert path.read_bytes() == text(*ALERTS)
    sink.close()


def test_the_file_is_made_for_its_owner_and_group(path: Path) -> None:
    before = os.umask(0)
    try:
        deliver(path, ALERTS)
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_closed_sink_opens_again(path: Path) -> None:
    sink = opened(path)
    sink.send(ALERTS[:1])
    sink.close()

    sink.send(ALERTS[1:])

    sink.close()
    assert path.read_bytes() == text(*ALERTS)


def test_what_is_in_the_file_stays(path: Path) -> None:
    path.write_bytes(b'{"id":"older"}\n')

    deliver(path, ALERTS)

    assert path.read_bytes() == b'{"id":"older"}\n' + text(*ALERTS)


# -- unusable paths --------------------------------------------------------------------------------------------


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        CannotCreateError,
        match=r"/nowhere/a\.jsonl: the directory .*/nowhere does not exist; create it or change `path`",
    ):
        opened(tmp_path / "nowhere" / "a.jsonl")


def test_a_directory_a_device_and_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(CannotCreateError, match="Is a directory"):
        opened(tmp_path)
    for special in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(
            CannotCreateError, match="is not a regular file; alerts go to a file, or to standard output"
        ):
            opened(special)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_forbidden_path_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(PermissionDeniedError, match="may not be written; change its owner or mode"):
        opened(tmp_path / "a.jsonl")


def test_a_path_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(CannotCreateError, match="cannot open: embedded null byte"):
        opened(Path("a\0b"))
    with pytest.raises(ValidationError, match="at least 1 character"):
        jsonl.Config(path="")


def test_a_directory_that_vanishes_is_waited_for(tmp_path: Path) -> None:
    place = tmp_path / "logs" / "a.jsonl"
    place.parent.mkdir()
    sink = opened(place)
    sink.send(ALERTS[:1])
    shutil.rmtree(place.parent)

    with pytest.raises(UnavailableError, match="does not exist"):
        sink.send(ALERTS[1:])
    place.parent.mkdir()
    sink.send(ALERTS[1:])

    sink.close()
    assert place.read_bytes() == text(*ALERTS[1:])


def test_two_writers_of_one_file_are_told_apart(path: Path) -> None:
    first, second = opened(path), opened(path)
    first.send(ALERTS[:1])

    with pytest.raises(UnavailableError, match="another process writes alerts to it; give each its own file"):
        second.send(ALERTS[1:])
    first.close()
    second.send(ALERTS[1:])

    second.close()
    assert path.read_bytes() == text(*ALERTS)


def test_a_refused_lock_leaks_no_descriptor(path: Path) -> None:
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        sink = opened(path)
        before = len(list(Path("/proc/self/fd").iterdir()))

        for _ in range(3):
            with pytest.raises(UnavailableError, match="another process"):
                sink.send(ALERTS)

        assert len(list(Path("/proc/self/fd").iterdir())) == before
    sink.close()


# -- rotation --------------------------------------------------------------------------------------------------


def test_after_a_rename_a_new_file_is_begun(path: Path) -> None:
    sink = opened(path)
    sink.send(ALERTS[:3])
    path.rename(path.with_suffix(".1"))

    sink.send(ALERTS[3:])

    sink.close()
    assert path.with_suffix(".1").read_bytes() == text(*ALERTS[:3])
    assert path.read_bytes() == text(*ALERTS[3:])


def test_a_replaced_file_is_followed(path: Path) -> None:
    sink = opened(path)
    sink.send(ALERTS[:3])
    path.rename(path.with_suffix(".1"))
    path.touch()

    sink.send(ALERTS[3:5])
    sink.send(ALERTS[5:])

    sink.close()
    assert path.read_bytes() == text(*ALERTS[3:])


def test_a_file_deleted_while_it_is_written_to_is_written_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.fdatasync

    def delete_then_sync(fd: int) -> None:
        path.unlink(missing_ok=True)
        monkeypatch.setattr(os, "fdatasync", really)
        really(fd)

    sink = opened(path)
    monkeypatch.setattr(os, "fdatasync", delete_then_sync)

    sink.send(ALERTS)

    sink.close()
    assert path.read_bytes() == text(*ALERTS)


@pytest.mark.parametrize("way", ["create 0640", "copytruncate", "nocreate", "create\n  compress", "create\n  dateext"])
def test_the_real_logrotate_leaves_every_alert_in_exactly_one_file(path: Path, way: str) -> None:
    logrotate = shutil.which("logrotate", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if logrotate is None:
        pytest.skip("logrotate is not installed")
    directory = path.parent
    owner = "  su root root\n" if os.geteuid() == 0 else ""
    configuration = directory / "rotate.conf"
    extension = "  dateformat -%Y%m%d-%s\n" if "dateext" in way else ""
    configuration.write_text(f"{path} {{\n{owner}  rotate 50\n  size 1\n  {way}\n{extension}}}\n")
    configuration.chmod(0o600)
    directory.chmod(0o700)
    rounds = 2 if "dateext" in way else 6
    alerts = [b'{"id":"%d"}' % number for number in range(10 * rounds)]

    sink = opened(path)
    for number in range(rounds):
        for alert in alerts[10 * number : 10 * (number + 1)]:
            sink.send([alert])
        if number < rounds - 1:
            command = [logrotate, "-f", "-s", str(directory / "state"), str(configuration)]
            subprocess.run(command, check=True, capture_output=True)
    sink.close()

    files = sorted(directory.glob("alerts.jsonl*"))
    contents = [_uncompressed(file) for file in files]
    assert len(files) == rounds
    assert sorted(line for content in contents for line in content.splitlines()) == sorted(alerts)
    assert path.read_bytes() == text(*alerts[-10:])


def _uncompressed(file: Path) -> bytes:
    if file.suffix != ".gz":
        return file.read_bytes()
    return subprocess.run(["gzip", "-dc", str(file)], check=True, capture_output=True).stdout


# -- standard output -------------------------------------------------------------------------------------------


def test_a_dash_is_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    sink = jsonl.build(jsonl.Config(path="-"))

    sink.send(ALERTS)
    sink.close()
    sink.close()

    assert capfd.readouterr().out.encode() == text(*ALERTS)


@pytest.fixture
def pipe_as_output(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    monkeypatch.setattr(jsonl, "STANDARD_OUTPUT", writer)
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError as error:
            assert error.errno == errno.EBADF  # noqa: PT017 - closed by the test itself


def test_a_reader_that_went_away_is_unavailable(pipe_as_output: tuple[int, int]) -> None:
    sink = jsonl.build(jsonl.Config(path="-"))
    os.close(pipe_as_output[0])

    with pytest.raises(UnavailableError, match="standard output: cannot write: Broken pipe") as caught:
        sink.send(ALERTS)

    assert isinstance(caught.value.__cause__, BrokenPipeError)


def test_a_non_blocking_output_gets_everything(pipe_as_output: tuple[int, int]) -> None:
    reader, writer = pipe_as_output
    os.set_blocking(writer, False)
    alerts = [b'{"id":"%d","text":"%s"}' % (number, b"z" * 1000) for number in range(300)]
    collector = subprocess.Popen(["cat"], stdin=reader, stdout=subprocess.PIPE)
    os.close(reader)
    assert collector.stdout is not None

    sink = jsonl.build(jsonl.Config(path="-"))
    with collector.stdout as out:
        received: list[bytes] = []
        thread = threading.Thread(target=lambda: received.append(out.read()))
        thread.start()
        sink.send(alerts)
        os.close(writer)
        thread.join()
    collector.wait()

    assert received == [text(*alerts)]
