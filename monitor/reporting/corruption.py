"""The corruption sweep: benign records damaged in stated ways and strengths, and how many of them the model finds.

Damage is done to parsed values, so records need no second reading, and go the way of every record from there:
encoded, scored. Features that remember what came before (gaps between records) have no value of their own to damage.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.core.arrays import F32, F64, Bools
from monitor.core.columns import nulls
from monitor.core.errors import UsageError
from monitor.core.features import FeatureMatrix
from monitor.core.names import did_you_mean, listed, quoted
from monitor.core.progress import Progress
from monitor.core.protocols import KeyedEncoder
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.ingest.features import Feature, FeatureSpace
from monitor.reporting.curves import auroc
from monitor.reporting.damage import (
    Columns,
    Damage,
    Range,
    boolean_damages,
    columns_of,
    combined,
    differing,
    number_damages,
    text_damages,
    vector_damages,
)
from monitor.reporting.evaluation import Corrupted
from monitor.reporting.intervals import Bootstrap
from monitor.reporting.kinds import KINDS
from monitor.scoring.l1 import L1Scorer

MOST_RUNS = 60
"""Damaged samples that are scored; wide streams damage a drawn sample of their features, which is said."""

SAMPLE_RECORDS = 2000
"""Benign records that are damaged: a recall of 50 % is then known to within about 2 %."""

ALL = "all features"


@dataclass(frozen=True, slots=True)
class Sample:
    """Benign records kept whole: as parsed, as encoded, and the scores they have undamaged."""

    records: RecordBatch
    values: F32  # [n, total]
    scores: F64  # [n]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to damage and how: kinds of ``kinds.KINDS``, features by name (none: all or a sample), noise ranges."""

    kinds: Sequence[str]
    features: Sequence[str]
    noise: Sequence[Range]


@dataclass(frozen=True, slots=True)
class Limits:
    """The thresholds at which damaged records count as found."""

    threshold: float
    at_rate: float


@dataclass(frozen=True, slots=True)
class _Target:
    """Fields that are damaged together, and what may befall them."""

    name: str
    fields: tuple[Field, ...]
    damages: tuple[Damage, ...]


@dataclass(frozen=True, slots=True)
class Sweep:
    """The runs of a sweep, in the order of the features, and what a reader must know of them."""

    rows: tuple[Corrupted, ...]
    notes: tuple[str, ...]


def check_plan(space: FeatureSpace, plan: Plan) -> None:
    """Find out what cannot be done, or would have no effect, before anything is read.

    Raises:
        UsageError: a feature does not exist or has no values to damage; a kind or noise that nothing can take.
    """
    for name in plan.features:
        if name not in space.sources:
            raise UsageError(
                f"--corrupt-feature: there is no feature {quoted(name)}{did_you_mean(name, space.sources)}"
            )
    chosen = [feature for feature in _damageable(space) if not plan.features or feature.name in plan.features]
    for name in plan.features:
        if name not in {feature.name for feature in chosen}:
            raise UsageError(f"--corrupt-feature: {quoted(name)} is made of the event time or of earlier records")
    _check_kinds(space, chosen, plan)


def _check_kinds(space: FeatureSpace, chosen: Sequence[Feature], plan: Plan) -> None:
    if not plan.kinds and (plan.features or plan.noise):
        option = "--corrupt-feature" if plan.features else "--noise"
        raise UsageError(f"--corrupt none: nothing is damaged, so {option} has no effect; leave out one of them")
    if plan.noise and "noise" not in plan.kinds:
        raise UsageError("--noise: has no effect without noise among the kinds of --corrupt")
    if plan.noise and not any(_takes_noise(feature) for feature in chosen):
        raise UsageError("--noise: no feature that is damaged is a number or a vector")
    if set(plan.kinds) == set(KINDS):  # all means: whatever can be done
        return
    possible = {damage.kind for feature in chosen for damage in _damages(space, feature, _empty(feature), plan)}
    for kind in plan.kinds:
        if kind not in possible:
            raise UsageError(f"--corrupt: {quoted(kind)} cannot be done to any of the features; leave it out")


def _empty(feature: Feature) -> Columns:
    return {field: nulls(field.type, 0) for field in feature.fields}


def sweep(
    space: FeatureSpace,
    scorer: L1Scorer,
    sample: Sample,
    plan: Plan,
    limits: Limits,
    bootstrap: Bootstrap,
    progress: Progress,
) -> Sweep:
    """Damage the sample in every planned way, one after the other, and score it.

    A run is left out when the damage changes no record (ten times zero). The random numbers of a run depend on the seed
    and on the run alone, not on the runs beside it.
    """
    targets = [_target(space, feature, sample, plan) for feature in _candidates(space, plan)]
    targets = [target for target in targets if target.damages]
    chosen, notes = _bounded(targets, plan, bootstrap)
    runs = [(target, damage) for target in chosen for damage in target.damages]
    runs += _together(targets)
    rows: list[Corrupted] = []
    for index, (target, damage) in enumerate(runs):
        row = _run(space, scorer, sample, target, damage, limits, bootstrap)
        rows += [row] if row is not None else []
        progress("corrupting", index + 1, len(runs), target.name)
    return Sweep(tuple(rows), tuple(notes))


def _damageable(space: FeatureSpace) -> list[Feature]:
    return [f for f in space.features if f.fields and not isinstance(f.encoder, KeyedEncoder)]


def _candidates(space: FeatureSpace, plan: Plan) -> list[Feature]:
    """The features asked for, or all; of those that read the same fields, damaged together, the first one."""
    wanted = [feature for feature in _damageable(space) if not plan.features or feature.name in plan.features]
    return list({feature.fields: feature for feature in reversed(wanted)}.values())[::-1]


def _takes_noise(feature: Feature) -> bool:
    return feature.fields[0].type in (FieldType.NUMBER, FieldType.VECTOR)


def _target(space: FeatureSpace, feature: Feature, sample: Sample, plan: Plan) -> _Target:
    columns = columns_of(sample.records, feature.fields)
    return _Target(feature.name, feature.fields, tuple(_damages(space, feature, columns, plan)))


def _damages(space: FeatureSpace, feature: Feature, columns: Columns, plan: Plan) -> list[Damage]:
    """What is planned for a feature, the strengths taken from the columns it reads."""
    damages = [damage for damage in _damages_of_type(feature, columns, plan) if damage.kind in plan.kinds]
    if all(other.fields and set(other.fields) <= set(feature.fields) for other in space.features):
        # Nothing else is in the records: exchanged values would be the same records in another order.
        return [damage for damage in damages if damage.strength != "between records"]
    return damages


def _damages_of_type(feature: Feature, columns: Columns, plan: Plan) -> list[Damage]:
    kind = feature.fields[0].type
    if kind is FieldType.VECTOR or (kind is FieldType.NUMBER and len(feature.fields) > 1):
        return vector_damages(columns, plan.noise)
    if kind is FieldType.NUMBER:
        return number_damages(columns, plan.noise)
    return boolean_damages() if kind is FieldType.BOOLEAN else text_damages()


def _bounded(targets: Sequence[_Target], plan: Plan, bootstrap: Bootstrap) -> tuple[list[_Target], list[str]]:
    """As many targets as may be damaged one by one, drawn by the seed; all that were asked for by name."""
    if plan.features or sum(len(target.damages) for target in targets) <= MOST_RUNS:
        return list(targets), []
    order = bootstrap.generator(4).permutation(len(targets)).tolist()
    kept: list[int] = []
    for index in order:
        if sum(len(targets[i].damages) for i in (*kept, index)) <= MOST_RUNS or not kept:
            kept.append(index)
    chosen = [targets[index] for index in sorted(kept)]
    names = listed([target.name for target in chosen])
    note = (
        f"of {len(targets):,} features, {len(chosen)} were damaged one by one, drawn by the seed: {names}; "
        "--corrupt-feature names others"
    )
    return chosen, [note]


def _together(targets: Sequence[_Target]) -> list[tuple[_Target, Damage]]:
    """Noise of each strength, and no value, in all features at once."""
    if len(targets) < 2:
        return []
    runs: list[tuple[_Target, Damage]] = []
    for kind in ("noise", "missing"):
        having = [(t, [d for d in t.damages if d.kind == kind]) for t in targets]
        having = [(target, damages) for target, damages in having if damages]
        for step in range(max((len(damages) for _, damages in having), default=0)):
            together = combined([d[step] for _, d in having], [target.fields for target, _ in having])
            fields = tuple(dict.fromkeys(field for target, _ in having for field in target.fields))
            runs.append((_Target(ALL, fields, ()), together))
    return runs


def _run(
    space: FeatureSpace,
    scorer: L1Scorer,
    sample: Sample,
    target: _Target,
    damage: Damage,
    limits: Limits,
    bootstrap: Bootstrap,
) -> Corrupted | None:
    purpose = zlib.crc32(f"{target.name}\n{damage.kind}\n{damage.strength}".encode())
    before = columns_of(sample.records, target.fields)
    after = damage.change(before, bootstrap.generator(5, purpose))
    changed = differing(before, after)
    if not changed.any():
        return None
    scores = _rescored(space, scorer, sample, after)[changed]
    labels: Bools = np.repeat([False, True], [len(sample.scores), len(scores)])
    return Corrupted(
        kind=damage.kind,
        target=target.name,
        strength=damage.strength,
        records=len(scores),
        recall=bootstrap.share(int((scores > limits.threshold).sum()), len(scores), 6, purpose),
        recall_at_rate=bootstrap.share(int((scores > limits.at_rate).sum()), len(scores), 7, purpose),
        auroc=auroc(np.concatenate((sample.scores, scores)), labels),
    )


def _rescored(space: FeatureSpace, scorer: L1Scorer, sample: Sample, damaged: Columns) -> F64:
    """Scores [n] of the sample with some columns damaged; only features that read one of them are encoded again."""
    touched = [feature for feature in _damageable(space) if not damaged.keys().isdisjoint(feature.fields)]
    records = replace(sample.records, columns={**sample.records.columns, **damaged})
    return scorer.score(encoded_again(space, touched, records, sample.values)).scores


def encoded_again(space: FeatureSpace, touched: Sequence[Feature], records: RecordBatch, values: F32) -> FeatureMatrix:
    """``values`` [n, total], the records as encoded before something happened to them, with some features anew."""
    encoded = replace(space, features=tuple(touched)).encode(records)
    blocks = {block.feature: block for block in space.layout.blocks}
    values = values.copy()
    for new in encoded.layout.blocks:
        old = blocks[new.feature]
        values[:, old.start : old.stop] = encoded.values[:, new.start : new.stop]
        values[:, old.novelty_start : old.novelty_stop] = encoded.values[:, new.novelty_start : new.novelty_stop]
    return FeatureMatrix(values, space.layout)
