"""Test support: a stream whose records are offered to its reservoir, and what a training then gets of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from monitor.app.alerting import Scored
from monitor.app.benign import benign, chosen, learned_files
from monitor.app.compose import build_ingest, learned_fields, sampler_of
from monitor.app.gates.feedback import framed
from monitor.app.kept import Kept
from monitor.core.clock import ManualClock
from monitor.core.config import Config
from monitor.core.features import FeatureMatrix, Layout
from monitor.core.records import FieldType, Origin, RawBatch, RecordBatch
from monitor.deciding.episode import Policy
from monitor.deciding.episodes import Episodes
from monitor.plugins import load_config
from monitor.reservoir.keeper import Keeper
from monitor.scoring.scores import ScoreBatch
from monitor.telemetry import Telemetry

CONFIG = """
state_dir: {root}/state
streams:
  web:
    source: {{file_tail: {{include: [{root}/app.log]}}}}
    parser: json_lines
    time: {{field: at, format: "%Y-%m-%d %H:%M:%S"}}
    key: host
    features: {features}
    reservoir: {{max_records: {most}}}
    {extra}
"""
NOW = 1_700_000_000.0


class World:
    """A stream with a reservoir, and the records that are offered to it."""

    def __init__(
        self, root: Path, extra: str = "", features: str = "{ms: numeric, note: categorical}", most: int = 48000
    ) -> None:
        self.root = root
        path = root / "aemonitor.yaml"
        path.write_text(CONFIG.format(root=root, extra=extra, features=features, most=most))
        self.config: Config = load_config(path)
        self.stream = self.config.streams["web"]
        self.clock = ManualClock(NOW)
        self.begin()

    def begin(self) -> None:
        """As the daemon does it; what was not saved before is gone."""
        self.keeper = Keeper(self.root / "state" / "reservoir", Telemetry(self.clock), self.clock)
        self.episodes = Episodes(Policy(60.0), self.clock)
        self.said: list[str] = []
        self.swap()

    def swap(self) -> None:
        """A new model, and with it a new sampler."""
        sampler = sampler_of("web", self.stream, self.episodes, self.clock, self.keeper)
        assert sampler is not None
        self.sampler = sampler

    def offer(self, lines: Sequence[str], scores: Sequence[float] | None = None, file_id: str = "f") -> None:
        self.offer_raw(replace(framed(lines), origin=Origin(file_id, 0, "app.log")), scores)

    def offer_raw(self, raw: RawBatch, scores: Sequence[float] | None = None) -> None:
        values = np.array(scores if scores is not None else [0.5] * len(raw))
        parsed = build_ingest(self.stream, learned_fields(self.stream)).parse(raw)
        matrix = FeatureMatrix(np.zeros((len(raw), 0), dtype=np.float32), Layout.of([]))
        self.sampler.offer(
            Scored(parsed, matrix, ScoreBatch(values.astype(np.float32), values, values), np.ones(len(raw)))
        )

    def kept(self, inputs: Sequence[Path] = ()) -> Kept:
        """The sample, if it is learned from."""
        return chosen(self.config, "web", self.stream, inputs, lambda *_: None, reservoir=False)

    def batches(self, inputs: Sequence[Path] = (), *, reservoir: bool = False) -> list[RecordBatch]:
        """What is learned, in order."""
        self.keeper.save()

        def say(what: str, done: int, total: int, remark: str) -> None:
            del done
            self.said.extend([f"{what}: {remark}"] if total else [])

        kept = chosen(self.config, "web", self.stream, inputs, say, reservoir=reservoir)
        return list(benign(self.config, "web", self.stream, learned_files("web", self.stream, inputs, kept), kept, say))

    def learned(self, inputs: Sequence[Path] = (), *, reservoir: bool = False) -> list[float]:
        """The values of the field ``ms`` of what is learned, in order."""
        batches = self.batches(inputs, reservoir=reservoir)
        columns = [np.array(batch.column("ms", FieldType.NUMBER))[batch.ok] for batch in batches]
        return [float(value) for column in columns for value in column]
