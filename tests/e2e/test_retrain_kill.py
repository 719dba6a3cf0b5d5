"""kill -9 in the middle of a training: the next `retrain` goes on with it and publishes the very same model."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from monitor.model.manifest import WEIGHTS
from tests.e2e.support import Site, wait_for

pytestmark = pytest.mark.timeout(300)

OFTEN = "import monitor.training.halfway as h; h.SAVE_SECONDS = 0.05; from monitor.cli import main; main()"
"""The program, but that it writes a training down as often as others do after ten seconds."""

QUICK, SLOW = "model: {epochs: 20}", "model: {hidden: [64, 8], epochs: 60, patience: 0, batch_size: 16}"


def retrain(site: Site, log: Path) -> subprocess.Popen[bytes]:
    arguments = ["retrain", "-c", str(site.config), "--input", str(log)]
    return subprocess.Popen([sys.executable, "-c", OFTEN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(site: Site, log: Path) -> tuple[str, bytes]:
    """Let a training end; what it said, and the weights it published."""
    process = retrain(site, log)
    _, said = process.communicate(timeout=200)
    assert process.returncode == 0, said.decode()
    models = site.state / "models" / site.stream
    version = (models / "current").read_text().strip()
    return said.decode(), (models / version / WEIGHTS).read_bytes()


def test_a_killed_training_goes_on_and_publishes_the_same_model(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(1000, 3)) @ random.normal(size=(3, 8))
    log = tmp_path / "benign.jsonl"
    log.write_text("".join(json.dumps(dict(zip("abcdefgh", map(float, row), strict=True))) + "\n" for row in rows))
    sites = [Site(tmp_path / name) for name in ("straight", "killed")]
    for site in sites:
        site.configure("json_lines", [f"{name}: numeric" for name in "abcdefgh"], extra="score: {method: l1}")
        site.config.write_text(site.config.read_text().replace(QUICK, SLOW))
    straight, killed = sites
    half = killed.state / "training" / f"{killed.stream}.half"

    _, expected = finish(straight, log)
    process = retrain(killed, log)
    wait_for(half.exists, "a training that is written down")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    said, weights = finish(killed, log)

    assert "of a training that was ended" in said
    assert weights == expected
    assert not half.exists()
