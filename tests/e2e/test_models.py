"""Models beside a running daemon: bad ones are refused, versions go back and forth, drift is told over restarts."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save

from monitor.core.errors import BundleError
from monitor.model.bundle import load, verify
from monitor.model.manifest import WEIGHTS
from monitor.model.publishing import publish
from monitor.runtime.daemon import MODEL_POLL_SECONDS, TICK_SECONDS
from tests.e2e.support import Site, aemonitor, wait_for
from tests.e2e.traffic import FEATURES, line, lines, trained
from tests.support_models import forge, forge_weights

pytestmark = pytest.mark.timeout(300)


def truncated(bundle: Path) -> Path:
    weights = bundle / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1])
    return bundle


def flipped(bundle: Path) -> Path:
    weights = bundle / WEIGHTS
    data = bytearray(weights.read_bytes())
    data[-5] ^= 1
    weights.write_bytes(data)
    return bundle


def not_finite(bundle: Path) -> Path:
    tensors = load_tensors((bundle / WEIGHTS).read_bytes())
    tensors[min(tensors)].view(-1)[0] = float("nan")
    return forge_weights(bundle, save(tensors))


def misshapen(bundle: Path) -> Path:
    tensors = load_tensors((bundle / WEIGHTS).read_bytes())
    return forge_weights(bundle, save({**tensors, min(tensors): torch.zeros(1, 1)}))


def foreign(bundle: Path) -> Path:
    return forge(bundle, lambda manifest: manifest.update(stream="other"))


def pickled(bundle: Path) -> Path:
    return forge_weights(bundle, pickle.dumps({"weight": [1.0]}))


DAMAGES: tuple[tuple[Callable[[Path], Path], str], ...] = (
    (truncated, "truncated"),
    (flipped, "damaged: its SHA-256 is not the one"),
    (not_finite, "has values that are not finite"),
    (misshapen, "has shape (1, 1), expected"),
    (foreign, "belongs to stream 'other', not 'web'"),
    (pickled, "not a safetensors file"),
)


def point(models: Path, version: str) -> None:
    (models / "next").write_text(f"{version}\n")
    (models / "next").rename(models / "current")


def test_every_bad_bundle_is_refused_and_the_one_in_use_goes_on(tmp_path: Path, models: Path) -> None:
    site = trained(tmp_path, models)
    root = site.state / "models"
    good = (root / "web" / "current").read_text().strip()
    contents = verify(root / "web" / good).contents
    try:
        site.start_and_wait()
        for number, (damage, reason) in enumerate(DAMAGES, 1):
            aside = tmp_path / "aside"
            bad = damage(aside / "web" / publish(aside, contents, now=2e9 + number))
            bad = bad.rename(root / "web" / bad.name)
            point(root / "web", bad.name)
            wait_for(lambda: site.metric("model_refusals_total") == number, reason)  # noqa: B023
            with pytest.raises(BundleError, match=re.escape(reason)):
                load(root / "web" / bad.name, "web")
            assert f'version="{good}"' in site.metrics()
        site.log.write_bytes(lines(101))
        wait_for(lambda: site.metric("records_scored_total") == 101, "the records")
        assert {alert["model"]["version"] for alert in site.ledger_alerts()} == {good}
        assert site.stop() == 0
    finally:
        site.close()


def test_versions_go_back_and_forth_under_the_running_daemon(tmp_path: Path, models: Path) -> None:
    assert MODEL_POLL_SECONDS + TICK_SECONDS < 2  # so soon a changed pointer is seen, on a machine that is not busy
    site = trained(tmp_path, models)
    root = site.state / "models"
    first = (root / "web" / "current").read_text().strip()
    second = publish(root, verify(root / "web" / first).contents, now=2e9)
    try:
        site.start_and_wait()
        for command, wanted in ((("rollback",), first), (("promote", second), second)):
            aemonitor("models", command[0], "-c", str(site.config), *command[1:])
            wait_for(lambda: f'version="{wanted}"' in site.metrics(), f"the {command[0]}")  # noqa: B023
        assert site.stop() == 0
    finally:
        site.close()


def test_drift_is_told_while_the_daemon_runs_and_after_it_was_killed(tmp_path: Path, models: Path) -> None:
    site = trained(tmp_path, models)
    moved = b"".join(line(number).replace(b'"mode": "', b'"mode": "z') for number in range(1, 401) if number % 50)
    try:
        site.start_and_wait()
        site.log.write_bytes(moved)
        wait_for(lambda: site.metric("records_scored_total") == 392, "the records")
        assert site.metric("unseen_ratio") == 1.0
        assert 'aemonitor_field_drift_ratio{field="mode",stream="web"}' in site.metrics()
        site.kill()
        drift = json.loads(aemonitor("models", "drift", "-c", str(site.config), "--json").stdout)
        site.start_and_wait()
        assert site.metric("unseen_ratio") == 1.0
        assert site.stop() == 0
    finally:
        site.close()

    assert (drift["records"], drift["novel"]) == (392, 1.0)
    assert drift["fields"]["mode"] > 2
    shown = aemonitor("models", "show", "-c", str(site.config)).stdout.decode()
    assert "100.00% of recent records have a value never seen" in shown
    assert "\nhint       " in shown


def test_nothing_is_published_while_the_daemon_raises_alerts(tmp_path: Path, models: Path) -> None:
    site = trained(tmp_path, models)
    benign = tmp_path / "benign.jsonl"
    benign.write_bytes(b"".join(line(number) for number in range(3_000) if number % 50))
    before = (site.state / "models" / "web" / "current").read_text()
    try:
        site.start_and_wait()
        site.log.write_bytes(line(0))
        wait_for(lambda: len(site.ledger_alerts()) == 1, "the alert")
        done = aemonitor("retrain", "-c", str(site.config), "--input", str(benign), code=75)
        assert b"not published: episode: alert" in done.stderr
        assert (site.state / "models" / "web" / "current").read_text() == before
        site.retrain(benign, "--force")
        forced = (site.state / "models" / "web" / "current").read_text().strip()
        wait_for(lambda: f'version="{forced}"' in site.metrics(), "the forced model")
        assert site.stop() == 0
    finally:
        site.close()


def test_where_no_model_can_be_written_nothing_is_read(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.configure("json_lines", FEATURES)
    site.state.mkdir()
    (site.state / "models").write_text("in the way")

    done = aemonitor("retrain", "-c", str(site.config), "--input", str(tmp_path / "absent.jsonl"), code=73)

    assert b"cannot write models" in done.stderr
