"""A real systemd in a throw-away container over this machine's files: what is written there is gone with it.

systemd is never booted on the machine itself: it would empty its /tmp. Inside, /tmp is empty for the same reason.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.e2e.support import demand, need, wait_for

CONTROLLERS = [Path("/sys/fs/cgroup") / name for name in ("memory", "cpu", "cpuacct", "pids", "systemd")]
"""Of the first version of control groups: with groups of its own, limits work in a container, and two are not in each
other's way."""
NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd")
ENVIRONMENT = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8")
SYSTEM_PYTHON = "/usr/bin/python3"
SOURCE, PACKAGES = "/srv/aemonitor/source", "/srv/aemonitor/packages"


class Container:
    """A booted system; ``root`` is its file system as seen from here."""

    def __init__(self, root: Path, leader: int) -> None:
        self.root = root
        self.leader = leader

    def path(self, inside: str) -> Path:
        """Where an absolute path of the container is, seen from here."""
        return self.root / inside.lstrip("/")

    def write(self, inside: str, text: str) -> None:
        """Make a file with its directories."""
        self.path(inside).parent.mkdir(parents=True, exist_ok=True)
        self.path(inside).write_text(text)

    def run(self, *command: str, code: int | None = 0, seconds: float = 120) -> str:
        """Run a command to its end and give what it wrote; insist on the exit code, unless that is None."""
        done = subprocess.run(
            [*_entering(self.leader), *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        if code is not None and done.returncode != code:
            journal = self.run("journalctl", "--no-pager", "-n", "40", code=None)
            pytest.fail(f"{command}: exit {done.returncode}\n{done.stdout}\n{journal}")
        return done.stdout

    def started(self, *command: str) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        return subprocess.Popen([*_entering(self.leader), *command], stdout=subprocess.PIPE, text=True)

    def systemctl(self, *arguments: str, code: int | None = 0) -> str:
        """What systemctl says."""
        return self.run("systemctl", *arguments, code=code)

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.systemctl("show", "--value", "-p", name, unit).strip()

    def drop_in(self, unit: str, text: str) -> None:
        """Settings of an administrator for a unit."""
        self.write(f"/etc/systemd/system/{unit}.d/90-test.conf", text)
        self.systemctl("daemon-reload")

    def fetch(self, url: str) -> str:
        """The body of a page that a service of the container serves; empty while nobody answers."""
        program = "import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1], timeout=5).read().decode())"
        return self.run(SYSTEM_PYTHON, "-c", f"try:\n {program}\nexcept OSError: pass", url)

    def install_program(self, place: str) -> None:
        """A virtual environment of the system's interpreter, which a service can reach, with this project in it."""
        self.run(SYSTEM_PYTHON, "-m", "venv", "--without-pip", place)
        (packages,) = self.path(place).glob("lib/python3*/site-packages")
        (packages / "aemonitor.pth").write_text(f"{SOURCE}\n{PACKAGES}\n")
        program = self.path(place) / "bin" / "aemonitor"
        program.write_text(f"#!{place}/bin/python\nfrom monitor.cli import main\nmain()\n")
        program.chmod(0o755)


@contextmanager
def booted(name: str) -> Iterator[Container]:
    """A container, powered off at the end. Skips where there cannot be one; in CI that is a failure."""
    for program in ("systemd-nspawn", "nsenter"):
        need(program)
    demand(os.geteuid() == 0, "a container takes root")
    demand(_same_python(), f"{SYSTEM_PYTHON} is not the Python {sys.version_info[:2]} that the tests run with")
    with ExitStack() as stack:
        directory = Path(f"/run/aemonitor-test-{name}-{os.getpid()}")
        directory.mkdir()
        stack.callback(directory.rmdir)
        mount = ["mount", "-t", "tmpfs", "-o", "size=4G,mode=755", "tmpfs", str(directory)]
        demand(subprocess.run(mount, capture_output=True, check=False).returncode == 0, "nothing may be mounted here")
        stack.callback(_unmount, directory)
        root = _overlaid(directory, stack)
        groups = [place / directory.name for place in CONTROLLERS if place.is_dir()]
        for group in groups:
            group.mkdir()
            stack.callback(_remove_group, group)
        process = _spawned(root, directory, groups)
        stack.callback(_powered_off, process)
        container = Container(root, _leader(process, directory))
        _unlock(container, groups)
        yield container


def _same_python() -> bool:
    if shutil.which(SYSTEM_PYTHON) is None:
        return False
    asked = [SYSTEM_PYTHON, "-c", "import sys; print(sys.version_info[:2])"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    return found.strip() == str(sys.version_info[:2])


def _overlaid(directory: Path, stack: ExitStack) -> Path:
    upper, work, root = (directory / name for name in ("upper", "work", "root"))
    for path in (upper, work, root):
        path.mkdir()
    layers = f"lowerdir=/,upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, root], check=True)
    stack.callback(_unmount, root)
    return root


def _unmount(place: Path) -> None:
    subprocess.run(["umount", "-l", place], check=False)


def _spawned(root: Path, directory: Path, groups: list[Path]) -> subprocess.Popen[bytes]:
    """systemd-nspawn in control groups of its own, booting only what every service needs."""

    bound = {SOURCE: REPOSITORY, PACKAGES: sysconfig.get_paths()["platlib"]}
    with (directory / "console.log").open("wb") as console:
        enter = "".join(f"echo $$ >{group}/cgroup.procs; " for group in groups)
        options = (
            f"--machine={directory.name}",
            "--register=no",
            "--keep-unit",
            "--private-network",
            "--link-journal=no",
        )
        binds = (f"--bind-ro={there}:{inside}" for inside, there in bound.items())
        boot = ("systemd-nspawn", "--boot", f"--directory={root}", *options, *binds, "systemd.unit=basic.target")
        return subprocess.Popen(
            ["sh", "-ec", f'{enter}exec "$@"', "sh", *boot],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,
        )


def _leader(process: subprocess.Popen[bytes], directory: Path) -> int:
    """The container's first process, as soon as its systemd has come up."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")

    def up() -> bool:
        assert process.poll() is None, (directory / "console.log").read_text(errors="replace")[-3000:]
        found = children.read_text().split()
        asked = [*_entering(int(found[0])), "systemctl", "is-active", "--quiet", "basic.target"] if found else ["false"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    wait_for(up, "the container to boot", 60)
    return int(children.read_text().split()[0])


def _unlock(container: Container, groups: list[Path]) -> None:
    """Control groups of the first version are mounted read-only; systemd sees what it may do when it starts again."""
    for group in groups:
        place = str(group.parent)
        container.run("mount", "-o", "remount,bind,rw", place)
    if groups:
        container.systemctl("daemon-reexec")


def _powered_off(process: subprocess.Popen[bytes]) -> None:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGRTMIN + 4)  # systemd(1): power off in order
    with suppress(subprocess.TimeoutExpired):
        process.wait(30)
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGKILL)
    process.kill()
    process.wait()


def _remove_group(group: Path) -> None:
    """From the leaves on; a group may be busy for a moment after its last process has gone."""
    for path in sorted([group, *(path for path in group.rglob("*") if path.is_dir())], reverse=True):
        for _ in range(50):
            try:
                path.rmdir()
                break
            except OSError:
                time.sleep(0.05)


def _entering(leader: int) -> list[str]:
    return ["nsenter", f"--target={leader}", *NAMESPACES, "--", "env", "-i", *ENVIRONMENT]
