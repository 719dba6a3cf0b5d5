"""What is different between two versions of a model: how each was made, what each learned, what each finds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from monitor.app.streams import models_root, only_stream
from monitor.core.printable import printable
from monitor.model.card import moment
from monitor.model.manifest import WEIGHTS, Manifest, read_manifest
from monitor.model.trials import by_field
from monitor.model.versions import version_directory
from monitor.plugins import load_config

SHOWN = 60
"""Characters of one value in the table; ``--json`` has all of it."""

ABSENT = "-"


class Difference(msgspec.Struct, frozen=True):
    """One thing that is not the same, by its place; each side as plain data, None where it is not there."""

    place: str
    old: Any
    new: Any


def differences(config_path: Path, stream: str | None, old: str, new: str) -> list[Difference]:
    """Everything that is different, in the order of the manifest: configuration, features, limits, recall.

    Raises:
        UsageError: there are several streams and none was named.
        NoInputError: there is no such version.
        BundleError: a manifest is damaged.
    """
    config = load_config(config_path)
    name = only_stream(config, stream)
    root = models_root(config)
    before, after = (dict(_facts(read_manifest(version_directory(root, name, each)))) for each in (old, new))
    return [
        Difference(place, before.get(place), after.get(place))
        for place in dict.fromkeys([*before, *after])
        if before.get(place) != after.get(place)
    ]


def lines(found: list[Difference]) -> Iterator[str]:
    """For a person: one line a difference, the old side first."""
    for each in found:
        yield f"{printable(each.place)}: {_shown(each.old)} -> {_shown(each.new)}"


def _shown(value: Any) -> str:
    if value is None:
        return ABSENT
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), limit=SHOWN)


def _facts(manifest: Manifest) -> Iterator[tuple[str, Any]]:
    """What is compared, each with its place."""
    yield from ((f"made by.{name}", version) for name, version in manifest.versions.items())
    yield from _flat("model", manifest.model)
    yield from _flat("", manifest.sections)
    for feature in manifest.features:
        yield f"feature.{feature.get('name', '?')}", _without_state(feature)
    yield from ((f"columns.{name}", [wide, novel]) for name, wide, novel in manifest.layout)
    yield "layers", list(manifest.widths)
    yield from _learned(manifest)
    for field, (records, found) in by_field(manifest.trials.planted).items():
        yield f"recall.{field}", round(found / records, 3)
    yield from ((f"gate.{gate.name}", "passed" if gate.passed else "failed") for gate in manifest.trials.gates)


def _learned(manifest: Manifest) -> Iterator[tuple[str, Any]]:
    data, calibration = manifest.data, manifest.calibration
    yield "records", {"train": data.train, "early_stop": data.early_stop, "calibration": data.calibration}
    yield from ((f"data.{edge}", moment(at)) for edge, at in (("from", data.first_time), ("to", data.last_time)) if at)
    yield "calibration", [calibration.low, calibration.high]
    names = [name for name, _, _ in manifest.layout]
    yield from ((f"error.{name}", mean) for name, mean in zip(names, calibration.field_means, strict=True))
    yield from ((f"missing.{field}", share) for field, share in manifest.trials.missing.items())
    yield "threshold", manifest.threshold
    if manifest.limit:
        yield "promise", manifest.limit.text()
    yield "weights bytes", manifest.files[WEIGHTS].bytes


def _without_state(feature: Mapping[str, Any]) -> dict[str, Any]:
    """How a feature is configured; what it learned is as long as its vocabulary."""
    return {name: value for name, value in feature.items() if name != "state"}


def _flat(place: str, section: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in section.items():
        path = f"{place}.{name}".removeprefix(".")
        if isinstance(value, Mapping):
            yield from _flat(path, value)
        else:
            yield path, value
