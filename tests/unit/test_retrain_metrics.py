"""The metrics file of a retraining: complete, whole at every moment, and documented."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.core.errors import CannotCreateError
from monitor.telemetry.names import PREFIX, RETRAIN_METRICS
from monitor.telemetry.textfile import RetrainRun, write_textfile

REPOSITORY = Path(__file__).resolve().parents[2]
RUN = RetrainRun("web", 2e9, 12.5, published=False, last_success=1e9, gates={"faults": False}, reason="faults")


def samples(path: Path) -> dict[str, float]:
    families = text_string_to_metric_families(path.read_text())
    return {sample.name.removeprefix(PREFIX): sample.value for family in families for sample in family.samples}


def test_every_metric_is_written_and_replaced_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "m.prom"
    write_textfile([RUN], path)
    assert samples(path) == {
        "retrain_last_run_timestamp_seconds": 2e9,
        "retrain_last_success_timestamp_seconds": 1e9,
        "retrain_duration_seconds": 12.5,
        "retrain_published": 0.0,
        "retrain_gate_passed": 0.0,
        "retrain_refused": 1.0,
    }

    write_textfile([RetrainRun("web", 2e9, 1.0, published=True, last_success=2e9, gates={}, reason=None)], path)

    assert samples(path)["retrain_published"] == 1.0
    assert "retrain_refused" not in samples(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotCreateError, match=r"m\.prom: cannot write the metrics: No such file or directory"):
        write_textfile([RUN], tmp_path / "no" / "m.prom")


def test_every_metric_is_documented() -> None:
    page = (REPOSITORY / "docs" / "howto" / "retrain.md").read_text()

    assert all(f"`{metric.name}{{" in page for metric in RETRAIN_METRICS)
