"""The units: what is installed where, what systemd says of them, how exposed they are, and that removing is exact."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.app import installation
from monitor.app.installation import Run, this_program, uninstall_steps
from monitor.app.units import EXTRAS, SERVICES, TIMER, setting, shipped, unit_files
from monitor.cli import execute
from monitor.cli.exits import ExitCode
from monitor.core.errors import UnavailableError, UsageError
from tests.e2e.support import need

INSTANCES = ("aemonitor.service", "aemonitor@web.service", "aemonitor-retrain@web.service")
EXPOSED = {"aemonitor.service": 15, "aemonitor@web.service": 15, "aemonitor-retrain@web.service": 10}
"""Tenths, as --threshold takes them: 0 is nothing to attack, 10.0 a program of root's without any limit."""


def install(root: Path, *options: str) -> None:
    arguments = ["systemd", "install", "--root", str(root), "--prefix", "/usr", "--program", "/usr/bin/aemonitor"]
    assert execute([*arguments, *options]) == ExitCode.OK


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A root with the units installed and the programs they start."""
    install(tmp_path)
    for program in ("usr/bin/aemonitor", "bin/kill"):
        (tmp_path / program).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy("/bin/true", tmp_path / program)
    return tmp_path


def test_systemd_finds_nothing_wrong_with_the_units(system: Path) -> None:
    units = [*INSTANCES, "aemonitor-retrain@web.timer", "aemonitor-retrain@aemonitor.service"]

    done = subprocess.run(
        [need("systemd-analyze"), "verify", f"--root={system}", "--recursive-errors=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", EXPOSED)
def test_no_unit_is_more_exposed_than_it_must_be(system: Path, unit: str) -> None:
    limit = f"--threshold={EXPOSED[unit]}"

    done = subprocess.run(
        [need("systemd-analyze"), "security", "--offline=true", f"--root={system}", limit, "--no-pager", unit],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def test_both_daemon_units_say_the_same_but_for_the_names() -> None:
    one, many = shipped(SERVICES[0]), shipped(SERVICES[1])

    many = many.replace("monitor of %i", "monitor").replace("/%i.yaml", "/aemonitor.yaml")

    assert many.replace("aemonitor/instances/%i", "aemonitor") == one


def test_the_units_start_the_program_they_are_installed_for() -> None:
    texts = [file.text for file in unit_files(Path("/usr/local"), "/opt/it/bin/aemonitor", ())]

    assert not any("/usr/bin/aemonitor" in text for text in texts)
    assert sum(text.count("=/opt/it/bin/aemonitor ") for text in texts) == 5


def test_every_file_that_is_shipped_is_installed(system: Path) -> None:
    directory = Path(__file__).resolve().parents[2] / "systemd"
    texts = {file.text for file in unit_files(Path("/usr"), "/usr/bin/aemonitor", tuple(EXTRAS))}

    assert {path.read_text() for path in directory.rglob("*") if path.is_file()} == texts


def test_what_is_optional_is_installed_when_asked_for_and_removed_all_the_same(tmp_path: Path) -> None:
    install(tmp_path, "--with", "gpu", "--with", "window-networks")
    units = tmp_path / "usr/lib/systemd/system"
    assert sorted(path.name for path in (units / f"{SERVICES[0]}.d").iterdir()) == [
        "10-hardening.conf",
        "50-gpu.conf",
        "50-window-networks.conf",
    ]

    assert execute(["systemd", "uninstall", "--root", str(tmp_path), "--prefix", "/usr"]) == ExitCode.OK

    assert [path for path in tmp_path.rglob("*") if path.is_file() or path.suffix == ".d"] == [
        path for path in tmp_path.rglob("*.d") if path.name in ("sysusers.d", "tmpfiles.d")
    ]


def test_uninstalling_keeps_what_others_put_there_and_what_the_daemon_made(system: Path) -> None:
    kept = [system / "var/lib/aemonitor/ledger.sqlite3", system / "usr/lib/systemd/system/aemonitor.service.d/own.conf"]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    assert execute(["systemd", "uninstall", "--root", str(system), "--prefix", "/usr"]) == ExitCode.OK
    assert all(path.exists() for path in kept)
    assert execute(["systemd", "uninstall", "--root", str(system), "--prefix", "/usr", "--purge"]) == ExitCode.OK

    assert not (system / "var/lib/aemonitor").exists()


def test_a_dry_run_says_everything_and_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(tmp_path, "--dry-run")

    assert f"write {tmp_path}/usr/lib/systemd/system/{TIMER}\n" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_where_nothing_is_installed_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["systemd", "uninstall", "--root", str(tmp_path)]) == ExitCode.OK
    assert capsys.readouterr().err == "nothing is installed there\n"


def test_a_prefix_is_absolute(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["systemd", "install", "--prefix", "usr"]) == ExitCode.USAGE
    assert "usr is not an absolute path" in capsys.readouterr().err


def test_a_file_in_the_way_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "usr").touch()

    code = execute(["systemd", "install", "--root", str(tmp_path), "--prefix", "/usr", "--program", "/bin/true"])

    assert code == ExitCode.CANNOT_CREATE
    assert f"cannot write {tmp_path}/usr/lib/systemd/system/aemonitor.service: Not a dir" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_without_the_right_to_write_the_cure_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o500)

    code = execute(["systemd", "install", "--root", str(tmp_path), "--program", "/bin/true"])

    assert code == ExitCode.PERMISSION
    assert "run it as root, or use --root DIR" in capsys.readouterr().err


def test_a_program_in_a_home_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/home/ann/venv/bin/python")

    with pytest.raises(UsageError, match=r"/home/ann/venv/bin/aemonitor lies in a home directory.*ProtectHome=yes"):
        this_program()


def test_a_program_elsewhere_is_what_the_units_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")

    assert this_program() == "/usr/bin/aemonitor"


def test_a_program_of_systemd_that_is_missing_or_fails_is_named() -> None:
    with pytest.raises(UnavailableError, match=r"no-such-program is not installed; .* use --root DIR"):
        Run(("no-such-program",)).do()
    with pytest.raises(UnavailableError, match=r"`ls /nowhere` failed: ls: .*/nowhere"):
        Run(("ls", "/nowhere")).do()


def test_on_a_running_system_the_daemons_are_stopped_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "lib/systemd/system").mkdir(parents=True)
    (tmp_path / "lib/systemd/system/aemonitor.service").touch()
    monkeypatch.setattr(installation, "systemd_runs", lambda: True)

    steps = [str(step) for step in uninstall_steps(tmp_path, Path("/"), purge=False)]

    assert steps[0].startswith("run systemctl stop aemonitor.service aemonitor@*.service")
    assert steps[-2:] == [f"remove {tmp_path}/lib/systemd/system/aemonitor.service", "run systemctl daemon-reload"]


def test_settings_are_read_from_all_lines_of_a_unit() -> None:
    assert setting("hardening.conf", "SystemCallFilter") == ["@system-service", "~@privileged", "@resources"]
    assert setting("aemonitor.service", "StateDirectory") == ["aemonitor"]
