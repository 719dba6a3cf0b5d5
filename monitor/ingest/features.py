"""The features of a stream as one matrix: learned together from benign data, then applied to every batch alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np

from monitor.core.accounting import Memory, MemoryChange
from monitor.core.arrays import F32, Column
from monitor.core.errors import BundleError, DataError, StateError
from monitor.core.features import Block, FeatureMatrix, Layout
from monitor.core.protocols import Encoder, Finding, FittedEncoder, KeyedEncoder, QuotingEncoder, WideningEncoder
from monitor.core.records import Field, RecordBatch
from monitor.core.rows import keep


@dataclass(frozen=True, slots=True)
class Feature:
    """A fitted feature and what it takes to make it again: its kind, field and configuration (plain JSON)."""

    name: str
    kind: str
    field: str
    config: Mapping[str, Any]
    fields: tuple[Field, ...]
    encoder: FittedEncoder

    @property
    def made_by(self) -> str:
        """Kind, field and options as text: what is remembered of keys means the same to whoever has the same."""
        return json.dumps([self.kind, self.field, self.config], sort_keys=True)


@dataclass(frozen=True)
class FeatureSpace:
    """Everything learned of the features of a stream. ``left_out`` says why others could not be learned.

    Without ``novelty`` what benign data never showed explains a record, but does not count.
    """

    features: tuple[Feature, ...]
    left_out: Mapping[str, str]
    novelty: bool = True

    @classmethod
    def fit(cls, encoders: Mapping[str, Encoder], batch: RecordBatch, *, novelty: bool = True) -> FeatureSpace:
        """Learn the features, by name, from benign records; those that are not ok are passed over.

        Raises:
            DataError: not one feature can be learned, or without ``novelty`` none has a column; the message says why.
        """
        batch = batch if batch.ok.all() else keep(batch, batch.ok)
        features: list[Feature] = []
        left_out: dict[str, str] = {}
        for name, encoder in encoders.items():
            try:
                features.append(_fit(name, encoder, batch))
            except DataError as error:
                left_out[name] = str(error)
        if not features:
            reasons = "; ".join(left_out.values()) or "none is configured"
            raise DataError(f"no feature can be learned from {len(batch):,} benign records: {reasons}")
        space = cls(tuple(features), left_out, novelty)
        if not (novelty or space.layout.width):
            raise DataError("model.novelty is false and every feature is constant: there is nothing to score")
        return space

    @cached_property
    def layout(self) -> Layout:
        features = [(f.name, len(f.encoder.columns), len(f.encoder.novelty)) for f in self.features]
        return Layout.of(features, novelty=self.novelty)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """What the parser must deliver, each once."""
        return tuple(dict.fromkeys(field for feature in self.features for field in feature.fields))

    @cached_property
    def needs_context(self) -> bool:
        """Whether a feature reads the event time or the key: those that read no field, or remember keys, do."""
        return any(not f.fields or isinstance(f.encoder, KeyedEncoder) for f in self.features)

    @cached_property
    def needs_time(self) -> bool:
        """Whether a feature reads the event time: those that read no field do, and those that say so."""
        return any(not f.fields or getattr(f.encoder, "timed", False) for f in self.features)

    @property
    def remembers(self) -> bool:
        """Whether a feature remembers keys, so that its columns depend on the records before."""
        return bool(self._keyed)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """A name for each column of the matrix, such as ``status.404``: [layout.total]."""
        network = [f"{f.name}.{column}" for f in self.features for column in f.encoder.columns]
        return (*network, *(f"{f.name}.{column}" for f in self.features for column in f.encoder.novelty))

    def encode(self, batch: RecordBatch) -> FeatureMatrix:
        """The matrix of a batch, one row a record, also of those that are not ok.

        Raises:
            FloatingPointError: an encoder broke its promise of finite columns.
        """
        values = np.zeros((len(batch), self.layout.total), dtype=np.float32)
        for feature, block in zip(self.features, self.layout.blocks, strict=True):
            feature.encoder.encode(batch, *_views(values, block))
        # NaN and infinity show in the extremes: cheaper than looking at each value.
        if values.size and not (np.isfinite(values.min()) and np.isfinite(values.max())):
            self._check_finite(values)
        return FeatureMatrix(values, self.layout)

    def widened(self, batch: RecordBatch) -> FeatureSpace:
        """The same features, which also know the values of further benign records: these are new no more.

        The columns stay, and so does what is remembered of keys.
        """
        batch = batch if batch.ok.all() else keep(batch, batch.ok)
        return replace(self, features=tuple(_widened(feature, batch) for feature in self.features))

    @cached_property
    def sources(self) -> dict[str, str]:
        """The field that each feature reads, by feature."""
        return {feature.name: feature.field for feature in self.features}

    def changed(self, encoders: Mapping[str, Encoder]) -> list[str]:
        """Names of features that are not configured as they were when this was learned, sorted.

        A configured feature that could not be learned then is no change.
        """
        learned = {f.name: (f.kind, f.field, f.config) for f in self.features}
        wanted = {name: _identity(encoder) for name, encoder in encoders.items() if name not in self.left_out}
        return sorted(name for name in {*learned, *wanted} if learned.get(name) != wanted.get(name))

    def explain_feature(
        self, name: str, columns: F32, novelty: F32, reconstruction: F32, actual: Any = None
    ) -> Finding:
        """What one feature says of its own columns of a row; of a text it is told, also which part of it is odd."""
        encoder = self._by_name[name].encoder
        finding = encoder.explain(columns, novelty, reconstruction)
        if not (isinstance(actual, str) and isinstance(encoder, QuotingEncoder)):
            return finding
        passage = encoder.quote(actual, novelty)
        return replace(finding, reason=f'{finding.reason}, oddest at "{passage}"') if passage else finding

    @cached_property
    def _by_name(self) -> dict[str, Feature]:
        return {feature.name: feature for feature in self.features}

    def explain(self, row: F32, reconstruction: F32) -> dict[str, Finding]:
        """What each feature says of one row, [layout.total], and its reconstruction, [layout.width]."""
        return {
            block.feature: self.explain_feature(
                block.feature,
                row[block.start : block.stop],
                row[block.novelty_start : block.novelty_stop],
                reconstruction[block.start : block.stop],
            )
            for block in self.layout.blocks
        }

    def decode(self, values: F32) -> dict[Field, Column]:
        """Fields in their own units from network columns [n, >= layout.width], such as a reconstruction.

        Fields whose encoding cannot be undone are left out; of a field that two features read, the first one speaks.
        """
        decoded: dict[Field, Column] = {}
        for feature, block in zip(self.features, self.layout.blocks, strict=True):
            for field, column in feature.encoder.decode(values[:, block.start : block.stop]).items():
                decoded.setdefault(field, column)
        return decoded

    def state(self) -> list[dict[str, Any]]:
        """All that was learned, as plain JSON; without keyed state."""
        learned: list[dict[str, Any]] = [
            {
                "name": feature.name,
                "kind": feature.kind,
                "field": feature.field,
                "config": feature.config,
                "state": feature.encoder.state(),
            }
            for feature in self.features
        ]
        return [*learned, *({"name": name, "left_out": reason} for name, reason in self.left_out.items())]

    @classmethod
    def restore(
        cls, state: Sequence[Mapping[str, Any]], module: Callable[[str], ModuleType], *, novelty: bool = True
    ) -> FeatureSpace:
        """The features that gave out this state. ``module`` finds an encoder's module by its kind.

        ``novelty`` is no part of the state: it stands in the model's configuration.

        Raises:
            BundleError: the state is not one that ``state`` gives out, or of a kind this version does not know.
        """
        learned = tuple(_restored(entry, module) for entry in state if "left_out" not in entry)
        left_out = {entry["name"]: entry["left_out"] for entry in state if "left_out" in entry}
        return cls(learned, left_out, novelty)

    def keyed_state(self) -> dict[str, Any]:
        """What features remember of each key, by feature, as plain JSON: to be kept with the progress."""
        return {feature.name: encoder.keyed_state() for feature, encoder in self._keyed}

    def load_keyed_state(self, state: Mapping[str, Any]) -> None:
        """Take over what ``keyed_state`` gave out. Features it does not know start empty.

        Raises:
            StateError: it is damaged; features before the damaged one have taken theirs over.
        """
        for feature, encoder in self._keyed:
            if feature.name in state:
                try:
                    encoder.load_keyed_state(state[feature.name])
                except StateError as error:
                    raise StateError(f"feature {feature.name!r}: {error}") from error

    def memories(self) -> dict[str, Memory]:
        """What features remember of each key, by feature; it is read when it is asked for."""
        return {feature.name: Memory(feature.made_by, encoder.keyed_state) for feature, encoder in self._keyed}

    def memory_changes(self) -> tuple[MemoryChange, ...]:
        """What changed in it since this was asked last, or since it was taken over: to be committed with the batch."""
        changes = [(feature, encoder.keyed_changes()) for feature, encoder in self._keyed]
        return tuple(
            MemoryChange(feature.name, feature.made_by, *change, moves=True)
            for feature, change in changes
            if any(change)
        )

    def take_over(self, memories: Mapping[str, Memory]) -> dict[str, str]:
        """Go on with what these features remembered, at the last commit or in the model before this one.

        Returns:
            Of each that cannot be taken over, why not; those features begin empty.
        """
        reasons = {name: _take_over(self._by_name.get(name), memory) for name, memory in memories.items()}
        return {name: reason for name, reason in reasons.items() if reason is not None}

    @cached_property
    def _keyed(self) -> tuple[tuple[Feature, KeyedEncoder], ...]:
        """The features that remember keys."""
        return tuple((f, f.encoder) for f in self.features if isinstance(f.encoder, KeyedEncoder))

    def _check_finite(self, values: F32) -> None:
        for feature, block in zip(self.features, self.layout.blocks, strict=True):
            for view in _views(values, block):
                if not np.isfinite(view).all():
                    row = int(np.flatnonzero(~np.isfinite(view).all(axis=1))[0])
                    raise FloatingPointError(f"feature {feature.name!r} ({feature.kind}): row {row} is not finite")


def _widened(feature: Feature, batch: RecordBatch) -> Feature:
    encoder = feature.encoder
    return replace(feature, encoder=encoder.widened(batch)) if isinstance(encoder, WideningEncoder) else feature


def _take_over(feature: Feature | None, memory: Memory) -> str | None:
    """Why a feature cannot go on with a memory; None when it does."""
    if feature is None or not isinstance(feature.encoder, KeyedEncoder):
        return "the model has no such feature any more"
    if feature.made_by != memory.made_by:
        return "the feature's kind, field or options are others now"
    try:
        feature.encoder.load_keyed_state(memory.state())
    except StateError as error:
        return str(error)
    return None


def _views(values: F32, block: Block) -> tuple[F32, F32]:
    return values[:, block.start : block.stop], values[:, block.novelty_start : block.novelty_stop]


def _identity(encoder: Encoder) -> tuple[str, str, dict[str, Any]]:
    """Kind, field and options of an encoder: what a bundle must have been trained with."""
    kind = type(encoder).__module__.rpartition(".")[2]  # a plugin's module is named after its kind
    return kind, encoder.field, encoder.config.model_dump(mode="json")


def _fit(name: str, encoder: Encoder, batch: RecordBatch) -> Feature:
    kind, field, config = _identity(encoder)
    return Feature(name, kind, field, config, encoder.fields, encoder.fit(batch))


def _restored(entry: Mapping[str, Any], module: Callable[[str], ModuleType]) -> Feature:
    """Raises BundleError; whatever goes wrong inside a plugin goes wrong because of what the bundle says."""
    try:
        plugin = module(entry["kind"])
        # Through JSON text, because the strict models take a list for a tuple only there.
        config = plugin.Config.model_validate_json(json.dumps(entry["config"]))
        encoder: Encoder = plugin.build(config, entry["field"])
        fitted: FittedEncoder = plugin.restore(config, entry["field"], entry["state"])
        return Feature(entry["name"], entry["kind"], entry["field"], entry["config"], encoder.fields, fitted)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"features of the bundle: {entry!r:.200} cannot be restored: {error}") from error
