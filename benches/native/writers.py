"""Made-up writers of lines: what they usually write, and what an attacker or a fault makes of it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from monitor.core.records import Field, FieldType
from monitor.parsers.access_log import FIELDS

# fmt: off
NUMBERS = (
    "0", "-0", "0.0", "-0.0", "00", "01", "-01", "+1", "1.", ".5", "-.5", "-", "--", "1e5", "1E5", "1e+5", "1e-5", "1e",
    "1e+", "1ee5", "1.5e3", "1e22", "1e23", "1e-22", "1e-23", "1e308", "1e309", "1e400", "-1e400", "5e-324", "2e-324",
    "1e-400", "9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993", "18446744073709551615",
    "18446744073709551616", "9223372036854775807", "9223372036854775808", "99999999999999999999", "1e99999", "0e0",
    "1e-99999", "0e400", "0E-400", "0.1000000000000000055511151231257827021181583404541015625", "123456789012345678",
    "1.00000000000000011102230246251565", "0.000000000000000000000001", "0.00000000000000000000001e22", "8.41",
    "9007199254740993e0", "900719925474099.3", "4503599627370497.5", "1_000", "0x10", "1,5", "NaN", "nan", "Infinity",
    "-Infinity", "inf", "null", "Null", "true", "false", "True", "1d", "1f", "١", "1\0", "1\t", "1\r", "1/2",
)
VALUES = (
    '""', '"x"', '"NaN"', '"1e5"', '"12"', '" 12 "', '"a\\"b"', '"a\\\\"', '"\\u0041"', '"\\ud800"', '"\\x"', '"a\nb"',
    '"é"', '"\x7f"', '"\x00"', '"\x1f"', '"\u2028"', '"\U0001f600"', "'x'", '"x', 'x"', "[]", "[1]", "{}", '{"a":1}',
    '{"b":{"c":1}}', "", " ", " 1", "1 ", "\t1", '"x" ', " null ", "nulls", "nul", "tru", "truee", "1" * 400, "[" * 600,
    '"12345678"', '"1234567"', '"123456789"', '"1234567890123456"', '"é2345678"', '"1234567é"', f'"{"y" * 5000}"',
)
# fmt: on
KEYS = ("a", "bb", "ccc", "time", "s00", "s01", "user.id", "user", "", "a key", "long_key_of_some_length", "k]", "~")
OCTETS = b'\0\t\n\r !"#+,-./019:;=?AEZ[\\]_aefnrtu{}\x7f\x80\xbf\xc3\xa9\xe2\xed\xa0\xf0\xff'
ARRANGED: tuple[Callable[[list[str]], list[str]], ...] = (
    lambda members: members[::-1],
    lambda members: members[1:],
    lambda members: members[:-1],
    lambda members: [*members, members[0]],
    lambda members: [*members, '"new":1'],
    lambda members: [*members, ""],
    lambda members: [member.replace('"', '"\\u0061', 1) for member in members],
    lambda members: [member.replace(":", " : ", 1) for member in members],
)
FRAMES = (
    "{%s}",
    " {%s}",
    "{%s} ",
    "\ufeff{%s}",
    "{%s}\r",
    "{%s",
    "%s}",
    "[{%s}]",
    "{%s}{%s}",
    "{%s},",
    "{\t%s}",
    "{%s}\0",
)


def number(draw: random.Random) -> str:
    """A number as programs write them, or one that is hard to round."""
    digits = "".join(draw.choices("0123456789", k=draw.randint(1, 22)))
    point = draw.randint(1, len(digits))
    written = (
        f"{draw.uniform(-1000, 1000):.2f}",
        repr(draw.uniform(-1, 1) * 10.0 ** draw.randint(-30, 30)),
        str(draw.randint(-(10 ** draw.randint(0, 20)), 10 ** draw.randint(0, 20))),
        f"{digits.lstrip('0') or '0'}e{draw.randint(-340, 320)}",
        f"{digits[:point].lstrip('0') or '0'}.{digits[point:] or '0'}",
        f"{digits[:point].lstrip('0') or '0'}.{digits[point:] or '5'}E{draw.choice('+-')}{draw.randint(0, 25)}",
        str(2**53 + draw.randint(-3, 3)) + draw.choice(("", ".0", "e0", "e-3", "e5", "0")),
    )
    return draw.choices(written, weights=(8, 1, 2, 1, 1, 1, 1))[0]


def text(draw: random.Random) -> str:
    """A text in quotes, mostly plain ASCII."""
    plain = "".join(draw.choices("abcdefghij-_ 0123/:.", k=draw.randint(0, 40)))
    return json.dumps(plain) if draw.random() < 0.95 else draw.choice(VALUES)


def spoiled(draw: random.Random, line: bytes) -> bytes:
    """The line with a few bytes changed, put in, left out, repeated, or with its end cut off."""
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        at, length = draw.randint(0, len(line)), draw.choice((1, 1, 1, 2, 4))
        octets = bytes(draw.choices(OCTETS, k=length))
        edits = (
            line[:at] + octets + line[at + length :],
            line[:at] + octets + line[at:],
            line[:at] + line[at + length :],
            line[:at] + line[max(0, at - 8) : at] + line[at:],
            line[:at],
        )
        line = draw.choices(edits, weights=(6, 4, 4, 2, 1))[0]
    return line


@dataclass(frozen=True, slots=True)
class JsonWriter:
    """Objects with the same keys in the same order, laid out in one way."""

    keys: tuple[str, ...]
    kinds: tuple[Callable[[random.Random], str], ...]
    colon: str
    comma: str

    @classmethod
    def drawn(cls, draw: random.Random) -> JsonWriter:
        """Any such writer."""
        keys = tuple(draw.sample(KEYS, k=draw.randint(1, 8)))
        kinds = tuple(draw.choice((number, text)) for _ in keys)
        return cls(keys, kinds, draw.choice((":", ": ", " :\t")), draw.choice((",", ", ", " ,")))

    def fields(self, draw: random.Random) -> list[Field]:
        """Some of the keys, and some that do not occur, mostly as what they are."""
        natural = dict(zip(self.keys, self.kinds, strict=True))
        names = draw.sample(KEYS, k=draw.randint(1, len(KEYS)))
        kinds = [FieldType.NUMBER if natural.get(name) is number else FieldType.TEXT for name in names]
        others = (FieldType.NUMBER, FieldType.TEXT)
        mixed = (draw.choice(others) if draw.random() < 0.01 else kind for kind in kinds)
        return [Field(name, kind) for name, kind in zip(names, mixed, strict=True)]

    def usual(self, draw: random.Random) -> bytes:
        """One line."""
        return self._line("{%s}", self._members(draw))

    def odd(self, draw: random.Random) -> bytes:
        """A line with an odd value in a usual place, or with odd members or frame."""
        members = self._members(draw)
        if draw.random() < 0.75:
            place = draw.randrange(len(members))
            value = draw.choice((*NUMBERS, *VALUES)) if draw.random() < 0.8 else draw.choice((number, text))(draw)
            members[place] = f"{json.dumps(self.keys[place])}{self.colon}{value}"
            return self._line("{%s}", members)
        return self._line(draw.choice(FRAMES), draw.choice(ARRANGED)(members))

    def _members(self, draw: random.Random) -> list[str]:
        values = (kind(draw) if draw.random() < 0.98 else "null" for kind in self.kinds)
        return [f"{json.dumps(key)}{self.colon}{value}" for key, value in zip(self.keys, values, strict=True)]

    def _line(self, frame: str, members: list[str]) -> bytes:
        return frame.replace("%s", self.comma.join(members)).encode("utf-8", errors="surrogatepass")


ADDRESSES = ("192.0.2.1", "::1", "a, b", "a,", ",", "-", "", 'a"', "é", "x" * 300, "10.0.0.1,", "a\tb")
USERS = ("-", "alice", "bob smith", "[x", "x]", '""', "é", "", "a\\b")
TIMES = ("02/Jan/2026:03:04:05 +0000", "", "]", "] ", "x] [y", '"', "é", "99/Foo/2026:25:61:61 +9999", "\\")
# fmt: off
REQUESTS = (
    "GET /a?b=1 HTTP/1.1", "GET / HTTP/1.0", "GET /", "GET", "-", "", "get / HTTP/1.1", "GET  HTTP/1.1", " ", "GET /\t",
    "GET  /  HTTP/1.1", "GET ?x HTTP/2", "GET /? HTTP/2", "GET /?? HTTP/", "PROPFIND /x y HTTP/1.1", "AB / HTTP/1.1",
    "M-SEARCH * HTTP/1.1", "ABCDEFGHIJKLMNOPQRST / HTTP/1.1", "ABCDEFGHIJKLMNOPQRSTU / HTTP/1.1", "GET / http/1.1",
    "GET /HTTP/1.1", "GET HTTP/1.1", "\\x16\\x03\\x01", 'GET /\\" HTTP/1.1', "GET /é HTTP/1.1", "GET /a\tb HTTP/1.1",
    "GET /" + "x" * 3000 + " HTTP/1.1", "GET - HTTP/1.1", "GET /a HTTP/1.1 ", " GET /a HTTP/1.1", "XYZ /a?b HTTP/1.1",
)
# fmt: on
STATUSES = ("200", "404", "-", "20", "2000", "", "2x0", "200 ", " 200", "٣00")
SIZES = ("512", "-", "0", "", "12.5", "1e3", "-1", '5"', "99999999999999999999", "é", "x", "5 7")
# fmt: off
TAILS = (
    "", ' "-" "Mozilla/5.0 (X11)"', ' "https://a.example/" "curl/8"', ' "" ""', ' "x"', ' "x" "y" "z"', ' "x" "y" 0.1',
    " 0.1", ' "x"  "y"', ' "x""y"', ' "a\\"b" "c"', ' "a" "b\\x22"', ' "a" "b', ' "é" "b"', ' "a" "b"x', " ",
    '  "a" "b"', ' "-" "-" \\"',
)
# fmt: on


TYPES = (FieldType.TEXT, FieldType.TEXT, FieldType.TEXT, FieldType.NUMBER, FieldType.BOOLEAN)


class AccessWriter:
    """Access log lines; a usual one takes the first few of everything."""

    def fields(self, draw: random.Random) -> list[Field]:
        """Some of the parts, one that does not exist, as texts and numbers."""
        names = draw.sample((*FIELDS, "no such part"), k=draw.randint(1, len(FIELDS)))
        return [Field(name, FieldType.NUMBER if name == "bytes" else draw.choice(TYPES)) for name in names]

    def usual(self, draw: random.Random) -> bytes:
        """One line."""
        return self._line(draw, 0.03)

    def odd(self, draw: random.Random) -> bytes:
        """A line in which every part may be odd."""
        return self._line(draw, 0.3)

    def _line(self, draw: random.Random, share: float) -> bytes:
        def part(values: tuple[str, ...], usual: int) -> str:
            return draw.choice(values) if draw.random() < share else draw.choice(values[:usual])

        return (
            f"{part(ADDRESSES, 2)} {part(('-', 'ident', ''), 2)} {part(USERS, 2)} [{part(TIMES, 1)}] "
            f'"{part(REQUESTS, 2)}" {part(STATUSES, 2)} {part(SIZES, 3)}{part(TAILS, 4)}'
        ).encode()
