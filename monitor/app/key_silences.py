"""The alerts of keys that are silent though others of their stream are not."""

from __future__ import annotations

import math
from collections import Counter

from monitor.app.alerting import rfc3339
from monitor.app.called_benign import Benign
from monitor.app.news import News
from monitor.app.silences import SECTION, Rules, SilenceWriter
from monitor.core.accounting import Resolution
from monitor.core.alerts import Alert
from monitor.core.clock import Clock
from monitor.core.config import StreamConfig
from monitor.core.groups import by_key
from monitor.core.records import RecordBatch
from monitor.deciding.key_policy import KeyPolicy
from monitor.deciding.key_silence import Fallen, KeySilence, Risen
from monitor.deciding.presence import Presence
from monitor.deciding.silence import Silent
from monitor.explaining.silences import give_up, hush, hush_many, speak, speak_many
from monitor.explaining.storms import merge
from monitor.model.bundle import BundleContents


def key_policy(stream: StreamConfig, contents: BundleContents) -> KeyPolicy:
    """When the silence of keys is told: as the configuration says, or as benign data were."""
    alert = stream.alert
    learned = contents.sections.get(SECTION, {}).get("key_seconds")
    seconds = learned if alert.key_silence == "auto" else alert.key_silence
    return KeyPolicy(
        seconds=math.inf if stream.key is None or seconds in (None, "off") else float(seconds),
        learn=alert.key_silence == "auto",
        storm_keys=alert.storm_keys,
        gap_seconds=alert.episode_gap_seconds,
        hold_seconds=min(alert.hold_seconds, alert.episode_gap_seconds),
    )


class KeySilenceTeller:
    """Tells who is silent, and who no longer is."""

    def __init__(
        self,
        policy: KeyPolicy,
        clock: Clock,
        writer: SilenceWriter,
        rules: Rules,
        benign: Benign | None = None,
        *,
        timed: bool,
    ) -> None:
        accepted = benign.silences if benign else frozenset[str]
        self.silence = KeySilence(writer.stream, policy, Presence(clock, timed=timed), rules, accepted)
        self._writer = writer

    def heard(self, records: RecordBatch) -> News:
        """Records came, with event times and keys if anything is told."""
        raw = records.raw
        self._writer.places.note(raw, records.once(by_key).keys if self.silence.policy.on else ())
        news = self.silence.hear(records, complete=not raw.sampled_out)
        return News(
            alerts=tuple(map(self._alert, news.fallen)),
            suppressed=Counter(fallen.rule for fallen in news.fallen if fallen.rule),
            resolved=tuple(map(self._resolution, news.risen)),
        )

    def _alert(self, fallen: Fallen) -> Alert:
        stream, keys = self._writer.stream, [away.key for away in fallen.keys]
        first = min(fallen.keys, key=lambda away: away.since)
        since = rfc3339(first.since)
        if len(keys) > 1:
            summary = hush_many(stream, since, first.seconds, keys)
        else:
            summary = hush(stream, since, first.seconds, first.limit, first.key)
        silent = Silent(first.since, first.seconds)
        return self._writer.alert(fallen.id, silent, first.limit, summary, keys=keys, rule=fallen.rule)

    def _resolution(self, risen: Risen) -> Resolution:
        stream = self._writer.stream
        if risen.joined:
            summary = merge(stream, risen.key, risen.joined)
        elif risen.gone:
            summary = give_up(stream, risen.seconds, risen.key, risen.keys)
        elif risen.keys > 1:
            summary = speak_many(stream, risen.keys, risen.silent, risen.seconds)
        else:
            summary = speak(stream, risen.seconds, risen.key)
        silent = Silent(risen.since, risen.seconds)
        return self._writer.end(risen.id, silent, risen.limit, summary, keys=risen.keys)
