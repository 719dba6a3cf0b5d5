"""Every fault by its name, and how one is planted: exactly the rows that it changed are told, with what was true."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from monitor.core.arrays import I64, Bools, Column
from monitor.core.differences import differing
from monitor.core.errors import UsageError
from monitor.core.names import did_you_mean, quoted
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.faults import lasting, timing, values
from monitor.faults.runs import key_codes
from monitor.faults.target import Target

NUMERIC = (FieldType.NUMBER, FieldType.VECTOR)
ANY = tuple(FieldType)

RUN_ROWS = 20
"""How many records of a key a fault lasts that lasts."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What it does, for people; the types of field it can befall, the first that a field has being spoiled.

    ``run`` is how many records it lasts: more than one, and the order of the records matters. A ``clock`` fault moves
    event times; its field is the one that holds the key (or none), and it befalls records, not values.
    """

    does: str
    types: tuple[FieldType, ...]
    spoil: Callable[[Target], RecordBatch]
    run: int = 1
    clock: bool = False

    @property
    def ordered(self) -> bool:
        """Whether the batch must be in the order of time."""
        return self.run > 1 or self.clock


FAULTS: Mapping[str, Fault] = {
    "x10": Fault("ten times the value", NUMERIC, values.scaled(10.0)),
    "/10": Fault("a tenth of the value", NUMERIC, values.scaled(0.1)),
    "swap": Fault("the value of a record of another regime", ANY, values.swapped),
    "unseen": Fault("a text that never occurred", (FieldType.TEXT,), values.unseen),
    "missing": Fault("no value", ANY, values.missing),
    "noise": Fault("random noise on the value", NUMERIC, values.noisy),
    "frozen": Fault("the key's value stays the same", ANY, lasting.frozen, run=RUN_ROWS),
    "drift": Fault("the key's value moves away little by little", NUMERIC, lasting.drifting, run=RUN_ROWS),
    "burst": Fault("many records of one key in a short time", (), timing.burst, run=RUN_ROWS, clock=True),
    "silence": Fault("no record for a long time", (), timing.silence, clock=True),
}


@dataclass(frozen=True, slots=True)
class Planting:
    """Records with one kind of fault in one field: where, [m] rising, and the values that were there before, [m].

    Of clock faults ``truth`` is the event time. ``records`` shares what did not change with the batch it was made of.
    """

    records: RecordBatch
    field: str
    fault: str
    rows: I64
    truth: Column


def applies(batch: RecordBatch, field: str, name: str) -> bool:
    """Whether a fault can befall a field of the batch, or its clock."""
    fault = FAULTS[name]
    return batch.times is not None if fault.clock else bool(_fields(batch, field, fault))


def plant(batch: RecordBatch, field: str, name: str, rows: I64, random: np.random.Generator) -> Planting:
    """A copy of the batch in which the fault has befallen a field of some rows.

    Rows without the value, those that are not ok, and those that the fault leaves as they are (ten times 0) are not
    among those planted. A silence moves the times of all later rows with it.

    Args:
        batch: records; for faults that are ``ordered``, in the order of time.
        field: the name of a field; of clock faults that of the key, "" when it is no field.
        name: one of ``FAULTS``.
        rows: where to plant, rising. Of lasting faults, adjacent rows of a key (or of the stream) are one run.
        random: the same generator in the same state plants the same.

    Raises:
        UsageError: there is no such fault, or it cannot befall the field.
    """
    if name not in FAULTS:
        raise UsageError(f"there is no fault {quoted(name)}{did_you_mean(name, FAULTS)}; there are {', '.join(FAULTS)}")
    if not applies(batch, field, name):
        raise UsageError(_refusal(batch, field, name))
    fault = FAULTS[name]
    fields = _fields(batch, field, fault)
    before = _truth(batch, fields, fault)
    rows = rows[(batch.ok & _present(before))[rows]]
    with np.errstate(over="ignore", invalid="ignore"):  # numbers near the largest become infinite, as in any program
        spoiled = fault.spoil(Target(batch, fields, rows, random))
    planted = rows[differing(before, _truth(spoiled, fields, fault))[rows]]
    return Planting(spoiled, field, name, planted, before.take(pa.array(planted)))


def choose(batch: RecordBatch, field: str, name: str, records: int, random: np.random.Generator) -> I64:
    """Rows to plant a fault in, rising: ``records`` of them all over the batch, or whole runs if it lasts.

    As many sound records of the key (or, before a burst, of the stream) come before each run as it is long. Fewer
    where the batch has not as many with a value.
    """
    fault = FAULTS[name]
    there = np.flatnonzero(batch.ok & _present(_truth(batch, _fields(batch, field, fault), fault)))
    order = there if fault.clock else there[np.argsort(key_codes(batch)[there], kind="stable")]
    width = 2 * fault.run if fault.run > 1 else 1
    blocks = random.permutation(len(order) // width)[: math.ceil(records / fault.run)]
    places = blocks[:, np.newaxis] * width + np.arange(width - fault.run, width)
    return np.sort(order[places.ravel()])


def _fields(batch: RecordBatch, name: str, fault: Fault) -> tuple[Field, ...]:
    """The field in all its types, the one that the fault is made for first; none if it cannot befall the field."""
    having = [kind for kind in ANY if Field(name, kind) in batch.columns]
    first = having if fault.clock else [kind for kind in fault.types if kind in having][:1]
    return tuple(Field(name, kind) for kind in dict.fromkeys((*first, *having))) if first else ()


def _truth(batch: RecordBatch, fields: tuple[Field, ...], fault: Fault) -> Column:
    """What the fault spoils, [n]; times that are not known are missing."""
    return pa.array(batch.times, from_pandas=True) if fault.clock else batch.columns[fields[0]]


def _present(column: Column) -> Bools:
    present: Bools = column.is_valid().to_numpy(zero_copy_only=False)
    return present


def _refusal(batch: RecordBatch, field: str, name: str) -> str:
    if FAULTS[name].clock:
        return f"fault {quoted(name)} moves event times, and these records have none; name the time field"
    kinds = [kind for kind in ANY if Field(field, kind) in batch.columns]
    if not kinds:
        known = sorted({column.name for column in batch.columns})
        return f"no field {quoted(field)} to plant {quoted(name)} in{did_you_mean(field, known)}"
    return f"fault {quoted(name)} befalls {' and '.join(FAULTS[name].types)} fields; {quoted(field)} is {kinds[0]}"
