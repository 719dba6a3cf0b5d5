"""One thread that saves the samples of all streams, now and then and at the end."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from monitor.core.clock import Clock
from monitor.core.records import Field
from monitor.reservoir.reservoir import Reservoir
from monitor.reservoir.sample import Limits
from monitor.telemetry import Telemetry

SAVE_SECONDS = 60.0
"""What a kill may cost the sample; a save writes what changed of it, a megabyte or so."""


class Keeper(threading.Thread):
    """The reservoirs under ``directory``, by stream; each is opened once and outlives the models of its stream."""

    def __init__(
        self, directory: Path, telemetry: Telemetry, clock: Clock, *, save_seconds: float = SAVE_SECONDS
    ) -> None:
        super().__init__(name="reservoir", daemon=True)
        self._directory = directory
        self._telemetry = telemetry
        self._clock = clock
        self._save_seconds = save_seconds
        self._reservoirs: dict[str, Reservoir] = {}
        self._ending = threading.Event()

    def reservoir(self, stream: str, fields: Sequence[Field], limits: Limits, *, stretches: bool = False) -> Reservoir:
        """The reservoir of a stream; with other fields than before, or for stretches or no more, it is opened anew."""
        held = self._reservoirs.get(stream)
        if held is not None and (held.fields, held.stretches) == (tuple(fields), stretches):
            held.hold_to(limits)
            return held
        if held is not None:
            held.save(self._clock.now())
        telemetry = self._telemetry.stream(stream)
        now = self._clock.now()
        opened = Reservoir(self._directory / stream, fields, limits, telemetry, now, stretches=stretches)
        self._reservoirs[stream] = opened
        return opened

    def run(self) -> None:
        while not self._ending.wait(self._save_seconds):
            self.save()

    def save(self) -> None:
        """Save every reservoir."""
        for stream, reservoir in list(self._reservoirs.items()):
            try:
                reservoir.save(self._clock.now())
            except Exception as error:  # noqa: BLE001 - what is wrong with a sample must not end the saving of others
                self._telemetry.stream(stream).reservoir_failed(error)

    def close(self) -> None:
        """End the thread and save what there is; may be called twice."""
        self._ending.set()
        if self.is_alive():
            self.join()
        self.save()
