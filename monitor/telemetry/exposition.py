"""Turns a snapshot of the values into what Prometheus scrapes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar, cast

import numpy as np
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from monitor.telemetry.names import METRICS, PREFIX, Metric
from monitor.telemetry.store import Example, Histogram, Series, Snapshot, Store

PLAIN_TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text"
_Value = TypeVar("_Value", float, Histogram)


class StoreCollector(Collector):
    """Reads the store once a scrape; every value of a scrape is of the same moment."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterable[Family]:
        return families(self._store.snapshot())


def registry_of(store: Store) -> CollectorRegistry:
    """A registry of its own with the store's values and those of the process."""
    registry = CollectorRegistry()
    registry.register(StoreCollector(store))
    ProcessCollector(registry=registry)
    return registry


def content_type_for(accept: str) -> str:
    """What is sent to whoever accepts this; to whoever accepts that, the same.

    Only the choice is taken from the header: versions in it are not echoed, and one that cannot be understood gets the
    plain text format, which every scraper reads.
    """
    try:
        chosen = choose_encoder(accept)[1]
    except (TypeError, ValueError):  # a version such as "version=x"
        return PLAIN_TEXT
    return openmetrics.CONTENT_TYPE_LATEST if chosen.startswith(OPENMETRICS) else PLAIN_TEXT


def exposition(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The scrape's body and content type, as the ``Accept`` header asks for it."""
    content_type = content_type_for(accept)
    if content_type == PLAIN_TEXT:
        return generate_latest(registry), content_type
    encode = cast("Callable[[CollectorRegistry], bytes]", openmetrics.generate_latest)
    return encode(registry), content_type


def families(snapshot: Snapshot) -> Iterator[Family]:
    """The metric families of a snapshot, in the order of the table; those without a series are left out."""
    numbers, histograms = _by_metric(snapshot.numbers), _by_metric(snapshot.histograms)
    for metric in METRICS:
        if metric.name not in numbers and metric.name not in histograms:
            continue
        family = Family(metric.family, metric.text, metric.kind)
        for series, number in numbers.get(metric.name, ()):
            family.add_sample(
                metric.name, _labels(metric, series), number, exemplar=_shown(snapshot.examples.get(series))
            )
        for series, histogram in histograms.get(metric.name, ()):
            _add_histogram(family, _labels(metric, series), histogram)
        yield family


def _by_metric(values: Mapping[Series, _Value]) -> dict[str, list[tuple[Series, _Value]]]:
    """The series of each metric, by its full name, in the order of their labels."""
    found: dict[str, list[tuple[Series, _Value]]] = defaultdict(list)
    for series in sorted(values):
        found[PREFIX + series[0]].append((series, values[series]))
    return found


def _labels(metric: Metric, series: Series) -> dict[str, str]:
    return dict(zip(metric.labels, series[1:], strict=True))


def _add_histogram(family: Family, labels: dict[str, str], histogram: Histogram) -> None:
    bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
    cumulative = np.cumsum(histogram.counts).tolist()
    for bucket, (bound, count) in enumerate(zip(bounds, cumulative, strict=True)):
        exemplar = _shown(histogram.examples.get(bucket))
        family.add_sample(f"{family.name}_bucket", {**labels, "le": bound}, count, exemplar=exemplar)
    family.add_sample(f"{family.name}_count", labels, cumulative[-1])
    family.add_sample(f"{family.name}_sum", labels, histogram.total)


def _shown(example: Example | None) -> Exemplar | None:
    """As OpenMetrics has it; the plain format leaves it out."""
    return None if example is None else Exemplar({"alert_id": example.alert_id}, example.value, example.when)
