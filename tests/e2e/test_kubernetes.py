"""What the chart makes a pod do, done here: the kubelet's files and links, ConfigMaps, scripts, the image's probe."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests import helm
from tests.conftest import REPOSITORY
from tests.e2e.kubernetes import ConfigMap, Node, configuration, environment, line, run, script
from tests.e2e.support import Site, wait_for
from tests.helm import Manifest

pytestmark = pytest.mark.timeout(300)
HEALTHCHECK = REPOSITORY / "deploy" / "container" / "healthcheck.py"
GROUP: Manifest = {"config": {}, "firstModel": {"volume": {"emptyDir": {}}}}


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state after the init container ran on a node with 3,000 lines: it says why it waits until there are some."""
    root = tmp_path_factory.mktemp("node")
    site, node = Site(root, "containers"), Node(root)
    site.state.mkdir()
    site.config.write_text(yaml.safe_dump(configuration(site, node)))
    first_model = script(helm.render(), "first-model", site)

    node.write(5)
    early = run(first_model, site)
    node.write(2_995)
    done = run(first_model, site)
    again = run(first_model, site)

    assert early.returncode == 75, early.stderr
    assert done.returncode == 0, done.stderr
    assert (again.returncode, again.stderr) == (0, ""), "a model is there"
    return site.state


@pytest.fixture
def pod(tmp_path: Path, learned: Path) -> tuple[Site, Node]:
    """A node with a container, and a daemon to be started there, with a model."""
    site, node = Site(tmp_path, "containers"), Node(tmp_path)
    shutil.copytree(learned, site.state)
    site.config.write_text(yaml.safe_dump(configuration(site, node)))
    return site, node


def test_logs_of_containers_are_followed_through_the_kubelets_rotations(pod: tuple[Site, Node]) -> None:
    site, node = pod
    try:
        site.start_and_wait()
        for _ in range(3):
            node.write(500)
            node.rotate()
        node.write(500)
        node.own_log.write_text(f"{line(1)}\n")
        wait_for(lambda: site.metric("records_scored_total") >= 2_000, "all lines")
        site.kill()
        node.write(100)
        node.rotate()
        node.write(100)
        site.start_and_wait()
        wait_for(lambda: site.metric("records_scored_total") >= 2_200, "the lines since the kill")
        assert site.metric("records_scored_total") == 2_200
        assert site.metric("records_unparsed_total") == 0
        assert site.stop(within_seconds=90) == 0
    finally:
        site.close()


def test_a_renewed_configmap_is_taken_up_without_a_restart(pod: tuple[Site, Node], tmp_path: Path) -> None:
    site, node = pod
    config = configuration(site, node)
    mounted = ConfigMap(tmp_path / "etc", yaml.safe_dump(config))
    site.config = tmp_path / "etc" / "aemonitor.yaml"
    try:
        site.start_and_wait()
        config["streams"]["containers"]["alert"] = {"threshold": 1e9}
        mounted.renew(yaml.safe_dump(config))
        wait_for(lambda: site.metric("threshold") == 1e9, "the new threshold")
        mounted.renew("streams: {}\n")
        wait_for(lambda: site.metric("config_last_reload_successful") == 0, "the refusal")
        assert site.metric("threshold") == 1e9
    finally:
        site.close()


def test_the_image_asks_whether_the_daemon_is_alive(pod: tuple[Site, Node]) -> None:
    site, _ = pod
    asked = {**os.environ, "AEMONITOR_HEALTH_URL": f"{site.url}/-/healthy"}

    def alive() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", str(HEALTHCHECK)]
        return subprocess.run(command, env=asked, capture_output=True, text=True, check=False)

    try:
        site.start_and_wait()
        assert (alive().returncode, alive().stdout) == (0, f"200 {site.url}/-/healthy\n")
        assert site.daemon is not None
        site.daemon.send_signal(signal.SIGSTOP)
        frozen = alive()
        assert (frozen.returncode, "timed out" in frozen.stdout) == (1, True), frozen.stdout
        site.kill()
        assert alive().returncode == 1
    finally:
        site.close()


# -- what shells do ----------------------------------------------------------------------------------------------


def test_first_models_are_copied_to_streams_that_have_none(learned: Path, tmp_path: Path) -> None:
    site, volume = Site(tmp_path), tmp_path / "volume"
    site.state.mkdir()
    for stream in ("orders", "clicks"):
        shutil.copytree(learned / "models" / "containers", volume / stream)
    (volume / "lost+found").mkdir()
    manifests = helm.render({"node": {"enabled": False}, "groups": {"orders": GROUP}})
    copying = script(manifests, "first-model", site, first_models=volume)

    assert run(copying, site).returncode == 0
    (site.state / "models" / "orders" / "current").write_text("retrained since\n")
    (site.state / "models" / "clicks" / "current").unlink()  # killed while it copied
    assert run(copying, site).returncode == 0

    models = site.state / "models"
    assert sorted(each.name for each in models.iterdir()) == ["clicks", "orders"]
    assert (models / "orders" / "current").read_text() == "retrained since\n"
    assert (models / "clicks" / "current").read_text() == (volume / "clicks" / "current").read_text()


def test_too_little_data_is_no_failure_of_the_job_and_a_wrong_configuration_is(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.configure("json_lines", ["level: numeric"])
    site.log.write_text('{"level": 1}\n')
    manifests = helm.render({"node": {"enabled": False}, "groups": {"orders": GROUP}})
    retraining = script(manifests, "retrain", site)

    too_little = run(retraining, site)
    site.config.write_text("streams: {}\n")
    wrong = run(retraining, site)

    assert too_little.returncode == 0, too_little.stderr
    assert "needs at least 10 benign records" in too_little.stderr
    assert wrong.returncode == 78


def test_retraining_on_a_node_sleeps_until_its_time_and_ends_at_once(tmp_path: Path) -> None:
    site, told = Site(tmp_path), tmp_path / "slept"
    manifests = helm.render({"node": {"retrain": {"at": "08:09"}}})  # digits that are no octal number
    (tmp_path / "sleep").write_text(
        f'#!/bin/sh\necho "$1" > {told}.part && mv {told}.part {told}\nexec /bin/sleep "$1"\n'
    )
    (tmp_path / "sleep").chmod(0o755)
    found = environment(site, NODE_NAME="node-17")
    found["PATH"] = f"{tmp_path}:{found['PATH']}"

    with subprocess.Popen(script(manifests, "retrain", site), env=found, start_new_session=True) as shell:
        try:
            wait_for(told.exists, "the time it sleeps")
            shell.terminate()
            assert shell.wait() == 0
        finally:
            os.killpg(shell.pid, signal.SIGKILL)  # what sleeps; in a pod it goes with the container

    assert 60 <= int(told.read_text()) < 86_400 + 60
