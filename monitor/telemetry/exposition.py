"""Turns a snapshot of the values into what Prometheus scrapes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import numpy as np
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from monitor.telemetry.names import METRICS, PREFIX, Metric
from monitor.telemetry.store import Histogram, Snapshot, Store

PLAIN_TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text"


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


def exposition(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The scrape's body and content type, as the ``Accept`` header asks for it.

    Only the choice is taken from the header: versions in it are not echoed, and one that cannot be understood gets the
    plain text format, which every scraper reads.
    """
    try:
        content_type = choose_encoder(accept)[1]
    except (TypeError, ValueError):  # a version such as "version=x"
        content_type = PLAIN_TEXT
    if content_type.startswith(OPENMETRICS):
        encode = cast("Callable[[CollectorRegistry], bytes]", openmetrics.generate_latest)
        return encode(registry), openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(registry), PLAIN_TEXT


def families(snapshot: Snapshot) -> Iterator[Family]:
    """The metric families of a snapshot, in the order of the table; those without a series are left out."""
    numbers: dict[str, list[tuple[tuple[str, ...], float]]] = defaultdict(list)
    for (name, *values), number in sorted(snapshot.numbers.items()):
        numbers[PREFIX + name].append((tuple(values), number))
    histograms: dict[str, list[tuple[tuple[str, ...], Histogram]]] = defaultdict(list)
    for (name, *values), histogram in sorted(snapshot.histograms.items(), key=lambda item: item[0]):
        histograms[PREFIX + name].append((tuple(values), histogram))
    for metric in METRICS:
        if metric.name in numbers or metric.name in histograms:
            yield _family(metric, numbers[metric.name], histograms[metric.name])


def _family(
    metric: Metric,
    numbers: Iterable[tuple[tuple[str, ...], float]],
    histograms: Iterable[tuple[tuple[str, ...], Histogram]],
) -> Family:
    family = Family(metric.family, metric.text, metric.kind)
    for values, number in numbers:
        family.add_sample(metric.name, dict(zip(metric.labels, values, strict=True)), number)
    for values, histogram in histograms:
        _add_histogram(family, dict(zip(metric.labels, values, strict=True)), histogram)
    return family


def _add_histogram(family: Family, labels: dict[str, str], histogram: Histogram) -> None:
    bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
    cumulative = np.cumsum(histogram.counts).tolist()
    for bound, count in zip(bounds, cumulative, strict=True):
        family.add_sample(f"{family.name}_bucket", {**labels, "le": bound}, count)
    family.add_sample(f"{family.name}_count", labels, cumulative[-1])
    family.add_sample(f"{family.name}_sum", labels, histogram.total)
