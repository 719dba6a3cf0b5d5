"""The image as docs/howto/container.md starts it, by an OCI runtime: without rights, without a network, and nothing
writable but the volume and /tmp.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY
from tests.e2e.support import need

RECIPE = (REPOSITORY / "deploy" / "container" / "Containerfile").read_text().replace("\\\n", "")
VOLUME, CONFIG, LOGS = "/var/lib/aemonitor", "/etc/aemonitor", "/var/log/shop"
UNIFIED = "/sys/fs/cgroup/unified"
"""Where a machine has both versions of control groups; crun starts nothing while it sees that."""


def recipe_says(instruction: str) -> str:
    """The argument of an instruction of the recipe, the last one of its kind."""
    found: list[str] = re.findall(rf"^ *{instruction} +(.+)$", RECIPE, re.MULTILINE)
    return found[-1]


class Image:
    """Containers over the image mounted at ``root``, which share a volume, a configuration and a directory of logs."""

    def __init__(self, root: Path, site: Path) -> None:
        see_one_version = f'! mountpoint -q {UNIFIED} || umount {UNIFIED}; exec "$@"'
        self.crun = [need("unshare"), "--mount", "sh", "-ec", see_one_version, "sh", need("crun")]
        self.root = root
        self.site = site
        self.volume, self.config, self.logs = (site / name for name in ("volume", "config", "logs"))
        for directory in (self.volume, self.config, self.logs):
            directory.mkdir()
        self.user, self.group = map(int, recipe_says("USER").split(":"))
        os.chown(self.volume, self.user, self.group)
        self.daemon = f"aemonitor-{uuid.uuid4().hex}"

    def run(self, *arguments: str, code: int = 0) -> str:
        """A container of its own with these arguments, to its end; what it wrote."""
        return self._ended(self._container(f"{self.daemon}-command", *arguments), code)

    def exec(self, *command: str, code: int = 0) -> str:
        """A command in the daemon's container."""
        return self._ended([*self.crun, "exec", "--user", f"{self.user}:{self.group}", self.daemon, *command], code)

    def signal(self, name: str) -> None:
        """Send a signal to the daemon, from outside."""
        subprocess.run([*self.crun, "kill", self.daemon, name], check=True)

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """The daemon, as it starts without arguments; killed at the end, if it then still runs."""
        command = self._container(self.daemon, *json.loads(recipe_says("CMD")))
        with (self.site / "daemon.log").open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log) as daemon:
            try:
                yield daemon
            finally:
                if daemon.poll() is None:
                    self.signal("KILL")

    def _container(self, name: str, *arguments: str) -> list[str]:
        bundle = self.site / name
        bundle.mkdir(exist_ok=True)
        (bundle / "config.json").unlink(missing_ok=True)
        subprocess.run([*self.crun, "spec"], cwd=bundle, check=True)
        spec = json.loads((bundle / "config.json").read_text())
        spec["root"] = {"path": str(self.root), "readonly": True}
        spec["process"] |= {
            "terminal": False,
            "user": {"uid": self.user, "gid": self.group},
            "args": [*json.loads(recipe_says("ENTRYPOINT")), *arguments],
            "env": recipe_says("ENV").split(),
            "cwd": recipe_says("WORKDIR"),
            "capabilities": {},
            "noNewPrivileges": True,
        }
        spec["mounts"] = [mount for mount in spec["mounts"] if mount["type"] != "cgroup"] + self._mounts()
        (bundle / "config.json").write_text(json.dumps(spec))
        return [*self.crun, "--cgroup-manager=disabled", "run", "--bundle", str(bundle), name]

    def _mounts(self) -> list[dict[str, Any]]:
        def bound(source: Path, destination: str, *options: str) -> dict[str, Any]:
            return {"type": "bind", "source": str(source), "destination": destination, "options": ["rbind", *options]}

        scratch = {
            "type": "tmpfs",
            "source": "tmpfs",
            "destination": "/tmp",
            "options": ["nosuid", "nodev", "mode=1777"],
        }
        return [
            scratch,
            bound(self.volume, VOLUME, "rw"),
            bound(self.config, CONFIG, "ro"),
            bound(self.logs, LOGS, "ro"),
        ]

    @staticmethod
    def _ended(command: list[str], code: int) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout
