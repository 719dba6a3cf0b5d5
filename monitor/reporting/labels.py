"""What people write for normal and anomalous, read as one code a record; what is not understood is never guessed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from monitor.core.arrays import I64, Bools, Column
from monitor.core.errors import DataError, UsageError
from monitor.core.names import did_you_mean, quoted
from monitor.core.records import FieldType, RecordBatch

Codes: TypeAlias = npt.NDArray[np.int8]
"""One of the three below for each record."""

BENIGN, ANOMALOUS, UNLABELLED = 0, 1, -1

BENIGN_WORDS = frozenset(
    {
        "0",
        "false",
        "no",
        "n",
        "f",
        "normal",
        "benign",
        "ok",
        "good",
        "clean",
        "negative",
        "inlier",
        "nominal",
        "healthy",
    }
)
ANOMALOUS_WORDS = frozenset(
    {
        "1",
        "true",
        "yes",
        "y",
        "t",
        "anomaly",
        "anomalous",
        "abnormal",
        "attack",
        "malicious",
        "fault",
        "faulty",
        "failure",
        "bad",
        "positive",
        "outlier",
        "novel",
    }
)
"""Without ``--anomalous`` these are understood, in any case; -1 is not: it means opposite things in different tools."""

VALUES_SHOWN = 10
MOST_VALUES = 1000
"""Distinct values that are counted; a field with more is no label."""


class Labels(Protocol):
    """Gives the label of each record. The batches come in the order of the input, each once."""

    def of(self, context: RecordBatch, records: Bools) -> Codes:
        """The codes [n] of a batch, UNLABELLED where ``records`` [n] is False (column headers).

        Args:
            context: the batch with event times, and with the label field as text where there is one.
            records: which rows are records.

        Raises:
            DataError: a value is not understood, or there are fewer labels than records so far.
        """
        ...

    def finish(self) -> list[str]:
        """Called behind the last batch: what a reader must know of the labels, as sentences.

        Raises:
            DataError: the labels do not belong to this input.
        """
        ...


class AllBenign:
    """For an input without labels, taken as benign."""

    def of(self, context: RecordBatch, records: Bools) -> Codes:
        del context
        return np.where(records, BENIGN, UNLABELLED).astype(np.int8)

    def finish(self) -> list[str]:
        return ["no labels were given: every record counts as benign, so nothing is said of what the model finds"]


class Vocabulary:
    """Which values mean what.

    Args:
        anomalous: these values are anomalous and every other one is benign.
        benign: these values are benign and every other one is anomalous; of both lists, what is in neither is an error.
            Without either, the usual words are understood.
        place: where the labels stand, for messages.
    """

    def __init__(self, anomalous: Sequence[str], benign: Sequence[str], place: str) -> None:
        self._anomalous = frozenset(map(normalised, anomalous)) or (frozenset() if benign else ANOMALOUS_WORDS)
        self._benign = frozenset(map(normalised, benign)) or (frozenset() if anomalous else BENIGN_WORDS)
        if both := self._anomalous & self._benign:
            raise UsageError(f"{quoted(min(both))} stands in --anomalous and in --benign; a label means one of them")
        self._others = _other_values(bool(anomalous), bool(benign))
        self._named = {"--anomalous": anomalous, "--benign": benign}
        self._all_named = frozenset(map(normalised, (*anomalous, *benign)))
        self._place = place
        self._found: Counter[str] = Counter()  # for messages only: it stops at MOST_VALUES
        self._met: set[str] = set()  # of the named values, normalised

    def read(self, column: Column) -> Codes:
        """The codes of a text column; null and blank are unlabelled.

        Raises:
            DataError: a value is in no list; the message has those found so far and the cure.
        """
        encoded = column.dictionary_encode()
        values: list[str] = encoded.dictionary.to_pylist()
        places: I64 = encoded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False).astype(np.int64)
        codes = [self._code(value) for value in values]
        self._met |= self._all_named.intersection(map(normalised, values))
        self._count(values, np.bincount(places, minlength=len(values) + 1))
        if None in codes:
            raise DataError(self._not_understood(values[codes.index(None)]))
        return np.array([*codes, UNLABELLED], dtype=np.int8)[places]

    def finish(self) -> None:
        """Behind the last label: a value that was named and never occurs is probably misspelt.

        Raises:
            DataError: none of the values of a list occurs.
        """
        for option, values in self._named.items():
            if values and self._found and self._met.isdisjoint(map(normalised, values)):
                raise DataError(
                    f"{self._place}: no record has the value {quoted(values[0])} of {option}"
                    f"{did_you_mean(values[0], list(self._found))}; found are {self._values()}"
                )

    def _code(self, value: str) -> int | None:
        word = normalised(value)
        if not word:
            return UNLABELLED
        if word in self._anomalous:
            return ANOMALOUS
        return BENIGN if word in self._benign else self._others

    def _count(self, values: Sequence[str], counts: I64) -> None:
        for value, count in zip(values, counts.tolist(), strict=False):
            if value.strip() and (value in self._found or len(self._found) < MOST_VALUES):
                self._found[value] += count

    def _not_understood(self, value: str) -> str:
        return (
            f"{self._place}: the label {quoted(value)} is not understood; found are {self._values()}; "
            "say which mean anomalous with --anomalous VALUE,... or which mean benign with --benign VALUE,..."
        )

    def _values(self) -> str:
        shown = [f"{quoted(value)} ({count:,})" for value, count in self._found.most_common(VALUES_SHOWN)]
        more = len(self._found) - len(shown)
        at_least = "at least " * (len(self._found) == MOST_VALUES)
        return ", ".join(shown) + (f" and {at_least}{more:,} more" if more else "")


class FieldLabels:
    """Labels that stand in a field of the records."""

    def __init__(self, field: str, vocabulary: Vocabulary) -> None:
        self._field = field
        self._vocabulary = vocabulary
        self._any = False

    @property
    def occurs(self) -> bool:
        """Whether any record so far had the field."""
        return self._any

    def of(self, context: RecordBatch, records: Bools) -> Codes:
        column = context.column(self._field, FieldType.TEXT)
        self._any = self._any or column.null_count < len(column)
        codes = self._vocabulary.read(column)
        codes[~records] = UNLABELLED
        return codes

    def finish(self) -> list[str]:
        self._vocabulary.finish()
        return []


class OrderedLabels:
    """Labels of a file of their own, the first for the first record of the input."""

    def __init__(self, codes: Codes, place: str) -> None:
        self._codes = codes
        self._place = place
        self._records = 0

    def of(self, context: RecordBatch, records: Bools) -> Codes:
        del context
        start, self._records = self._records, self._records + int(records.sum())
        if self._records > len(self._codes):
            raise self._another_number(" or more")
        found = np.full(len(records), UNLABELLED, dtype=np.int8)
        found[records] = self._codes[start : self._records]
        return found

    def finish(self) -> list[str]:
        if self._records != len(self._codes):
            raise self._another_number("")
        return []

    def _another_number(self, more: str) -> DataError:
        return DataError(
            f"{self._place}: has {len(self._codes):,} labels, but the input has {self._records:,} records{more}; "
            "one label a record is needed, in the order of the input (a blank line is a record without label)"
        )


def normalised(value: str) -> str:
    """Spellings of a value that mean the same: case, blanks around it, a dot behind it, ``1.0`` for ``1``.

    >>> [normalised(value) for value in (" Normal.", "1.0", "-1", "0x")]
    ['normal', '1', '-1', '0x']
    """
    word = value.strip().casefold().rstrip(".")
    try:
        number = float(word)
    except ValueError:
        return word
    return str(int(number)) if math.isfinite(number) and number.is_integer() else word


def _other_values(anomalous: bool, benign: bool) -> int | None:
    """What a value that is in no list means; None: it is an error."""
    if anomalous == benign:
        return None
    return BENIGN if anomalous else ANOMALOUS
