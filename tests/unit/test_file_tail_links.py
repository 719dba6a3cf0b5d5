"""Logs behind links, as on every node of Kubernetes: files are rotated where the links lead to."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.support_files import Follower, joined, rename, write

FIRST, SECOND, THIRD, FOURTH = ([f"{name}-{number}".encode() for number in range(40)] for name in "abcd")


class Pod:
    """A log of a container, its link, and the daemon that follows the link."""

    def __init__(self, root: Path) -> None:
        self.log = root / "pods" / "shop_web-0" / "web" / "0.log"
        self.log.parent.mkdir(parents=True)
        (root / "containers").mkdir()
        (root / "containers" / "web.log").symlink_to(self.log)
        self.rotated: list[Path] = []
        write(self.log, joined(FIRST))
        self.tail = Follower(root / "containers" / "*.log")

    def rotate(self, lines: list[bytes]) -> None:
        """The file gets another name, and a new one its own."""
        self.rotated.append(self.log.with_name(f"0.log.20261123-10150{len(self.rotated)}"))
        rename(self.log, self.rotated[-1])
        write(self.log, joined(lines))

    def pack(self, rotated: Path) -> None:
        rotated.with_name(f"{rotated.name}.gz").write_bytes(gzip.compress(rotated.read_bytes()))
        rotated.unlink()


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def test_several_rotations_between_two_looks_lose_nothing(pod: Pod) -> None:
    pod.tail.step()

    for lines in (SECOND, THIRD, FOURTH):
        pod.rotate(lines)
    pod.tail.settle()

    assert pod.tail.lines == [*FIRST, *SECOND, *THIRD, *FOURTH]


def test_what_was_rotated_while_the_daemon_was_down_is_read_to_its_end(pod: Pod) -> None:
    pod.tail.step()
    pod.tail.stop()
    write(pod.log, joined(SECOND))
    pod.rotate(THIRD)
    pod.rotate(FOURTH)

    pod.tail.start()
    pod.tail.settle()

    assert pod.tail.lines == [*FIRST, *SECOND, *THIRD, *FOURTH]


def test_and_so_is_what_was_packed_meanwhile(pod: Pod) -> None:
    pod.tail.step()
    pod.tail.stop()
    write(pod.log, joined(SECOND))
    pod.rotate(THIRD)
    pod.rotate(FOURTH)
    pod.pack(pod.rotated[0])

    pod.tail.start()
    pod.tail.settle()

    assert sorted(pod.tail.lines) == sorted([*FIRST, *SECOND, *THIRD, *FOURTH])


def test_what_was_rotated_before_is_not_read_again(pod: Pod) -> None:
    pod.tail.step()
    pod.rotate(SECOND)
    pod.tail.settle()
    pod.tail.stop()

    pod.tail.start()
    pod.tail.settle()

    assert pod.tail.lines == [*FIRST, *SECOND]
