"""The image started and stopped as its users do. Building it takes minutes and a network: `AEMONITOR_IMAGE` says where
a built one is mounted (`buildah mount`).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from monitor.app.demo import spoil
from monitor.app.traffic import FAULTS, Shop, line
from tests.e2e.image import LOGS, VOLUME, Image, recipe_says
from tests.e2e.support import demand, wait_for

HEALTH_CHECK = json.loads(recipe_says("HEALTHCHECK .*CMD"))
SCRAPE = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics').read().decode())"
FAULT_EVERY = 50

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


class Visitor:
    """Writes the log that the daemon in the container follows."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.shop = Shop(1)
        self.written = 0

    def write(self, count: int, *, spoiled: bool = True) -> None:
        """So many requests more, now and then one that is spoiled."""
        with self.log.open("a") as out:
            for number, record in enumerate(self.shop.records(count, time.time() - count / 20, 20)):
                if spoiled and number % FAULT_EVERY == 0:
                    spoil(record, FAULTS[number // FAULT_EVERY % len(FAULTS)])
                out.write(line(record) + "\n")
        self.written += count


@pytest.fixture
def image(tmp_path: Path) -> Image:
    place = os.environ.get("AEMONITOR_IMAGE")
    demand(place is not None, "AEMONITOR_IMAGE does not say where an image is mounted")
    demand(os.geteuid() == 0, "starting it takes root")
    return Image(Path(str(place)), tmp_path)


def healthy(image: Image, daemon: subprocess.Popen[bytes]) -> bool:
    assert daemon.poll() is None, (image.site / "daemon.log").read_text()
    try:
        return image.exec(*HEALTH_CHECK).startswith("200 ")
    except AssertionError:
        return False


def scraped(image: Image) -> float:
    """How many records were scored, by the metrics."""
    found = re.search(
        r'^aemonitor_records_scored_total{stream="shop"} (.+)$', image.exec("python", "-c", SCRAPE), re.MULTILINE
    )
    return float(found[1]) if found else 0.0


def all_read(image: Image, visitor: Visitor) -> bool:
    return f"stream shop: {visitor.written:,} read = {visitor.written:,} scored" in image.exec("aemonitor", "verify")


def test_it_learns_runs_stops_and_loses_nothing(image: Image) -> None:
    visitor = Visitor(image.logs / "shop.log")
    visitor.write(3000, spoiled=False)
    log = f"{LOGS}/shop.log"
    config = image.run("init", log, "--listen", ":9464", "--state-dir", VOLUME, "-o", "-")
    (image.config / "aemonitor.yaml").write_text(config)
    assert "ok: 1 stream" in image.run("check")
    image.run("retrain", "--input", log)

    with image.running() as daemon:
        wait_for(lambda: healthy(image, daemon), "the health check")
        wait_for(lambda: scraped(image) == visitor.written, "the log to be read")
        visitor.log.rename(visitor.log.with_suffix(".log.1"))
        visitor.write(400)
        wait_for(lambda: all_read(image, visitor), "what came after the rotation")
        image.signal("STOP")
        image.exec(*HEALTH_CHECK, code=1)
        image.signal("CONT")
        image.run("run", code=75)  # a second one on the volume
        image.signal("TERM")
        assert daemon.wait(90) == 0

    visitor.write(300)
    with image.running() as daemon:
        wait_for(lambda: healthy(image, daemon), "the health check")
        visitor.write(300)
        image.signal("KILL")
        assert daemon.wait() == 128 + 9

    visitor.write(300)
    with image.running() as daemon:
        wait_for(lambda: healthy(image, daemon) and all_read(image, visitor), "all that was written")
        image.signal("TERM")
        assert daemon.wait(90) == 0

    assert f"proven: {visitor.written:,} of {visitor.written:,} records" in image.run("verify")
    alerts = [json.loads(text) for text in (image.volume / "alerts.jsonl").read_text().splitlines()]
    told = [(alert["id"], alert["state"]) for alert in alerts]
    assert told
    assert len(set(told)) == len(told)
