"""One of a set of names: a column for each frequent value, one for all rare ones, and surprise at values never seen.

An unseen value is as surprising as benign data make it: in a closed vocabulary much, in a field where new values come
every day little. Its network columns read as benign data do on average, so that it disturbs no other field.
"""

# The functions of pyarrow.compute are made at import time; no checker can see them.
from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from pydantic import Field as Option
from pydantic import model_validator

from monitor.core.arrays import F32, I64, Bools, Column
from monitor.core.arrow import pa, pc
from monitor.core.errors import DataError
from monitor.core.groups import LONGEST, remembered
from monitor.core.names import quoted
from monitor.core.novelty import changed, unseen
from monitor.core.printable import printable
from monitor.core.protocols import Encoder, Finding, FittedEncoder
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.strict import StrictModel
from monitor.encoders._flags import Flags
from monitor.encoders._reading import found_instead, texts
from monitor.encoders._wording import MISSING, ORDINARY

MOST_SEEN = 100_000
"""So many rare values are remembered (about 10 MB). With more, a value cannot be told to be new: it counts as rare."""

FAINT = 0.3
"""An unseen value that weighs fewer bans (every second value is new) is nothing to remember the others for."""

RARE = "<rare>"
"""The column of all rare values, and the text that stands for one of them."""

LISTED = 5
"""The benign range names so many values."""


class Config(StrictModel):
    """Options of ``categorical``."""

    max_values: int = Option(
        default=64, ge=1, le=4096, description="Most values that get a column of their own, the most frequent ones."
    )
    min_count: int = Option(
        default=2, ge=1, description="Values seen fewer times in benign data have no column: they share `rare`."
    )
    values: list[str] | None = Option(
        default=None,
        min_length=1,
        max_length=4096,
        description="Exactly these values have a column, in this order, even those that benign data never had. Any "
        "other has none, and is a novelty if benign data never had it.",
    )

    @model_validator(mode="after")
    def _one_vocabulary(self) -> Self:
        if self.values is None:
            return self
        if twice := [value for value, count in Counter(self.values).items() if count > 1]:
            raise ValueError(f"values names {quoted(twice[0])} twice")
        options = type(self).model_fields
        if set_too := [n for n in ("max_values", "min_count") if getattr(self, n) != options[n].default]:
            raise ValueError(
                f"give either values or {set_too[0]}: the listed values have columns, however rare they are"
            )
        return self


EXAMPLE = """
max_values: 32
min_count: 5
"""


@dataclass(frozen=True)
class CategoricalEncoder:
    """Not yet fitted."""

    config: Config
    field: str

    @property
    def fields(self) -> tuple[Field, ...]:
        return (Field(self.field, FieldType.TEXT),)

    def fit(self, batch: RecordBatch) -> FittedEncoder:
        column = texts(batch, self.field)
        missing = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
        counts = _counts(column)
        vocabulary = self._vocabulary(counts, len(batch))
        listed = set(vocabulary)
        rare = {value: count for value, count in counts.items() if value not in listed}
        strength = unseen(counts.total(), sum(1 for count in counts.values() if count == 1))
        kept = not rare or (len(rare) <= MOST_SEEN and strength >= FAINT)
        sizes = [counts[value] for value in vocabulary]
        if rare and self.config.values is None:
            sizes.append(sum(rare.values()))
        return FittedCategorical(
            config=self.config,
            field=self.field,
            vocabulary=vocabulary,
            rare=frozenset(map(remembered, rare)) if kept else None,
            shares=tuple(size / counts.total() for size in sizes),
            strength=strength,
            flags=Flags.learn({MISSING: missing}, len(batch)),
        )

    def _vocabulary(self, counts: Counter[str], records: int) -> tuple[str, ...]:
        """The values with a column: as listed, or the most frequent first; ties in the order of the alphabet."""
        if self.config.values is not None:
            if not counts.keys() & set(self.config.values):
                found = found_instead(pa.array(list(counts), pa.string()))
                raise DataError(
                    f"field {self.field!r}: none of the listed values in any of {records:,} benign records{found}"
                )
            return tuple(self.config.values)
        frequent = [v for v, count in counts.items() if count >= self.config.min_count and len(v) <= LONGEST]
        if not frequent:
            raise DataError(
                f"field {self.field!r}: none of its {len(counts):,} values occurs {self.config.min_count} times in "
                f"{records:,} benign records; an identifier, perhaps"
            )
        return tuple(sorted(frequent, key=lambda value: (-counts[value], value))[: self.config.max_values])


@dataclass(frozen=True)
class FittedCategorical:
    """The values benign data showed.

    ``shares`` are the benign shares of the vocabulary and, if they have a column, of all others together. ``rare`` are
    these others, None when they were not remembered; then no value is known to be new.
    """

    config: Config
    field: str
    vocabulary: tuple[str, ...]
    rare: frozenset[str] | None
    shares: tuple[float, ...]
    strength: float
    flags: Flags

    @property
    def columns(self) -> tuple[str, ...]:
        values = (*map(_name, self.vocabulary), RARE)[: self._width]
        return (*values, *(f"<{name}>" for name in self.flags.columns))

    @property
    def novelty(self) -> tuple[str, ...]:
        return (*("unseen" if self.constant is None else "changed",)[: self._own], *self.flags.novelty)

    @cached_property
    def has_rare(self) -> bool:
        return len(self.shares) > len(self.vocabulary)

    @cached_property
    def constant(self) -> int | None:
        """The only value benign data showed, by its place in the vocabulary; None if there were several."""
        return self.shares.index(1.0) if 1.0 in self.shares else None

    def encode(self, batch: RecordBatch, columns: F32, novelty: F32) -> None:
        column = texts(batch, self.field)
        index = _positions(column, self._values)
        known = index >= 0
        if self._width:
            rows = np.flatnonzero(known)
            columns[rows, index[rows]] = 1.0
        if self.constant is not None:
            novelty[known & (index != self.constant), 0] = self._change
        if known.all():
            return
        missing = column.is_null().to_numpy(zero_copy_only=False)
        self._encode_others(column, np.flatnonzero(~known & ~missing), columns, novelty)
        if MISSING in self.flags.novelty:
            columns[missing, : self._width] = self._neutral
        self.flags.write((missing,), columns[:, self._width :], novelty[:, self._own :])

    def widened(self, batch: RecordBatch) -> FittedCategorical:
        """See ``WideningEncoder``. A value that was the only one stays it."""
        if self.constant is not None or self.rare is None:
            return self
        values = texts(batch, self.field).unique().drop_null().to_pylist()
        known = self.rare.union(map(remembered, values)).difference(map(remembered, self.vocabulary))
        return replace(self, rare=known)

    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        width = self._width
        reason = (
            self.flags.novelty_reason(novelty[self._own :])
            or (self._new() if self._own and novelty[0] > 0.0 else None)
            or self.flags.reason(columns[width:], reconstruction[width:])
            or self._rareness(columns)
            or ORDINARY
        )
        return Finding(self._expected(reconstruction), self._range() + self.flags.range_suffix(), reason)

    def decode(self, columns: F32) -> Mapping[Field, Column]:
        """The value of the largest column, ``<rare>`` for the rare ones; null where missing is larger still."""
        words = pa.array([*self.vocabulary, RARE, None], pa.string())
        missing = np.full(len(columns), len(words) - 1)
        if not self._width:
            places = np.where(self.flags.shows(columns, MISSING), missing, 0)
        else:
            best = np.where(np.isnan(columns), -np.inf, columns).argmax(axis=1)
            places = np.where(best < self._width, best, missing)
        return {Field(self.field, FieldType.TEXT): words.take(pa.array(places))}

    def state(self) -> Mapping[str, Any]:
        return {
            "vocabulary": list(self.vocabulary),
            "rare": None if self.rare is None else sorted(self.rare),
            "shares": list(self.shares),
            "strength": self.strength,
            "flags": self.flags.state(),
        }

    @cached_property
    def _values(self) -> Any:
        return pa.array(self.vocabulary, type=pa.string())

    @cached_property
    def _width(self) -> int:
        """Columns of values, without those of states: none if there is nothing to tell apart and none was asked for."""
        return len(self.shares) if self.constant is None or self.config.values is not None else 0

    @cached_property
    def _own(self) -> int:
        """Novelty columns of values: none if no value is known to be new."""
        return 0 if self.rare is None else 1

    @cached_property
    def _change(self) -> float:
        """Strength of a value where benign data showed but one other."""
        return float(changed(self.flags.records, np.zeros(1))[0])

    @cached_property
    def _neutral(self) -> F32:
        """What a value reads as that tells nothing: the benign average. [_width]."""
        return np.asarray(self.shares[: self._width], dtype=np.float32)

    def _encode_others(self, column: Any, rows: I64, columns: F32, novelty: F32) -> None:
        """Values outside the vocabulary, at ``rows`` [m]: rare ones and new ones."""
        if not len(rows):
            return
        if self.has_rare:
            columns[rows, len(self.vocabulary)] = 1.0
        else:
            columns[rows, : self._width] = self._neutral
        if self.rare is not None:
            new = ~_among(column.take(pa.array(rows)), self.rare)
            novelty[rows[new], 0] = self.strength if self.constant is None else self._change

    def _new(self) -> str:
        if self.constant is not None:
            return f"changed: always {_name(self.vocabulary[self.constant])} in {self.flags.records:,} benign records"
        return f"never seen in {self.flags.records:,} benign records"

    def _rareness(self, columns: F32) -> str | None:
        position = len(self.vocabulary)
        if self.has_rare and columns[position] > 0.5:
            return f"a rare value ({self.shares[position]:.2%} of benign records have one)"
        return None

    def _expected(self, reconstruction: F32) -> str:
        if not self._width:
            return self.flags.expected(reconstruction) or _name(self.vocabulary[0])
        best = int(np.nan_to_num(reconstruction, nan=-np.inf).argmax())
        if best < len(self.vocabulary):
            return _name(self.vocabulary[best])
        return "a rare value" if best < self._width else MISSING

    def _range(self) -> str:
        if self.constant is not None:
            return f"always {_name(self.vocabulary[self.constant])}"
        shown = [value for value, share in zip(self.vocabulary, self.shares, strict=False) if share > 0.0]
        listed = ", ".join(_name(value, 40) for value in shown[:LISTED])
        more = len(shown) - LISTED
        rare = " and rare values" if self.has_rare else ""
        return f"{listed}{f' and {more} more' if more > 0 else ''}{rare}"


def _name(value: str, limit: int = 200) -> str:
    return printable(value, limit) or '""'


def _positions(column: Any, values: Any) -> I64:
    """Where each value stands in ``values``, [n]; -1 for those that are not there or missing."""
    found = pc.index_in(column, value_set=values)
    positions: I64 = (found.fill_null(-1) if found.null_count else found).to_numpy()
    return positions


def _among(values: Any, known: frozenset[str]) -> Bools:
    """Which ``values`` [m] are known. Python looks at each distinct one once; none of them is frequent."""
    if not known:
        return np.zeros(len(values), dtype=np.bool_)
    distinct = values.dictionary_encode()
    found = np.array([remembered(value) in known for value in distinct.dictionary.to_pylist()], dtype=np.bool_)
    rows: Bools = found[distinct.indices.to_numpy()]
    return rows


def _counts(column: Any) -> Counter[str]:
    """How often each value occurs."""
    table = pc.value_counts(column.drop_null())
    return Counter(dict(zip(table.field("values").to_pylist(), table.field("counts").to_pylist(), strict=True)))


def build(config: Config, field: str) -> Encoder:
    """The encoder of a field, not yet fitted."""
    return CategoricalEncoder(config, field)


def restore(config: Config, field: str, state: Mapping[str, Any]) -> FittedEncoder:
    """A fitted encoder as its ``state`` describes it."""
    return FittedCategorical(
        config=config,
        field=field,
        vocabulary=tuple(state["vocabulary"]),
        rare=None if state["rare"] is None else frozenset(state["rare"]),
        shares=tuple(state["shares"]),
        strength=state["strength"],
        flags=Flags.restore(state["flags"]),
    )
