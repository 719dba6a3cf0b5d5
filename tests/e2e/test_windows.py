"""A network over windows as users meet it: trained, explained, scored offline and by the daemon, and from Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor import Detector
from tests.e2e.support import Site, aemonitor, wait_for

pytestmark = pytest.mark.timeout(300)

FEATURES = ["force: {window: {length: 12}}", "mode: categorical"]
STROKE, SPOILED, WRONG = 16, 400, tuple(range(300, 308))


def lines(count: int, seed: int, *, backwards: int | None = None, wrong: tuple[int, ...] = ()) -> list[str]:
    """A machine's strokes; one may run backwards, and some readings are not the machine's."""
    random, phase = np.random.default_rng(seed), np.arange(count) * 2 * np.pi / STROKE
    if backwards is not None:
        phase[backwards : backwards + STROKE] = phase[backwards : backwards + STROKE][::-1]
    force = 5 + np.sin(phase) + 0.5 * np.sin(2 * phase + 0.6) + 0.03 * random.standard_normal(count)
    force[list(wrong)] = 9.0
    modes = ["ab"[row // 100 % 2] for row in range(count)]
    return [
        json.dumps({"force": round(value, 3), "mode": mode}) for value, mode in zip(force.tolist(), modes, strict=True)
    ]


def write(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path, "machine")
    site.configure("json_lines", FEATURES, extra="score: {method: l1}\nalert: {threshold: 1.5}")
    text = site.config.read_text()
    site.config.write_text(text.replace("{epochs: 20}", "{network: gru, hidden: [16, 4, 16], epochs: 20, trim: 0.05}"))
    return site


def test_a_gru_learns_explains_and_scores_alike_offline_and_in_the_daemon(site: Site, tmp_path: Path) -> None:
    benign = write(tmp_path / "benign.log", lines(1200, 1, wrong=WRONG))
    fresh = write(tmp_path / "fresh.log", lines(600, 2, backwards=SPOILED))
    config = ("-c", str(site.config))
    try:
        (report,) = json.loads(aemonitor("retrain", *config, "--input", str(benign), "--json").stdout)
        scored = aemonitor("score", *config, str(fresh), "--format", "jsonl").stdout.splitlines()
        explained = aemonitor("explain", *config, "--line", lines(1, 1)[0]).stdout.decode()
        site.start_and_wait()
        with site.log.open("a") as log:
            log.write(fresh.read_text())
        wait_for(lambda: site.metric("records_scored_total") == 600, "every record")
        assert site.stop() == 0
    finally:
        site.close()

    offline: list[dict[str, Any]] = [json.loads(row) for row in scored]
    found = {row["line"] for row in offline if row["score"] > 1.5}
    stroke = range(SPOILED + 1, SPOILED + STROKE + 13)
    alerts = site.ledger_alerts()
    assert (report["network"], report["layers"]) == ("gru", [report["columns"], 16, 4, 16, report["columns"]])
    assert {suspect["line"] for suspect in report["suspects"]} >= {306, 307, 308}
    assert {suspect["path"] for suspect in report["suspects"]} == {str(benign)}
    assert found & set(stroke)
    assert len(found - set(stroke)) < 20
    assert [alert["score"]["value"] for alert in alerts] == [row["score"] for row in offline if row["score"] > 1.5]
    assert "force" in explained


@pytest.mark.parametrize("network", ["conv", "lstm"])
def test_the_detector_takes_the_same_networks(network: str, tmp_path: Path) -> None:
    benign, fresh = (np.array([[json.loads(line)["force"]] for line in lines(*plan)]) for plan in ((1000, 1), (300, 2)))
    detector = Detector(
        features={"x0": {"window": {"length": 12}}}, network=network, hidden=[8, 3, 8], method="l1", epochs=10
    )

    place = detector.fit(benign).save(tmp_path / "machine")
    again = Detector.load(place.parent)

    assert again.network == network
    assert np.array_equal(again.anomaly_score(fresh), detector.anomaly_score(fresh))
    assert detector.transform(fresh).shape == (300, 3)
    assert [field.name for field in detector.explain(fresh)[0]] == ["x0"]


def test_a_stream_without_a_window_is_refused_before_it_is_learned(site: Site, tmp_path: Path) -> None:
    site.config.write_text(site.config.read_text().replace("{window: {length: 12}}", "numeric"))

    refused = aemonitor(
        "retrain", "-c", str(site.config), "--input", str(write(tmp_path / "benign.log", lines(100, 1))), code=65
    )

    assert b"model.network: gru reads windows" in refused.stderr
