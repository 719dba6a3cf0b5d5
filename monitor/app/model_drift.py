"""How far a stream has moved away from the model in use, and what to make of it; beside a running daemon."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from monitor.app.streams import models_root, only_stream
from monitor.core.clock import DAY_SECONDS, SystemClock
from monitor.core.config import Config
from monitor.core.drifted import Drifted, Usual
from monitor.core.errors import NoInputError
from monitor.core.limit import Limit, two_digits
from monitor.core.printable import printable
from monitor.deciding.drift import DRIFT, drifted
from monitor.deciding.promise import expected, most
from monitor.ledger import Ledger
from monitor.model.manifest import read_manifest
from monitor.model.versions import version_directory
from monitor.plugins import load_config, resolve_state_dir

OLD_DAYS = 90
"""A model of that age is pointed out even if nothing else is."""

FAR = 2.0
"""Times its usual error, from which on a field is pointed out; and so for values never seen."""

NOTABLE = 0.01
"""Of the records at least so many must have values never seen."""

LEAST = 1_000
"""Records: of fewer than this a single attack makes a mean that looks like drift, and nobody should learn that."""

SHOWN = 5
"""Fields named, those furthest away."""


class Standing(msgspec.Struct, frozen=True):
    """A model in use. ``age_days`` since it was published; the rest is None before the daemon scored with it.

    ``expected`` are episodes (alerts, without days) promised for so many ``records``, None where nothing is promised;
    ``novel`` the recent share of records with a value benign data had never shown, ``usual_novel`` that of calibration;
    ``fields`` how many times its calibrated error each feature has lately. ``hint`` is for a person.
    """

    stream: str
    version: str
    age_days: float
    records: int | None
    episodes: int | None
    expected: float | None
    novel: float | None
    usual_novel: float | None
    fields: dict[str, float]
    hint: str


def standing(config_path: Path, stream: str | None) -> Standing:
    """How the model in use stands.

    Raises:
        UsageError: there are several streams and none was named, or there is no such stream.
        NoInputError: nothing has been published.
    """
    config = load_config(config_path)
    name = only_stream(config, stream)
    directory = version_directory(models_root(config), name)
    manifest = read_manifest(directory)
    age = (SystemClock().now() - datetime.fromisoformat(manifest.created).timestamp()) / DAY_SECONDS
    found = _kept(config, name, directory.name, manifest.usual)
    return Standing(
        stream=name,
        version=directory.name,
        age_days=age,
        records=None if found is None else found.records,
        episodes=None if found is None else found.episodes,
        expected=expected(manifest.limit, found.records) if found and manifest.limit else None,
        novel=None if found is None else found.novel,
        usual_novel=manifest.trials.novel,
        fields=found.ratios() if found else {},
        hint=hint(found, manifest.limit, age),
    )


def _kept(config: Config, stream: str, version: str, usual: Usual) -> Drifted | None:
    """What the ledger has of it; None where there is no ledger, or the model has not scored yet."""
    try:
        with Ledger.open(resolve_state_dir(config, os.environ), read_only=True) as ledger:
            memory = ledger.memories(stream).get(DRIFT)
            return None if memory is None else drifted(memory, version, usual)
    except NoInputError:
        return None


def hint(found: Drifted | None, promise: Limit | None, age_days: float) -> str:
    """One line: the plainest sign that the model no longer fits, if there is one."""
    if found is None:
        return "nothing is known yet: the daemon has not scored with it"
    return sign_of_drift(found, promise, age_days) or "no sign of drift"


def sign_of_drift(found: Drifted, promise: Limit | None, age_days: float) -> str | None:
    """The plainest sign that the model no longer fits; None where there is none."""
    if promise and found.episodes > most(promise, found.records):
        wanted = two_digits(expected(promise, found.records))
        return f"{found.episodes:,} episodes came where {wanted} were expected: an incident, or drift; then retrain"
    if found.records >= LEAST and found.novel > max(NOTABLE, FAR * (found.usual.novel or 0.0)):
        return (
            f"{found.novel:.1%} of the records have values that benign data had never shown: retrain if that is normal"
        )
    ratios = found.ratios()
    field = max(ratios, key=lambda name: ratios[name], default=None)
    if found.records >= LEAST and field is not None and ratios[field] > FAR:
        return f"errors in {printable(field)} are {ratios[field]:.1f} times what they were: retrain if that is normal"
    if age_days > OLD_DAYS:
        return f"the model is {age_days:.0f} days old: retrain"
    return None


def lines(found: Standing) -> Iterator[str]:
    """For a person."""
    yield f"in use     {found.version}, {found.age_days:.1f} days old"
    if found.records is not None:
        promised = "" if found.expected is None else f", {two_digits(found.expected)} expected"
        yield f"since then {found.records:,} records scored, {found.episodes:,} episodes{promised}"
    if found.novel is not None:
        usual = "" if found.usual_novel is None else f" ({found.usual_novel:.2%} when it was made)"
        yield f"unseen     {found.novel:.2%} of recent records have a value never seen{usual}"
    if found.fields:
        furthest = sorted(found.fields.items(), key=lambda item: -item[1])[:SHOWN]
        told = ", ".join(f"{printable(name)} {ratio:.2f}" for name, ratio in furthest)
        yield f"errors     of recent records, per that of calibration: {told}"
    yield f"hint       {found.hint}"
