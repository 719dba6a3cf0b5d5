"""R2 by the product's own commands: the most anomalous of the first MNIST images, drawn, and their clusters."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sklearn.metrics import adjusted_mutual_info_score

from monitor.cli import execute
from tests.conftest import REPOSITORY

EXAMPLE = REPOSITORY / "config" / "examples" / "mnist-top.yaml"
IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
TOP = 10


class Size(NamedTuple):
    """How much of the published example is run."""

    images: int
    epochs: int
    likeness: float
    """The clusters know at least so much of the true digits, 0 (as chance would) to 1."""


@pytest.fixture(
    params=[
        pytest.param(Size(200, 8, 0.2), id="small"),
        pytest.param(Size(1000, 100, 0.4), id="published", marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    ]
)
def size(request: pytest.FixtureRequest) -> Size:
    chosen: Size = request.param
    return chosen


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command prints on stdout; it must not fail."""
    capfd.readouterr()
    code = execute(arguments)
    out, err = capfd.readouterr()
    assert code == 0, err
    return out


@pytest.mark.data
def test_the_most_anomalous_image_is_found_drawn_and_clustered(
    size: Size, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    mnist = data_dir / "mnist"
    config = EXAMPLE.read_text()
    assert "epochs: 100\n" in config
    Path("example.yaml").write_text(config.replace("epochs: 100\n", f"epochs: {size.epochs}\n"))
    run(capfd, "data", "images", str(mnist / IMAGES), "--labels", str(mnist / LABELS), "--first", str(size.images),
        "--format", "lines", "-o", "mnist.txt")  # fmt: skip
    digits = [line.partition("=")[0] for line in Path("mnist.txt").read_text().splitlines()]

    def most_anomalous() -> list[dict[str, Any]]:
        run(capfd, "retrain", "-c", "example.yaml", "--input", "mnist.txt")
        shown = run(capfd, "score", "-c", "example.yaml", "mnist.txt", "--top", str(TOP), "--by", "squared",
                    "--format", "jsonl", "--images", "top.png")  # fmt: skip
        return [json.loads(line) for line in shown.splitlines()]

    first, again = most_anomalous(), most_anomalous()  # the same seed gives the same network, and so the same order
    told = run(capfd, "cluster", "-c", "example.yaml", "mnist.txt", "--label-field", "label", "--max-k", "12",
               "--format", "csv", "--report", "clusters")  # fmt: skip

    assert len(digits) == size.images
    assert first == again
    assert [str(row["fields"]["label"]["actual"]) for row in first] == [digits[row["line"] - 1] for row in first]
    errors = [row["squared_error"] for row in first]
    assert errors == sorted(errors, reverse=True)
    assert len({row["line"] for row in first}) == TOP
    rows = list(csv.DictReader(io.StringIO(told)))
    assert [int(row["line"]) for row in rows] == list(range(1, size.images + 1))
    assert all(row["cluster"] for row in rows)
    assert adjusted_mutual_info_score(digits, [row["cluster"] for row in rows]) > size.likeness
    for name in ("top.png", "clusters/clusters.png", "clusters/prototypes.png", "clusters/outliers.png"):
        assert Path(name).read_bytes().startswith(b"\x89PNG\r\n")
