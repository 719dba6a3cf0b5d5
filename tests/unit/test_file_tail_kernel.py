"""What comes from the kernel, none of it pretended: errors of single calls, other file systems below the files."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.support import need
from tests.loopback import loopback
from tests.support_files import joined, numbered, write
from tests.watching import REPOSITORY, said, watching

OLD, NEW = numbered(0, 200, "old"), numbered(1000, 20, "new")

# -- calls that fail -------------------------------------------------------------------------------------------

FAILING = [
    pytest.param("pread64", "ESTALE"),
    pytest.param("pread64", "EINTR"),
    pytest.param("openat", "EMFILE"),
    *(
        pytest.param(call, error, marks=pytest.mark.long)
        for call, errors in {
            "pread64": ["EIO"],
            "openat": ["ESTALE", "EACCES", "ENFILE", "EIO", "EINTR"],
            "newfstatat,fstat": ["ESTALE", "EIO", "EACCES", "ENOMEM"],
            "getdents64": ["EIO", "ESTALE", "ENOMEM"],
        }.items()
        for error in errors
    ),
]
"""Each fails four times, once the file was found; with EINTR the interpreter itself tries again."""


@pytest.mark.parametrize(("call", "error"), FAILING)
def test_a_call_that_fails_four_times_loses_and_repeats_nothing(tmp_path: Path, call: str, error: str) -> None:
    log = tmp_path / "a.log"
    write(log, joined(OLD))
    paths = ["-P", str(log), "-P", str(tmp_path)]
    strace = [need("strace"), "-f", "-qq", "-o", str(tmp_path / "trace"), *paths]
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when=2..5"]
    with watching(tmp_path / "*.log", len(OLD) + len(NEW), *strace, *inject) as process:
        assert said(process)[0] == "ready"
        write(log, joined(NEW))

        assert said(process)[1:] == [str(len(OLD) + len(NEW))] * 2
    assert (tmp_path / "trace").read_text().count("(INJECTED)") == 4


# -- other file systems ----------------------------------------------------------------------------------------

MOUNTS = {
    "tmpfs": "mount -t tmpfs none $0/seen",
    "bind": "mount --bind $0/upper $0/seen",
    "overlay": "mount -t overlay -o lowerdir=$0/lower,upperdir=$0/upper,workdir=$0/work none $0/seen",
}
SUITES = [f"tests/unit/test_file_tail{part}.py" for part in ("", "_copies", "_crashes", "_packed", "_limits", "_walk")]


def mounted(root: Path, kind: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a namespace of its own in which ``root/seen`` is such a mount."""
    for name in ("seen", "lower", "upper", "work"):
        (root / name).mkdir(exist_ok=True)
    alone = [need("unshare"), "--mount", *(["--user", "--map-root-user"] if os.getuid() else [])]
    within = [*alone, "sh", "-c", f'{MOUNTS[kind]} || exit 77; exec "$@"', str(root)]
    done = subprocess.run([*within, *command], capture_output=True, text=True, check=False, cwd=REPOSITORY)
    if done.returncode == 77:
        pytest.skip(f"this system does not mount {kind} for us: {done.stderr}")
    return done


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory with a short name, since sockets are made in it."""
    with tempfile.TemporaryDirectory(prefix="fs") as name:
        yield Path(name)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", MOUNTS)
def test_the_tests_of_the_source_pass_on_another_file_system(root: Path, kind: str) -> None:
    seen = root / "seen"
    suite = ["-p", "no:cacheprovider", "-m", "not long", "--timeout", "1500", "--basetemp", str(seen / "b"), *SUITES]

    done = mounted(root, kind, "env", f"TMPDIR={seen}", sys.executable, "-m", "pytest", *suite)

    print(done.stdout[-200:])
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("suites", [SUITES[:-1], SUITES[-1:]], ids=["tests", "walks"])
def test_the_tests_of_the_source_pass_on_a_file_system_in_user_space(root: Path, suites: list[str]) -> None:
    """But for one that keeps a ledger there: SQLite shares memory by the file system, which this one cannot."""
    (below := root / "below").mkdir()
    (seen := root / "seen").mkdir()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-m",
        "not long",
        "--timeout",
        "3500",
        "--basetemp",
        str(seen / "b"),
        "--deselect",
        f"{SUITES[2]}::test_the_ledger_keeps_the_places_that_were_passed_in_an_epoch",
        *suites,
    ]
    with loopback(below, seen):
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=REPOSITORY,
            env={**os.environ, "TMPDIR": str(seen)},
        )

    print(done.stdout[-200:])
    assert done.returncode == 0, done.stdout[-3000:]


FOLLOW = """
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from tests.support_files import Follower, joined, numbered, write
log = Path(sys.argv[1], "a.log")
tail = Follower(log)
tail.step()
for first in range(0, 300, 100):
    write(log, joined(numbered(first, 100, "late")))
    tail.settle()
    tail.crash()
tail.settle()
print(len(tail.lines), len(set(tail.lines)))
"""


def test_a_log_of_a_lower_layer_goes_on_when_it_is_first_written_to(tmp_path: Path) -> None:
    (tmp_path / "lower").mkdir()
    write(tmp_path / "lower" / "a.log", joined(OLD))

    done = mounted(tmp_path, "overlay", sys.executable, "-c", FOLLOW, str(tmp_path / "seen"))

    assert done.stdout.split() == [str(len(OLD) + 300)] * 2, done.stderr
    assert (tmp_path / "lower" / "a.log").read_bytes() == joined(OLD)
