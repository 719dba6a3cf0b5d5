"""IPv4 and IPv6 addresses: family, kind and the frequent networks as columns, and surprise at unknown networks.

Networks are /16 and /24 for IPv4, /32 and /48 for IPv6. Brackets, ports and zones are left aside, and IPv4 inside IPv6
is read as IPv4. What is no address is a state of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import Field as Option

from monitor.core.arrays import F32, F64, Bools, Column
from monitor.core.errors import DataError
from monitor.core.names import plural
from monitor.core.novelty import changed
from monitor.core.protocols import Encoder, Finding, FittedEncoder
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.strict import StrictModel
from monitor.core.strings import U64
from monitor.encoders._addresses import KINDS, Addresses, canonical, network_name, parse_addresses
from monitor.encoders._flags import Flags
from monitor.encoders._frequent import Frequent
from monitor.encoders._vocabulary import Vocabulary, cascade, restored, stored
from monitor.encoders._wording import MISSING, ORDINARY

INVALID = "not an address"
FAMILY = "IPv6"
CHANGED = "changed"

_LEVELS = ("unseen wide network", "unseen network", "unseen address")
_TOLD = ("its network (/16, IPv6 /32)", "its network (/24, IPv6 /48)", "address")

LISTED = 3
"""The benign range names so many networks."""


class Config(StrictModel):
    """Options of ``ip``."""

    networks: int = Option(
        default=16,
        ge=1,
        le=1024,
        description="Most networks (/16, IPv6 /32) that get a column, the most frequent ones.",
    )
    vocabulary: int = Option(
        default=50_000,
        ge=1,
        le=1_000_000,
        description="Most networks, and most addresses, that are remembered (8 bytes each). With more in benign data, "
        "a new one cannot be told, and is not.",
    )


EXAMPLE = """
networks: 32
"""


@dataclass(frozen=True)
class IpEncoder:
    """Not yet fitted."""

    config: Config
    field: str

    @property
    def fields(self) -> tuple[Field, ...]:
        return (Field(self.field, FieldType.TEXT),)

    def fit(self, batch: RecordBatch) -> FittedEncoder:
        column = batch.column(self.field, FieldType.TEXT)
        found = parse_addresses(column)
        valid = np.flatnonzero(found.family)
        if not len(valid):
            raise DataError(f"field {self.field!r}: not one address in {len(batch):,} benign records")
        wide, counts = np.unique(found.wide[valid], return_counts=True)
        order = np.lexsort((wide, -counts))
        kinds = np.bincount(found.kind[valid], minlength=len(KINDS)) / len(valid)
        return FittedIp(
            field=self.field,
            records=len(valid),
            kinds=tuple(kinds.tolist()),
            sixes=float((found.family[valid] == 6).mean()),
            frequent=Frequent.learn(wide, counts, order, self.config.networks),
            usual=tuple(network_name(number) for number in wide[order[:LISTED]].tolist()),
            distinct=len(wide),
            constant=self._constant(column, found),
            levels=tuple(self._vocabulary(level[valid]) for level in (found.wide, found.narrow, found.exact)),
            flags=Flags.learn(_states(column, found), len(batch)),
        )

    def _vocabulary(self, numbers: U64) -> Vocabulary | None:
        rows = np.arange(len(numbers))
        return Vocabulary.learn(numbers, rows, records=len(numbers), most=self.config.vocabulary, one_each=True)

    def _constant(self, column: Column, found: Addresses) -> str | None:
        """The only address; None if there are several."""
        first = int((found.family > 0).argmax())
        if (found.exact[found.family > 0] != found.exact[first]).any():
            return None
        return canonical(column[first].as_py())


@dataclass(frozen=True)
class FittedIp:
    """What benign addresses showed.

    ``kinds`` and ``sixes`` are the benign shares of each kind and of IPv6; ``usual`` are the most frequent networks.
    ``levels`` know the networks and addresses, from the widest to the narrowest, None where they say nothing.
    """

    field: str
    records: int
    kinds: tuple[float, ...]
    sixes: float
    frequent: Frequent
    usual: tuple[str, ...]
    distinct: int
    constant: str | None
    levels: tuple[Vocabulary | None, ...]
    flags: Flags

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    @property
    def novelty(self) -> tuple[str, ...]:
        return self._novelty

    @cached_property
    def _columns(self) -> tuple[str, ...]:
        networks = (*map(network_name, self.frequent.top.tolist()), "<other network>")[: self.frequent.width]
        family = (FAMILY,) if self._mixed else ()
        return (
            *networks,
            *(KINDS[kind] for kind in self._kinds),
            *family,
            *(f"<{name}>" for name in self.flags.columns),
        )

    @cached_property
    def _novelty(self) -> tuple[str, ...]:
        names = (*_LEVELS[:-1], CHANGED if self.constant else _LEVELS[-1])
        known = (name for name, level in zip(names, self.levels, strict=True) if level)
        return (*known, *self.flags.novelty)

    def encode(self, batch: RecordBatch, columns: F32, novelty: F32) -> None:
        column = batch.column(self.field, FieldType.TEXT)
        found = parse_addresses(column)
        states, levels = len(self.columns) - len(self.flags.columns), len(self.novelty) - len(self.flags.novelty)
        masks = _states(column, found)
        self._write(found, columns[:, :states])
        for name, mask in masks.items():
            if name in self.flags.novelty:
                columns[mask, :states] = self._neutral
        cascade(self._surprises(found), novelty[:, :levels])
        self.flags.write(tuple(masks.values()), columns[:, states:], novelty[:, levels:])

    def widened(self, batch: RecordBatch) -> FittedIp:
        """See ``WideningEncoder``. An address that was the only one stays it."""
        if self.constant:
            return self
        found = parse_addresses(batch.column(self.field, FieldType.TEXT))
        valid = found.family > 0
        pairs = zip(self.levels, (found.wide, found.narrow, found.exact), strict=True)
        levels = tuple(level and level.also(numbers[valid]) for level, numbers in pairs)
        return replace(self, records=self.records + int(valid.sum()), levels=levels)

    def explain(self, columns: F32, novelty: F32, reconstruction: F32) -> Finding:
        states, levels = len(self.columns) - len(self.flags.columns), len(self.novelty) - len(self.flags.novelty)
        reason = (
            self.flags.novelty_reason(novelty[levels:])
            or self._new(novelty[:levels])
            or self.flags.reason(columns[states:], reconstruction[states:])
            or self._rareness(columns)
            or ORDINARY
        )
        expected = self.flags.expected(reconstruction[states:]) or self._expected(reconstruction)
        return Finding(expected, self._range() + self.flags.range_suffix(), reason)

    def decode(self, columns: F32) -> Mapping[Field, Column]:  # noqa: ARG002 - networks, not addresses
        return {}

    def state(self) -> Mapping[str, Any]:
        return {
            "records": self.records,
            "kinds": list(self.kinds),
            "sixes": self.sixes,
            "frequent": self.frequent.state(),
            "usual": list(self.usual),
            "distinct": self.distinct,
            "constant": self.constant,
            "levels": [stored(level) for level in self.levels],
            "flags": self.flags.state(),
        }

    @cached_property
    def _kinds(self) -> tuple[int, ...]:
        """The kinds with a column: those that some benign addresses are of and some are not."""
        return tuple(kind for kind, share in enumerate(self.kinds) if 0.0 < share < 1.0)

    @property
    def _mixed(self) -> bool:
        return 0.0 < self.sixes < 1.0

    @cached_property
    def _neutral(self) -> F32:
        """The network columns of an address that tells nothing: the benign average."""
        family = (self.sixes,) if self._mixed else ()
        shares = (*self.frequent.neutral, *(self.kinds[kind] for kind in self._kinds), *family)
        return np.array(shares, dtype=np.float32)

    def _write(self, found: Addresses, columns: F32) -> None:
        valid = found.family > 0
        width = self.frequent.width
        self.frequent.write(found.wide, valid, columns[:, :width])
        for place, kind in enumerate(self._kinds, start=width):
            columns[:, place] = valid & (found.kind == kind)
        if self._mixed:
            columns[:, -1] = found.family == 6

    def _surprises(self, found: Addresses) -> list[F64]:
        rows, n = np.flatnonzero(found.family), len(found.family)
        pairs = zip(self.levels, (found.wide, found.narrow, found.exact), strict=True)
        surprises = [level.surprise(numbers[rows], rows, n) for level, numbers in pairs if level]
        if self.constant and surprises:
            surprises[-1][surprises[-1] > 0.0] = changed(self.records, np.zeros(1))[0]
        return surprises

    def _new(self, novelty: F32) -> str | None:
        if not novelty.any():
            return None
        if self.constant:
            return f"changed: always {self.constant} in {self.records:,} benign records"
        told = dict[str, str](zip(_LEVELS, _TOLD, strict=True))[self.novelty[int(novelty.argmax())]]
        return f"{told} never seen in {self.records:,} benign records"

    def _rareness(self, columns: F32) -> str | None:
        if self.frequent.is_other(columns):
            return f"in a rare network ({self.frequent.others:.2%} of benign records are in one)"
        return None

    def _expected(self, reconstruction: F32) -> str:
        if self.constant:
            return self.constant
        if not self.frequent.width:
            return self.usual[0]
        best = int(np.nan_to_num(reconstruction[: self.frequent.width], nan=-np.inf).argmax())
        return self.columns[best] if best < len(self.frequent.top) else "a rare network"

    def _range(self) -> str:
        if self.constant:
            return f"always {self.constant}"
        more = self.distinct - len(self.usual)
        return ", ".join(self.usual) + (f" and {plural(more, 'more network')}" if more else "")


def _states(column: Column, found: Addresses) -> dict[str, Bools]:
    missing = column.is_null().to_numpy(zero_copy_only=False)
    return {MISSING: missing, INVALID: (found.family == 0) & ~missing}


def build(config: Config, field: str) -> Encoder:
    """The encoder of a field, not yet fitted."""
    return IpEncoder(config, field)


def restore(config: Config, field: str, state: Mapping[str, Any]) -> FittedEncoder:  # noqa: ARG001
    """A fitted encoder as its ``state`` describes it."""
    return FittedIp(
        field=field,
        records=state["records"],
        kinds=tuple(state["kinds"]),
        sixes=state["sixes"],
        frequent=Frequent.restore(state["frequent"]),
        usual=tuple(state["usual"]),
        distinct=state["distinct"],
        constant=state["constant"],
        levels=tuple(restored(level) for level in state["levels"]),
        flags=Flags.restore(state["flags"]),
    )
