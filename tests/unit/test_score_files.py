"""What comes in as it arrives, and what goes out whole or not at all."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from monitor.app.offline import Arriving
from monitor.core.errors import CannotCreateError, PermissionDeniedError
from monitor.reporting.output_file import created, directory_for_results, make_directory


@pytest.fixture
def pipe() -> tuple[int, int]:
    return os.pipe()


def names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def write(path: Path, data: bytes, then: Exception | None = None) -> None:
    with created(path) as file:
        file.write(data)
        file.flush()
        if then:
            raise then


def close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def test_a_read_takes_what_is_there_and_does_not_wait_for_more(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"one\n")
    os.write(writer, b"two\n")

    assert Arriving(reader).read(1 << 20) == b"one\ntwo\n"
    close(reader, writer)


def test_a_read_takes_no_more_than_its_size_and_ends_with_the_pipe(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"abcdef")
    close(writer)
    arriving = Arriving(reader)

    assert [arriving.read(4), arriving.read(4), arriving.read(4)] == [b"abcd", b"ef", b""]
    close(reader)


def test_a_read_without_a_size_is_everything(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"abc")
    close(writer)

    assert Arriving(reader).read() == b"abc"
    close(reader)


def test_a_pipe_that_does_not_block_is_waited_for(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.set_blocking(reader, False)
    late = threading.Thread(target=os.write, args=(writer, b"late"))
    late.start()

    assert Arriving(reader).read(10) == b"late"
    late.join()
    close(reader, writer)


def test_a_fast_producer_is_read_in_blocks_of_the_size_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(3 << 20))
    with path.open("rb") as file:
        assert len(Arriving(file.fileno()).read(1 << 20)) == 1 << 20


def test_the_descriptor_stays_open_for_its_owner(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    del reader
    arriving = Arriving(pipe[0])
    arriving.close()

    os.fstat(pipe[0])
    close(pipe[0], writer)


# -- output ------------------------------------------------------------------------------------------------------


def test_a_file_replaces_the_older_one_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old")

    with created(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"

    assert path.read_text() == "new"
    assert names(tmp_path) == ["out"]


def test_a_failure_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old")

    with pytest.raises(KeyError):
        write(path, b"half", then=KeyError())

    assert path.read_text() == "old"
    assert names(tmp_path) == ["out"]


def test_a_new_file_has_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        with created(tmp_path / "out"):
            pass
    finally:
        os.umask(old)

    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o444, 0o666])
def test_a_file_that_replaces_another_has_its_rights_before_there_is_anything_in_it(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "out"
    path.touch()
    path.chmod(mode)

    with created(path):
        modes = {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}

    assert modes == {mode}
    assert path.stat().st_mode & 0o777 == mode


def test_the_name_is_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[bool, list[str]]] = []

    def fsync(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").resolve() == tmp_path, names(tmp_path)))

    monkeypatch.setattr(os, "fsync", fsync)
    write(tmp_path / "out", b"x")

    assert [directory for directory, _ in synced] == [False, True]
    assert synced[1][1] == ["out"]


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_of_two_that_make_one_new_file_at_once_only_one_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def unsupported(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")  # as on FAT

    if not links:
        monkeypatch.setattr(os, "link", unsupported)
    path = tmp_path / "out"

    def make_both() -> None:
        with created(path, replace=False) as second:
            second.write(b"second")
            with created(path, replace=False) as first:
                first.write(b"first")

    with pytest.raises(CannotCreateError, match="out exists; give another name with -o, or --force to replace it"):
        make_both()

    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["out"]


def test_a_file_that_exists_is_refused_before_the_work(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("precious")

    with pytest.raises(CannotCreateError, match="out exists; give another name"), created(path, replace=False):
        pytest.fail("the work was begun")

    assert path.read_text() == "precious"


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")

    with created(tmp_path / "link") as file:
        file.write(b"x")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"x"


def test_a_device_is_written_and_not_replaced() -> None:
    with created(Path("/dev/null")) as file:
        file.write(b"x")

    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing/out", "No such file or directory"), (".", "is a directory; name a file in it"), ("a" * 300, "too long")],
)
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(CannotCreateError, match=f"cannot be written: .*{reason}"):
        write(tmp_path / name, b"x")

    assert names(tmp_path) == []


def test_a_pipe_behind_a_descriptor_is_written_and_not_replaced(pipe: tuple[int, int]) -> None:
    write(Path(f"/dev/fd/{pipe[1]}"), b"x")

    assert os.read(pipe[0], 9) == b"x"
    close(*pipe)


def test_a_full_disk_is_told() -> None:
    with pytest.raises(CannotCreateError, match="/dev/full: cannot be written: No space"):
        write(Path("/dev/full"), b"x")


# -- directories -------------------------------------------------------------------------------------------------


def test_a_directory_is_made_with_those_above_it_and_may_be_there(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b")
    make_directory(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("file", "file: is not a directory; give another name"),
        ("file/below", "below: the directory cannot be made: Not a directory"),
        ("a" * 300, "the directory cannot be made: File name too long"),
    ],
)
def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(CannotCreateError, match=message):
        make_directory(tmp_path / name)


def test_a_directory_that_this_user_may_not_make_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)  # a mode would not stop root

    with pytest.raises(PermissionDeniedError, match="report: this user may not make the directory"):
        make_directory(tmp_path / "report")


def test_a_directory_made_for_results_that_never_came_is_gone_again(tmp_path: Path) -> None:
    with pytest.raises(KeyError), directory_for_results(tmp_path / "a" / "b"):
        raise KeyError

    assert names(tmp_path) == []


def make_and_fail(path: Path) -> None:
    path.touch()
    raise KeyError


def test_a_directory_that_was_there_or_holds_something_stays(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with pytest.raises(KeyError), directory_for_results(tmp_path / "old"):
        raise KeyError
    with pytest.raises(KeyError), directory_for_results(tmp_path / "new" / "part"):
        make_and_fail(tmp_path / "new" / "part" / "half")
    with directory_for_results(tmp_path / "empty"):
        pass

    assert sorted(names(tmp_path)) == ["empty", "new", "old"]
