"""Event time from whatever a field holds: seconds since 1970 UTC, NaN where it is no time, never an exception.

Without an explicit format each text is read as what it looks like: RFC 3339 and its relatives (``2015-10-18
18:01:47,978``, date alone, ``20261122T031628Z``), access log (``22/Nov/2026:03:00:05 +0000``), syslog (``Jun  9
06:06:20``), C (``Sun Dec 04 04:47:44 2005``), mail, HDFS (``081109 203615``), or seconds, milli-, micro- or nanoseconds
since 1970, told apart by their size. Eight digits are a date and fourteen a date and time, as no such number of seconds
or milliseconds occurs. Day/month/year with slashes is ambiguous and needs a format.

* A time without a zone is local time in ``timezone``. An hour that the clock shows twice is the first of the two, one
  that it leaves out counts as if it had not yet been put forward.
* A date without a year is in the latest year that puts it at most a day after ``reference``; so lines of last December
  read in January are last year's, and clocks that go a little ahead do no harm.
* Second 60, a leap second, is the first second of the next minute.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from monitor.core.arrays import F64, U8, Bools, Column
from monitor.core.arrow import pa, pc
from monitor.core.clock import DAY_SECONDS

LONGEST_TEXT = 64
"""Bytes of the longest text that may be a time; what is longer is NaN."""
PLAUSIBLE = (631_152_000.0, 4_102_444_800.0)
"""The years 1990 to 2099, in which ``detect`` believes a text to be an event time and not just a number."""
ZONE_STEP_SECONDS = 900
"""Offsets are looked up once a quarter of an hour: clocks are changed on quarters."""
TRIMMED = " \t\r[]"
"""What may stand around a time and says nothing: blanks, and the brackets of access and error logs."""
YEARS_TRIED = 9
"""29 February is at most eight years away from any year (1896 to 1904)."""


def parse_times(column: Column, *, format: str | None, timezone: str, reference: float) -> F64:  # noqa: A002
    """Event times of a column, [n] seconds since 1970 UTC; NaN where missing or not a time.

    Args:
        column: text, or numbers (seconds to nanoseconds since 1970, by size).
        format: how ``datetime.strptime`` would read the text, also ``%s``, ``%e``, ``%T`` and ``%F``; None finds out.
        timezone: IANA name for times that do not say their zone.
        reference: seconds since 1970 near which times without a year lie, such as now.

    Raises:
        ValueError: the format or the zone does not exist (see ``check``); values never raise.
    """
    if not pa.types.is_string(column.type):
        return _since_1970(column.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64))
    encoded = column.dictionary_encode()  # times repeat; each distinct text is read once
    times = _Reader(format, timezone, reference).read(encoded.dictionary)
    places = pc.fill_null(encoded.indices, len(times)).to_numpy(zero_copy_only=False)
    each: F64 = np.append(times, np.nan)[places]
    return each


def check(format: str | None, timezone: str) -> None:  # noqa: A002
    """Raise ValueError, saying why, if ``parse_times`` could not use a format or a zone."""
    _zone(timezone)
    if format is not None and _pattern(format) is None:
        _by_strptime("", format)


def detect(strings: Column) -> float:
    """The share of the present texts that are times between 1990 and 2099, 0 to 1; 0 where none is present."""
    present = strings.drop_null()
    times = parse_times(present, format=None, timezone="UTC", reference=PLAUSIBLE[1])
    return float(np.mean((times >= PLAUSIBLE[0]) & (times < PLAUSIBLE[1]))) if len(times) else 0.0


class _Reader:
    """Reads distinct texts: those of one length and one layout together."""

    def __init__(self, form: str | None, timezone: str, reference: float) -> None:
        self._zone = _zone(timezone)
        self._reference = reference
        self._form = form
        pattern = _pattern(form) if form else None
        self._patterns = (pattern,) if pattern else () if form else _FORMS

    def read(self, texts: Column) -> F64:
        """Seconds of each text, [n]; ``texts`` has no null."""
        trimmed = pc.call_function("ascii_trim", [texts], pc.TrimOptions(TRIMMED))
        offsets = np.frombuffer(trimmed.buffers()[1], dtype=np.int32)[trimmed.offset :][: len(texts) + 1]
        data = np.frombuffer(trimmed.buffers()[2] or b"", dtype=np.uint8)
        lengths = np.diff(offsets)
        times = np.full(len(texts), np.nan)
        for length in np.unique(lengths).tolist():
            if 0 < length <= LONGEST_TEXT:
                rows = np.flatnonzero(lengths == length)
                items = np.ndarray((len(data) - length + 1,), dtype=f"V{length}", buffer=data, strides=(1,))
                octets = items[offsets[rows]].view(np.uint8).reshape(-1, length)
                times[rows] = self._read_alike(np.ascontiguousarray(octets.T))
        return times

    def _read_alike(self, octets: U8) -> F64:
        """Seconds of texts of one length: [length, n], a text a column, -> [n].

        The first text that is left shows a layout, which reads all texts that share it. There are few layouts, so the
        loop is short, but for texts that are no times: each of them costs one turn.
        """
        times = np.full(octets.shape[1], np.nan)
        left = np.arange(octets.shape[1])
        while len(left):
            text = octets[:, left[0]].tobytes()
            match = next(filter(None, (pattern.fullmatch(text) for pattern in self._patterns)), None)
            if match is None:
                times[left[0]] = self._read_odd(text)
                left = left[1:]
                continue
            fits, parts = _parts(match, octets if len(left) == len(times) else octets[:, left])
            times[left[fits]] = self._seconds({name: part[fits] for name, part in parts.items()})
            left = left[~fits]
        return times

    def _read_odd(self, text: bytes) -> float:
        """One text that no pattern reads."""
        if self._form is None:
            return float(_since_1970(np.array([float(text)]))[0]) if _NUMBER.fullmatch(text) else np.nan
        if self._patterns:
            return np.nan
        found = _by_strptime(text.decode("utf-8", errors="replace"), self._form)
        return np.nan if found is None else float(self._seconds(found)[0])

    def _seconds(self, found: dict[str, F64]) -> F64:
        """Seconds since 1970 UTC of parts of times, each [n]."""
        if "epoch" in found:
            return _since_1970(found["epoch"] + found.get("fraction", 0.0))
        if "year" in found:
            return self._in_year(found, found["year"])
        this_year = float(datetime.fromtimestamp(self._reference, self._zone).year)
        times = np.full(len(found["day"]), np.nan)
        for year in np.arange(this_year + 1, this_year + 1 - YEARS_TRIED, -1.0):
            tried = self._in_year(found, np.full(len(times), year))
            times = np.where(np.isnan(times) & (tried <= self._reference + DAY_SECONDS), tried, times)
            if not np.isnan(times).any():
                break
        return times

    def _in_year(self, found: dict[str, F64], years: F64) -> F64:
        local = _civil_seconds(found, years)
        if "offset" in found:
            return local - found["offset"]
        return local - _offsets(local, self._zone)


def _since_1970(numbers: F64) -> F64:
    """Seconds from numbers of seconds, milli-, micro- or nanoseconds: each unit from 1973 to the year 5138."""
    size = np.abs(numbers)
    units = np.select([size < 1e11, size < 1e14, size < 1e17, size < 1e20], [1.0, 1e3, 1e6, 1e9], default=np.nan)
    seconds: F64 = numbers / units
    return seconds


def _civil_seconds(found: dict[str, F64], years: F64) -> F64:
    """Seconds since 1970 of the clock's time, NaN for dates and times that do not exist."""
    zeros = np.zeros(len(years))
    month, day = found.get("month", zeros + 1), found.get("day", zeros + 1)
    hour, minute, second = (found.get(name, zeros) for name in ("hour", "minute", "second"))
    exists = (years >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (hour < 24) & (minute < 60) & (second <= 60)
    months = np.where(exists, (years - 1970) * 12 + month - 1, 0).astype(np.int64)
    first_day, next_month = (m.astype("M8[M]").astype("M8[D]").astype(np.int64) for m in (months, months + 1))
    exists &= day <= next_month - first_day
    seconds = (first_day + day - 1) * DAY_SECONDS + hour * 3600 + minute * 60 + second + found.get("fraction", zeros)
    return np.where(exists, seconds, np.nan)


def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {timezone!r}; use an IANA name such as Europe/Paris") from None


def _offsets(local: F64, zone: ZoneInfo) -> F64:
    """How many seconds local times are ahead of UTC, [n]."""
    if zone.key == "UTC":
        return np.zeros(len(local))
    steps, places = np.unique(np.floor(np.nan_to_num(local) / ZONE_STEP_SECONDS), return_inverse=True)
    return np.array([_offset(zone, int(step)) for step in steps])[places]


@lru_cache(maxsize=4096)
def _offset(zone: ZoneInfo, step: int) -> float:
    local = datetime(1970, 1, 1, tzinfo=zone) + timedelta(seconds=step * ZONE_STEP_SECONDS)
    return (local.utcoffset() or timedelta(0)).total_seconds()


# What times look like. A pattern fixes where each part stands by lengths and separators alone, never by the value of a
# digit: so a layout that one text shows reads every other text that the pattern would read in the same way.

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = rf"(?P<name>(?i:{'|'.join(MONTHS)}))"
_DATE = r"(?P<year>\d{4})[-/](?P<month>\d\d)[-/](?P<day>\d\d)"
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_FRACTION = r"(?:[.,](?P<fraction>\d{1,18}))?"
_UTC = r"(?P<utc>[Zz]|UTC|GMT)"
_ZONE = rf"(?: ?(?:{_UTC}|(?P<sign>[+-])(?P<zone_hour>\d\d)(?::?(?P<zone_minute>\d\d))?))?"
_WEEKDAY = r"(?P<weekday>[A-Za-z]{3})"
_PADDED_DAY = r"(?P<day>[ \d]\d|\d)"
_FORMS = tuple(
    re.compile(form.encode("ascii"))
    for form in (
        rf"{_DATE}(?:[T t_](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d){_FRACTION})?{_ZONE})?",
        rf"(?P<day>\d\d)/{_NAME}/(?P<year>\d{{4}}):{_CLOCK}{_FRACTION}{_ZONE}",
        rf"{_NAME} {_PADDED_DAY} (?:(?P<year>\d{{4}}) )?{_CLOCK}{_FRACTION}",
        rf"{_WEEKDAY} {_NAME} {_PADDED_DAY} {_CLOCK}{_FRACTION}(?: {_UTC})? (?P<year>\d{{4}})",
        rf"(?:{_WEEKDAY}, )?{_PADDED_DAY} {_NAME} (?P<year>\d{{4}}) {_CLOCK}{_FRACTION}{_ZONE}",
        r"(?P<year2>\d\d)(?P<month>\d\d)(?P<day>\d\d) (?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)",
        rf"{_DATE.replace('[-/]', '')}(?:T?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d){_FRACTION}{_ZONE})?",
        r"(?P<epoch>\d{1,19})(?:\.(?P<fraction>\d{1,18}))?",
    )
)
_NUMBER = re.compile(rb"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,3})?")

_DIRECTIVES = {
    "Y": r"(?P<year>\d{4})",
    "y": r"(?P<year2>\d\d)",
    "m": r"(?P<month>\d{1,2})",
    "d": _PADDED_DAY,
    "e": _PADDED_DAY,
    "b": _NAME,
    "h": _NAME,
    "a": _WEEKDAY,
    "H": r"(?P<hour>\d{1,2})",
    "M": r"(?P<minute>\d{1,2})",
    "S": r"(?P<second>\d{1,2})",
    "f": r"(?P<fraction>\d{1,9})",
    "z": rf"(?:{_UTC}|(?P<sign>[+-])(?P<zone_hour>\d\d):?(?P<zone_minute>\d\d))",
    "s": r"(?P<epoch>\d{1,19})",
    "T": _CLOCK,
    "F": r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)",
    "%": "%",
}


@lru_cache(maxsize=64)
def _pattern(form: str) -> re.Pattern[bytes] | None:
    """The format as a pattern; None when only ``datetime.strptime`` can read it (week numbers, ``%p``, full names)."""
    pieces = re.split(r"%(.?)", form.strip(TRIMMED), flags=re.DOTALL)
    try:
        texts = [_DIRECTIVES[piece] if i % 2 else re.escape(piece) for i, piece in enumerate(pieces)]
        return re.compile("".join(texts).encode())
    except (KeyError, re.error):  # an unknown directive, none behind a %, or one that stands there twice
        return None


def _by_strptime(text: str, form: str) -> dict[str, F64] | None:
    """The parts of one text; None when it does not fit. Raises ValueError when the format itself is wrong."""
    form = form.strip(TRIMMED)
    with_year = re.search(r"%[YyGcx]", form) is not None
    try:
        time = datetime.strptime(text, form) if with_year else datetime.strptime(f"2000 {text}", f"%Y {form}")  # noqa: DTZ007
    except re.error:
        raise ValueError(f"time format {form!r} has a directive twice") from None
    except ValueError as error:
        if "format" in str(error) and "does not match" not in str(error):
            raise ValueError(f"time format {form!r}: {error}") from None
        return None
    found: dict[str, Any] = {name: getattr(time, name) for name in ("month", "day", "hour", "minute", "second")}
    found["fraction"] = time.microsecond / 1e6
    if with_year:
        found["year"] = time.year
    if (offset := time.utcoffset()) is not None:
        found["offset"] = offset.total_seconds()
    return {name: np.array([value], dtype=np.float64) for name, value in found.items()}


def _parts(match: re.Match[bytes], octets: U8) -> tuple[Bools, dict[str, F64]]:
    """Read texts by the layout of one of them: which have that layout, [n], and their parts, [n] each.

    Args:
        match: of the text in the first column; that one always fits.
        octets: texts of one length, [length, n].
    """
    spans = {name: match.span(name) for name, part in match.groupdict().items() if part is not None}
    varying = {i for name, span in spans.items() if name != "utc" for i in range(*span)}
    fits = np.ones(octets.shape[1], dtype=np.bool_)
    for i in set(range(len(octets))) - varying:
        fits &= octets[i] == octets[i, 0]
    found: dict[str, F64] = {}
    for name, (start, stop) in spans.items():
        if name != "utc":
            good, number = _READERS.get(name, _number)(octets[start:stop])
            fits &= good
            found[name] = number
    return fits, _combined(found, spans)


def _combined(found: dict[str, F64], spans: dict[str, tuple[int, int]]) -> dict[str, F64]:
    """Parts as ``_civil_seconds`` wants them."""
    if "name" in found:
        found["month"] = found["name"]
    if "fraction" in found:
        start, stop = spans["fraction"]
        found["fraction"] = found["fraction"] / 10.0 ** (stop - start)
    if "year2" in found:  # as POSIX has it: 69 to 99 are of the last century
        found["year"] = found["year2"] + np.where(found["year2"] < 69, 2000, 1900)
    if "sign" in found:
        found["offset"] = found["sign"] * (found["zone_hour"] * 3600 + found.get("zone_minute", 0.0) * 60)
    elif "utc" in spans:
        found["offset"] = np.zeros(len(next(iter(found.values()))))
    return found


def _number(part: U8) -> tuple[Bools, F64]:
    """Which columns of ``part``, [digits, n], are all digits, and the numbers that they are, [n] each."""
    good = np.ones(part.shape[1], dtype=np.bool_)
    number = np.zeros(part.shape[1])
    for row in part - np.uint8(ord("0")):
        good &= row <= 9
        number *= 10
        number += row
    return good, number


def _day(part: U8) -> tuple[Bools, F64]:
    """As ``_number``, but a space may pad a single digit."""
    padded = (part[:1] == ord(" ")) & (len(part) > 1)
    return _number(np.concatenate((np.where(padded, np.uint8(ord("0")), part[:1]), part[1:])))


def _sign(part: U8) -> tuple[Bools, F64]:
    negative = part[0] == ord("-")
    return negative | (part[0] == ord("+")), np.where(negative, -1.0, 1.0)


def _weekday(part: U8) -> tuple[Bools, F64]:
    """Letters; which day they name is not looked at."""
    letters = np.ones(part.shape[1], dtype=np.bool_)
    for row in (part | 0x20) - np.uint8(ord("a")):
        letters &= row < 26
    return letters, np.zeros(part.shape[1])


_CODES = np.array([int.from_bytes(name.encode("ascii"), "big") for name in MONTHS])
_ALPHABETIC = np.argsort(_CODES)


def _month(part: U8) -> tuple[Bools, F64]:
    """The number of each month's name, 1 to 12."""
    first, second, third = (part | 0x20).astype(np.int64)
    codes = first << 16 | second << 8 | third
    index = _ALPHABETIC[np.minimum(np.searchsorted(_CODES, codes, sorter=_ALPHABETIC), len(_CODES) - 1)]
    return _CODES[index] == codes, (index + 1).astype(np.float64)


_READERS = {"day": _day, "sign": _sign, "weekday": _weekday, "name": _month}
