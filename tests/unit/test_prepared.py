"""A batch that a twin of the pipeline prepared, in another process perhaps, comes to the same as one that was not."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from monitor.app.compose import load_pipeline, read_input
from monitor.app.pipeline import Pipeline
from monitor.cli import execute
from monitor.core.clock import ManualClock
from monitor.core.records import RawBatch
from monitor.plugins import load_config

FEATURES = {
    "forgetful": "features: {load: numeric, mode: categorical}",
    "remembering": "features: {load: numeric, mode: categorical, pause: interarrival}\n    key: mode",
}


@pytest.fixture(scope="module", params=FEATURES)
def config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prepared")
    path, benign = root / "c.yaml", root / "benign.jsonl"
    records = ({"at": 1.7e9 + 60 * i, "load": i * 7 % 31, "mode": f"m{i % 3}"} for i in range(600))
    benign.write_text("".join(json.dumps(record) + "\n" for record in records))
    path.write_text(
        f"server: {{listen: none}}\nstate_dir: {root / 'state'}\ndevice: cpu\nlimits: {{max_batch_records: 100}}\n"
        "streams:\n  plant:\n    source: stdin\n    parser: json_lines\n    time: {field: at}\n"
        f"    model: {{epochs: 3}}\n    {FEATURES[request.param]}\n"
    )
    assert execute(["retrain", "-c", str(path), "--input", str(benign), "--force"]) == 0
    return path


def pipeline(path: Path) -> Pipeline:
    return load_pipeline(load_config(path), "plant", ManualClock(1.7e9))


def batches(path: Path) -> Iterator[RawBatch]:
    config = load_config(path)
    return read_input(config, config.streams["plant"], [path.parent / "benign.jsonl"])


@pytest.mark.parametrize("scored", [True, False])
def test_what_a_twin_prepared_gives_the_same_scores(config: Path, scored: bool) -> None:
    twin, helped, alone = pipeline(config), pipeline(config), pipeline(config)

    for raw in batches(config):
        sent = pickle.loads(pickle.dumps(twin.prepare(raw, scored=scored).packed()))
        with_help, without = helped.process(raw, sent), alone.process(raw)

        np.testing.assert_array_equal(with_help.scores, without.scores)
        np.testing.assert_array_equal(with_help.l1, without.l1)
        assert with_help.outcome.counts == without.outcome.counts
        assert with_help.outcome.positions == without.outcome.positions
        assert with_help.outcome.memories == without.outcome.memories


def test_only_what_is_needed_is_sent(config: Path) -> None:
    raw = next(batches(config))
    sent = pipeline(config).prepare(raw).packed()

    assert not len(sent.records.raw)
    assert bool(sent.records.columns) == (sent.matrix is None)
