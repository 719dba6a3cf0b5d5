"""A node as the kubelet keeps it, a mounted ConfigMap, and what the chart's containers run, moved into a directory."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests import helm
from tests.e2e.support import Site
from tests.helm import Manifest, of_kind


def line(number: int) -> str:
    """As containerd writes it."""
    time = f"2026-11-23T09:{number // 60 % 60:02}:{number % 60:02}.5Z"
    path = ("orders", "carts", "users")[number % 3]
    return f"{time} stdout F GET /{path}/{number % 50} 200 in {number % 17} ms"


class Node:
    """The directory /var/log of a node with one container, and how the kubelet treats it."""

    def __init__(self, root: Path) -> None:
        self.logs = root / "log"
        self._log = self.logs / "pods" / "shop_web-0_0a1b" / "web" / "0.log"
        self._log.parent.mkdir(parents=True)
        self._log.touch()
        (self.logs / "containers").mkdir()
        (self.logs / "containers" / "web-0_shop_web-4711.log").symlink_to(self._log)
        self.own_log = self.logs / "containers" / "watch-aemonitor-node-x2x_logs_aemonitor-4712.log"
        self.written = 0

    def write(self, count: int) -> None:
        with self._log.open("a") as log:
            log.writelines(f"{line(number)}\n" for number in range(self.written, self.written + count))
        self.written += count

    def rotate(self) -> None:
        """The file gets a new name, an older one is packed, and a new one has the old name."""
        for older in self._log.parent.glob("0.log.2*[0-9]"):
            with gzip.open(f"{older}.gz", "wb") as packed:
                packed.write(older.read_bytes())
            older.unlink()
        self._log.rename(self._log.with_name(f"0.log.20261123-{self.written:06}"))
        self._log.touch()


def configuration(site: Site, node: Node) -> dict[str, Any]:
    """The chart's own, moved into the site."""
    (found,) = of_kind(helm.render(), "ConfigMap")
    text = found["data"]["aemonitor.yaml"].replace("/var/log/", f"{node.logs}/")
    config: dict[str, Any] = yaml.safe_load(text)
    config |= {"server": {"listen": site.url.removeprefix("http://")}, "state_dir": str(site.state), "device": "cpu"}
    config["streams"]["containers"]["model"] = {"epochs": 10}
    return config


def script(manifests: list[Manifest], container: str, site: Site, **moved: Path) -> list[str]:
    """The command of a container, with the paths that it has here."""
    found = next(each for each in helm.containers(manifests) if each["name"] == container)
    (text,) = found["args"]
    for path, here in {
        "/var/lib/aemonitor": site.state,
        **{f"/{k.replace('_', '-')}": v for k, v in moved.items()},
    }.items():
        text = text.replace(path, str(here))
    return [*found["command"], text]


def environment(site: Site, **more: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "AEMONITOR_CONFIG": str(site.config), **more}


def run(command: list[str], site: Site) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment(site), capture_output=True, text=True, check=False)


class ConfigMap:
    """A mounted one: the kubelet turns a link to another directory, and no file is ever written to."""

    def __init__(self, mount: Path, text: str) -> None:
        self._mount = mount
        self._version = 0
        mount.mkdir()
        self.renew(text)
        (mount / "aemonitor.yaml").symlink_to("..data/aemonitor.yaml")

    def renew(self, text: str) -> None:
        self._version += 1
        fresh = self._mount / f"..2026_{self._version}"
        fresh.mkdir()
        (fresh / "aemonitor.yaml").write_text(text)
        (self._mount / "..data_tmp").symlink_to(fresh.name)
        (self._mount / "..data_tmp").rename(self._mount / "..data")
        shutil.rmtree(self._mount / f"..2026_{self._version - 1}", ignore_errors=True)
