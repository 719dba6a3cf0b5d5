"""``backend: numpy`` as users run it: the alerts of torch, and no torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support import Site, aemonitor

pytestmark = pytest.mark.timeout(300)

ROUTES = ("/", "/cart", "/pay")
AGENTS = ("curl/8.1", "Mozilla/5.0 Firefox/115.0", "Mozilla/5.0 Chrome/120")
FEATURES = ["size: numeric", "route: path", "agent: text", "host: categorical"]


def line(number: int, **changes: Any) -> str:
    route = number % 3
    facts = {
        "size": 100 * 7**route + number * 37 % 61,
        "route": f"{ROUTES[route]}?id={number % 50}",
        "agent": AGENTS[number * 5 % 7 % 3],
        "host": "ab"[number * 3 % 2],
    }
    return json.dumps(facts | changes) + "\n"


BENIGN = "".join(line(number) for number in range(1500))
NEW = "".join(
    [
        *(line(number) for number in range(5000, 6500)),
        line(0, size=5_000_000),
        line(1, host="c"),
        line(2, agent="sqlmap/1.7 ' or 1=1"),
        *(line(number) for number in range(7000, 7100)),
    ]
)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with a model of the default score, whose ledger knows the log; what is new there was not read yet."""
    site = Site(tmp_path_factory.mktemp("numpy") / "torch")
    site.configure("json_lines", FEATURES, extra="alert: {threshold: 2.0}")
    benign = site.root / "benign.jsonl"
    benign.write_text(BENIGN)
    site.retrain(benign)
    site.log.write_text(line(0))
    aemonitor("run", "-c", str(site.config), "--once")
    with site.log.open("a") as log:
        log.write(NEW)
    return site.root


def alerts(site: Path) -> list[dict[str, Any]]:
    """Everything new, through the daemon: its alerts."""
    aemonitor("run", "-c", str(site / "aemonitor.yaml"), "--once")
    return [json.loads(text) for text in (site / "alerts.jsonl").read_text().splitlines()]


def computed_by(backend: str, learned: Path, root: Path) -> Path:
    """A site like that one, with the same log."""
    root.mkdir(parents=True)
    shutil.copytree(learned / "state", root / "state")
    config = (learned / "aemonitor.yaml").read_text()
    for own in ("state", "alerts.jsonl"):
        config = config.replace(str(learned / own), str(root / own))
    (root / "aemonitor.yaml").write_text(f"backend: {backend}\n{config}")
    return root


def numbers(alert: dict[str, Any]) -> list[float]:
    """All that was computed, in the order of its keys; taken out of the alert."""
    found = [alert["score"].pop(name) for name in sorted(alert["score"]) if isinstance(alert["score"][name], float)]
    return found + [
        field.pop(name) for field in alert["fields"] for name in ("contribution", "rarity") if name in field
    ]


def test_the_same_records_raise_the_same_alerts(learned: Path, tmp_path: Path) -> None:
    expected, found = (alerts(computed_by(each, learned, tmp_path / each)) for each in ("torch", "numpy"))

    assert len(expected) >= 3
    for alert in (*expected, *found):
        alert.pop("detected_at")
    assert [numbers(alert) for alert in found] == [pytest.approx(numbers(alert), abs=1e-4) for alert in expected]
    assert found == expected  # ids, fields, expected values, sentences


COMMANDS = """
import sys
from monitor.cli import execute
config, lines, out = sys.argv[1:]
for command in (
    ["check", config],
    ["score", lines, "-c", config, "--top", "3", "-o", out + "/top.jsonl", "--format", "jsonl"],
    ["explain", "-c", config, "--line", '{"size": 1, "route": "/", "agent": "x", "host": "a"}'],
    ["run", "-c", config, "--once"],
    ["models", "list", "-c", config],
    ["models", "verify", "-c", config],
    ["alerts", "list", "-c", config],
    ["state", "show", "-c", config],
    ["verify", "-c", config],
):
    code = execute(command)
    loaded = sorted(name for name in sys.modules if name.partition(".")[0] in ("torch", "sklearn", "matplotlib"))
    assert code == 0, (command, code)
    assert not loaded, (command, loaded)
print("without torch")
"""


def test_no_command_but_training_loads_torch(learned: Path, tmp_path: Path) -> None:
    site = computed_by("numpy", learned, tmp_path / "site")
    config, log = str(site / "aemonitor.yaml"), str(learned / "logs" / "app.log")

    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, config, log, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["without torch"]), done.stderr[-3000:]


def test_a_pipe_is_scored_too(learned: Path, tmp_path: Path) -> None:
    site = computed_by("numpy", learned, tmp_path / "site")

    done = aemonitor("run", "-c", str(site / "aemonitor.yaml"), "--stdin", stdin=NEW.encode())

    assert b"1,603 records scored, 0 not parsed, 0 left out" in done.stderr
    assert b"computing on the CPU with numpy, as configured" in done.stderr


ONE_THREAD = """
import os, sys
from monitor.cli import main
assert "numpy" not in sys.modules
sys.argv = ["aemonitor", "--version"]
try:
    main()
finally:
    print(os.environ["OPENBLAS_NUM_THREADS"])
"""


def test_numpy_is_told_to_take_one_thread_before_it_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", ONE_THREAD], capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.splitlines()[-1] == "1", done.stderr


def test_a_model_can_be_made_where_numpy_scores(learned: Path, tmp_path: Path) -> None:
    site = computed_by("numpy", learned, tmp_path / "site")

    aemonitor("retrain", "-c", str(site / "aemonitor.yaml"), "--input", str(learned / "benign.jsonl"), "--force")

    assert len(alerts(site)) >= 3
