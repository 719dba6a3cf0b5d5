"""Reads a sample as a person would: which format, which field is the time, how each field is best encoded, and why."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor import plugins
from monitor.core.arrays import F64, I64, Column
from monitor.core.clock import DAY_SECONDS
from monitor.core.errors import DataError, NoInputError
from monitor.core.records import FieldType, RawBatch, RecordBatch
from monitor.core.strings import pieces
from monitor.core.suggestion import Suggestion
from monitor.core.timestamps import detect, parse_times
from monitor.core.tokens import tokenise
from monitor.encoders._predictability import predictability
from monitor.training.recent_past import correlation_with_past, in_order

GOOD_SHARE = 0.9
"""A format is taken when it reads this share of the sample; the most specific such format wins."""
FEW_VALUES = 64
"""Up to this many distinct values, seen often enough each, are categories."""
REPEATS = 5
"""A category must occur this often on average, or it is free text."""

FOLLOWS = 0.5
"""From this rank correlation with the record before, averages of the past tell what to expect of a number. Chance has
as much in fifty pairs of a shuffled table about once in 5,000 fields, and in more pairs never."""

FEWEST_TEXTS, TELLING = 50, 0.1
"""Of random ids a character foretells less than 3 % of the next one, of names and of what is typed into forms 14 % or
more; from fewer texts that is not known."""

CLOCK_DAYS, CLOCK_RECORDS = 14, 10_000
"""From less than two of each weekday, or a few records an hour, a network would learn the days that were sampled."""
NEVER = "never occurs in the sample"
TEMPLATE_BYTES = 4096
"""Texts are compared so far."""

TIME_NAMES = ("time", "timestamp", "@timestamp", "ts", "datetime", "date", "eventtime", "__realtime_timestamp")
TIME_TYPES = (FieldType.TEXT, FieldType.NUMBER)
KEY_NAMES = (
    "remote_addr", "client_ip", "client", "device", "device_id", "sensor", "sensor_id", "host", "hostname", "_hostname",
    "node", "instance", "user", "session", "syslog_identifier",
)  # fmt: skip
CODE_NAMES = re.compile(
    r"(^|[._])(status|code|level|priority|severity|facility|errno|signal|state|type)$", re.IGNORECASE
)
IDENTIFIER_NAMES = re.compile(
    r"(^|[._])(pid|tid|ppid|uuid|guid|cursor|seq|seqnum|sequence|trace_id|span_id|request_id|row|index)$", re.IGNORECASE
)
CLOCK_NAMES = re.compile(r"(monotonic|realtime|_source)_?(timestamp)?$", re.IGNORECASE)
PATH_NAMES = re.compile(r"(^|[._])(path|url|uri|query|file|filename|exe)$", re.IGNORECASE)
OPAQUE = re.compile(r"^(?=[0-9a-f-]*\d)[0-9a-f]{8,}(-?[0-9a-f]{4,})*$", re.IGNORECASE)
ADDRESS = r"^(\d{1,3}\.){3}\d{1,3}$|^[0-9a-fA-F]*:[0-9a-fA-F:.]+$"


@dataclass(frozen=True, slots=True)
class Choice:
    """How one field is encoded, or (``kind`` None) that it is left out; always with the reason."""

    name: str
    kind: str | None
    reason: str
    options: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Draft:
    """Everything ``init`` found: enough to write a configuration that works without editing."""

    parser: str
    parser_options: dict[str, Any]
    parser_reason: str
    records: int
    unparsed: int
    time: str | None
    time_reason: str
    key: str | None
    key_reason: str
    features: tuple[Choice, ...]
    left_out: tuple[Choice, ...]
    times: F64 | None = None  # event times of the records, [records]


def infer(sample: RawBatch) -> Draft:
    """Draft the configuration of a stream from framed lines.

    Raises:
        NoInputError: the sample has no line.
        DataError: no field of it can be learned.
    """
    if not len(sample):
        raise NoInputError("the sample is empty: give a file with at least a few hundred benign records")
    kind, suggestion = choose_parser(sample)
    module = plugins.module("parsers", kind)
    records: RecordBatch = module.build(module.Config.model_validate(suggestion.options), None).parse(sample)
    columns = {f.name: (f.type, column.filter(pa.array(records.ok))) for f, column in records.columns.items()}
    clock, clock_reason = choose_time(columns)
    choices = [choose_encoding(name, *columns[name]) for name in columns if name != clock]
    choices = without_repetitions(choices, columns)
    key, key_reason = choose_key(columns)
    times = None if clock is None else read_times(columns[clock][1])
    if times is None or in_order(times):
        keys = None if key is None else columns[key][1]
        choices = [with_past(choice, columns[choice.name][1], keys) for choice in choices]
    if clock is not None and times is not None:
        choices.append(choose_clock(clock, times))
    choices += [Choice(name, None, NEVER) for name in getattr(module, "FIELDS", ()) if name not in columns]
    if not any(choice.kind for choice in choices):
        reasons = "; ".join(f"{choice.name}: {choice.reason}" for choice in choices) or "it has no fields"
        raise DataError(
            f"nothing in the sample can be learned as {kind} ({reasons}); give more, or other, benign records"
        )
    return Draft(
        parser=kind,
        parser_options=suggestion.options,
        parser_reason=f"{suggestion.share:.1%} of {len(sample):,} lines read as {kind}",
        records=int(records.ok.sum()),
        unparsed=int(records.unparsed.sum()),
        time=clock,
        time_reason=clock_reason,
        key=key,
        key_reason=key_reason,
        features=tuple(c for c in choices if c.kind),
        left_out=tuple(c for c in choices if not c.kind),
        times=times,
    )


def choose_parser(sample: RawBatch) -> tuple[str, Suggestion]:
    """The most specific format that reads nearly all lines; else whatever reads most; plain text always reads all."""
    found: list[tuple[str, Suggestion]] = []
    for kind in plugins.kinds("parsers"):
        suggestion = plugins.module("parsers", kind).suggest(sample)
        if suggestion is not None:
            found.append((kind, suggestion))
    good = [item for item in found if item[1].share >= GOOD_SHARE]
    if good:
        return max(good, key=lambda item: item[1].rank)
    return max(found, key=lambda item: item[1].share)


Columns = dict[str, tuple[FieldType, Column]]


def choose_time(columns: Columns) -> tuple[str | None, str]:
    """The field that holds the event time: a telling name first, then whatever text reads as times."""
    named = sorted(
        (name for name, (kind, _) in columns.items() if name.lower() in TIME_NAMES and kind in TIME_TYPES),
        key=lambda name: TIME_NAMES.index(name.lower()),
    )
    texts = [name for name, (kind, _) in columns.items() if kind is FieldType.TEXT and name not in named]
    for name in [*named, *texts]:
        share = detect(columns[name][1])
        if share >= GOOD_SHARE:
            return name, f"{share:.0%} of its values read as a time"
    return None, "no field reads as a time: the order of arrival is used"


def choose_key(columns: Columns) -> tuple[str | None, str]:
    """A field that names the entity a record belongs to, when one has a telling name and repeats."""
    for name in sorted(columns, key=lambda n: KEY_NAMES.index(n.lower()) if n.lower() in KEY_NAMES else len(KEY_NAMES)):
        kind, column = columns[name]
        if name.lower() not in KEY_NAMES or kind is not FieldType.TEXT:
            continue
        distinct, present = count_distinct(column), len(column) - column.null_count
        if distinct > 1 and present >= 2 * distinct:
            return (
                name,
                f"{distinct:,} distinct values, {present / distinct:,.0f} records each: alerts say whose they are",
            )
    return None, "no field names a host, device or user that repeats"


def choose_encoding(name: str, kind: FieldType, column: Column) -> Choice:
    """The encoding of one field, from its values first and its name where values cannot tell."""
    present = column.drop_null()
    if not len(present):
        return Choice(name, None, NEVER)
    if kind is FieldType.BOOLEAN:
        return Choice(name, "boolean", "true or false")
    if kind is FieldType.VECTOR:
        return _vector(name, present)
    if kind is FieldType.TEXTS:
        return _events(name, present.flatten())
    if kind is FieldType.NUMBER:
        return _number(name, present)
    return _text(name, present)


def _vector(name: str, present: Column) -> Choice:
    lengths = pc.unique(pc.list_value_length(present)).to_pylist()
    if len(lengths) > 1:
        return Choice(name, None, f"lists of different lengths ({min(lengths)} to {max(lengths)})")
    return Choice(name, "vector", f"a list of {lengths[0]} numbers", {"length": lengths[0]})


def _events(name: str, events: Column) -> Choice:
    """Lists of texts, all of them one behind the other: worth counting where they repeat, raw or by template."""
    distinct, found = count_distinct(events), len(events) - events.null_count
    if 0 < REPEATS * distinct <= found:
        return Choice(name, "counts", f"lists of {distinct:,} distinct texts", {"bigrams": True})
    templates = count_templates(events)
    if 0 < REPEATS * templates <= found:
        return Choice(name, "counts", f"lists of texts of {templates:,} templates", {"bigrams": True, "mask": True})
    return Choice(name, None, f"lists of texts that seldom repeat ({distinct:,} distinct of {found:,})")


def _number(name: str, present: Column) -> Choice:
    values = present.to_numpy(zero_copy_only=False)
    values = values[~np.isnan(values)]
    if not np.isfinite(values).any():
        return Choice(name, None, "not one finite number in the sample")
    distinct = len(np.unique(values))
    low, high = values.min(), values.max()
    whole = bool(np.all(values == np.rint(values)))
    if distinct == 1:
        return Choice(name, "numeric", f"always {low:g}: a change is the loudest alert")
    if IDENTIFIER_NAMES.search(name) or CLOCK_NAMES.search(name):
        return Choice(name, None, "a running number or clock by its name: it would be new every time")
    if whole and distinct > 0.5 * len(values) and len(values) > REPEATS and np.all(np.diff(values) >= 0):
        return Choice(name, None, f"only ever grows ({low:g} to {high:g}): a counter, new every time")
    if whole and distinct <= FEW_VALUES and CODE_NAMES.search(name):
        return Choice(name, "categorical", f"{distinct} distinct codes")
    return Choice(name, "numeric", f"numbers from {low:g} to {high:g}")


def _text(name: str, present: Column) -> Choice:  # noqa: PLR0911 - a decision list reads best as one
    distinct = count_distinct(present)
    average = len(present) / distinct
    if CLOCK_NAMES.search(name) or IDENTIFIER_NAMES.search(name):
        return Choice(name, None, "an identifier or clock by its name: it would be new every time")
    if opaque_share(present) > GOOD_SHARE:
        return Choice(name, None, "opaque identifiers (hexadecimal): nothing to learn from")
    if distinct == 1:
        return Choice(name, "categorical", "always the same text: a change is the loudest alert")
    if share(pc.match_substring_regex(present, ADDRESS)) > GOOD_SHARE:
        return Choice(name, "ip", f"{distinct:,} distinct addresses")
    if PATH_NAMES.search(name) or share(pc.starts_with(present, "/")) > GOOD_SHARE:
        return Choice(name, "path", f"{distinct:,} distinct paths")
    if distinct <= FEW_VALUES and average >= REPEATS:
        return Choice(name, "categorical", f"{distinct} distinct values")
    if average < 1.1 and share(pc.match_substring(present, " ")) < 0.5:
        return _unique(name, present, f"{distinct:,} distinct of {len(present):,}")
    return Choice(name, "text", f"free text, {distinct:,} distinct")


def _unique(name: str, present: Column, distinct: str) -> Choice:
    """Texts that hardly repeat: running numbers and random ids teach nothing, what people type does."""
    if commonest_template(present) > GOOD_SHARE:
        return Choice(name, None, f"unique in nearly every record ({distinct}), and alike but for numbers")
    told = predictability(present)
    if len(present) < FEWEST_TEXTS or told < TELLING:
        return Choice(name, None, f"unique in nearly every record ({distinct}), and its characters are as if drawn")
    return Choice(name, "text", f"{distinct}; a character foretells {told:.0%} of the next one")


def with_past(choice: Choice, column: Column, keys: Column | None) -> Choice:
    """With records in the order of time, a number that follows its own past is compared with it."""
    if choice.kind != "numeric":
        return choice
    correlation = correlation_with_past(column, keys)
    if correlation is None or correlation < FOLLOWS:
        return choice
    reason = f"{choice.reason}; follows its own recent past: r = {correlation:.2f}"
    return replace(choice, kind="streaming", reason=reason)


def read_times(column: Column) -> F64:
    """Event times [n] in seconds, NaN where a value is none."""
    return parse_times(column, format=None, timezone="UTC", reference=time.time())


def choose_clock(name: str, times: F64) -> Choice:
    """Whether the hour of day and the day of week can be learned: only from times [n] that have seen them often."""
    known = times[np.isfinite(times)]
    days = float(np.ptp(known)) / DAY_SECONDS if len(known) else 0.0
    if days < CLOCK_DAYS or len(known) < CLOCK_RECORDS:
        need = f"hours and weekdays need {CLOCK_RECORDS:,} records over {CLOCK_DAYS} days"
        return Choice(name, None, f"the event time; {need}, here are {len(known):,} over {days:.1f}")
    return Choice(name, "time", f"hour of day and day of week, from {days:.0f} days")


def without_repetitions(choices: Iterable[Choice], columns: Columns) -> list[Choice]:
    """Leave out a field that says the same as an earlier one in every record: it would be blamed twice."""
    kept: list[Choice] = []
    seen: dict[tuple[int, ...], str] = {}
    for choice in choices:
        code = _pattern(columns[choice.name][1]) if choice.kind else None
        if code is not None and code in seen:
            kept.append(Choice(choice.name, None, f"says the same as {seen[code]} in every record"))
            continue
        if code is not None:
            seen[code] = choice.name
        kept.append(choice)
    return kept


def _pattern(column: Column) -> tuple[int, ...] | None:
    """Which rows have equal values, as numbers in order of appearance; None where that says nothing.

    Constants are all alike, and so are fields that seldom repeat a value: that two never repeat does not make them one.
    """
    if pa.types.is_list(column.type):
        return None
    codes = column.dictionary_encode(null_encoding="encode").indices.to_numpy(zero_copy_only=False)
    distinct = int(codes.max(initial=0)) + 1
    return tuple(codes.tolist()) if 1 < distinct <= len(codes) // 2 else None


def count_distinct(column: Column) -> int:
    """Distinct values that are not missing."""
    return int(pc.count_distinct(column, mode="only_valid").as_py())


def count_templates(column: Column) -> int:
    """Distinct texts that are not missing, when the numbers, addresses and ids in them do not count."""
    return len(_templates(column.drop_null()))


def commonest_template(present: Column) -> float:
    """The share of the texts [n], n > 0, that are alike but for the numbers, addresses and ids in them."""
    return int(_templates(present).max()) / len(present)


def _templates(present: Column) -> I64:
    """How many of the texts have each template."""
    found = [tokenise(piece).templates for _, piece in pieces(present, TEMPLATE_BYTES)]
    return np.unique(np.concatenate(found), return_counts=True)[1] if found else np.zeros(0, dtype=np.int64)


def share(mask: Column) -> float:
    """The share of True in a boolean column."""
    return float(pc.mean(mask.cast(pa.float64())).as_py() or 0.0)


def opaque_share(present: Column, sample: int = 200) -> float:
    """The share of values that look like hexadecimal identifiers, judged on the first few."""
    values: Sequence[str] = present.slice(0, sample).to_pylist()
    return sum(bool(OPAQUE.match(value)) for value in values) / len(values)
