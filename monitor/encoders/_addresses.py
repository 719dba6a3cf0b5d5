"""Addresses from text: IPv4 by array operations, whatever else is an address one distinct value at a time."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import I64, U8, Bools, Column
from monitor.core.spans import mix
from monitor.core.strings import U64, Texts, pieces

LONGEST = 64
"""Bytes; no address with zone, brackets and port is longer, and a longer text is none."""

KINDS = ("global", "private", "loopback", "link-local", "multicast", "special")
_GLOBAL, _PRIVATE, _LOOPBACK, _LINK_LOCAL, _MULTICAST, _SPECIAL = range(len(KINDS))

# First address, its prefix length, kind: the registries of special addresses, fixed here because the standard library's
# opinion differs between Python versions. The last match counts.
_V4_BLOCKS = (
    ("0.0.0.0/8", _SPECIAL),
    ("10.0.0.0/8", _PRIVATE),
    ("100.64.0.0/10", _PRIVATE),
    ("127.0.0.0/8", _LOOPBACK),
    ("169.254.0.0/16", _LINK_LOCAL),
    ("172.16.0.0/12", _PRIVATE),
    ("192.0.0.0/24", _SPECIAL),
    ("192.0.2.0/24", _SPECIAL),
    ("192.168.0.0/16", _PRIVATE),
    ("198.18.0.0/15", _SPECIAL),
    ("198.51.100.0/24", _SPECIAL),
    ("203.0.113.0/24", _SPECIAL),
    ("224.0.0.0/4", _MULTICAST),
    ("240.0.0.0/4", _SPECIAL),
)
_V6_BLOCKS = (
    ("::/128", _SPECIAL),
    ("::1/128", _LOOPBACK),
    ("64:ff9b::/96", _SPECIAL),
    ("100::/64", _SPECIAL),
    ("2001:db8::/32", _SPECIAL),
    ("fc00::/7", _PRIVATE),
    ("fe80::/10", _LINK_LOCAL),
    ("ff00::/8", _MULTICAST),
)
_V4_KINDS = tuple(
    (int(net[0]), int(net[-1]), kind) for net, kind in ((ipaddress.IPv4Network(n), k) for n, k in _V4_BLOCKS)
)
_V6_KINDS = tuple(
    (int(net[0]), int(net[-1]), kind) for net, kind in ((ipaddress.IPv6Network(n), k) for n, k in _V6_BLOCKS)
)

_DIGIT, _DOT, _COLON = 1, 2, 3  # a zero byte (between texts) is 0, anything else is 4
_CLASSES = bytes(
    _DIGIT if chr(code).isdigit() and code < 128 else {0: 0, ord("."): _DOT, ord(":"): _COLON}.get(code, 4)
    for code in range(256)
)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Parsed texts. ``family`` is 4, 6 or 0 for what is no address; the other columns are 0 there.

    ``wide`` and ``narrow`` are the networks as numbers: the family in the upper 4 bits, below them the first 16 and 24
    bits of an IPv4 address, the first 32 and 48 of an IPv6 address. ``exact`` stands for the whole address.
    """

    family: U8  # [n]
    kind: U8  # [n] index to KINDS
    wide: U64  # [n]
    narrow: U64  # [n]
    exact: U64  # [n]


def parse_addresses(column: Column) -> Addresses:
    """Parse a text column, missing values as no address.

    Costs 0.1 us a row and 0.3 us for a distinct IPv4 address; 3 us for every other distinct text.
    """
    coded = column.dictionary_encode()
    distinct = _parse_distinct(coded.dictionary)
    index = coded.indices.fill_null(len(coded.dictionary)).to_numpy()
    return Addresses(*(np.append(part, part.dtype.type(0))[index] for part in distinct))


def network_name(network: int) -> str:
    """A wide network as people write it.

    >>> network_name(4 << 60 | 0x0A01)
    '10.1.0.0/16'
    """
    bits = network & ((1 << 60) - 1)
    if network >> 60 == 4:
        return f"{ipaddress.IPv4Address(bits << 16)}/16"
    return f"{ipaddress.IPv6Address(bits << 96)}/32"


def canonical(text: str) -> str:
    """The address in a text that has one, without port and zone, as people write it.

    >>> canonical("[2001:DB8::1]:443")
    '2001:db8::1'
    """
    address = ipaddress.ip_address(_bare(text.strip()))
    return str(_v4_inside(address) or address)


def _parse_distinct(distinct: Column) -> tuple[U8, U8, U64, U64, U64]:
    n = len(distinct)
    family, kind = np.zeros(n, dtype=np.uint8), np.zeros(n, dtype=np.uint8)
    wide, narrow, exact = (np.zeros(n, dtype=np.uint64) for _ in range(3))
    for rows, piece in pieces(distinct, LONGEST):
        addresses, valid = _parse_v4(piece)
        at = np.flatnonzero(valid) + rows.start
        family[at], kind[at] = 4, _v4_kinds(addresses[valid])
        wide[at], narrow[at], exact[at] = _v4_networks(addresses[valid])
        for other in np.flatnonzero(~valid & (piece.lengths <= LONGEST)):
            text = piece.data[piece.starts[other] : piece.stops[other]].decode("utf-8")
            row = rows.start + int(other)
            family[row], kind[row], wide[row], narrow[row], exact[row] = _parse_slowly(text)
    return family, kind, wide, narrow, exact


def _parse_v4(piece: Texts) -> tuple[U64, Bools]:
    """Four numbers and perhaps a port; [n] addresses and whether each is one."""
    classes = piece.classes(_CLASSES)
    marks = np.flatnonzero(classes > _DIGIT)
    bounds = np.searchsorted(marks, np.append(piece.starts, len(piece.data)))
    counts = np.diff(bounds)
    marks = np.append(marks, np.zeros(4, dtype=np.int64))  # so that four can be read of every row
    places = marks[bounds[:-1, None] + np.arange(4)]  # [n, 4]
    kinds = classes[places]
    ported = (counts == 4) & (kinds[:, 3] == _COLON)
    valid = ((counts == 3) | ported) & (kinds[:, :3] == _DOT).all(axis=1) & (piece.lengths <= LONGEST)
    valid &= ~ported | ((piece.stops - places[:, 3] >= 2) & (piece.stops - places[:, 3] <= 6))
    ends = np.concatenate((places[:, :3], np.where(ported, places[:, 3], piece.stops)[:, None]), axis=1)
    starts = np.concatenate((piece.starts[:, None], places[:, :3] + 1), axis=1)
    octets, good = _octets(piece, np.where(valid[:, None], starts, 0), np.where(valid[:, None], ends, 1))
    shifted = octets << np.array([24, 16, 8, 0])
    return shifted.sum(axis=1).astype(np.uint64), valid & good.all(axis=1)


def _octets(piece: Texts, starts: I64, ends: I64) -> tuple[I64, Bools]:
    """The numbers of one to three digits in the given ranges; 0 to 255 and without a leading zero are good."""
    lengths = ends - starts
    values = np.zeros_like(starts)
    for place, weight in enumerate((1, 10, 100), start=1):
        digits = piece.bytes[np.maximum(ends - place, 0)].astype(np.int64) - ord("0")
        values += np.where(lengths >= place, digits * weight, 0)
    leading = (lengths > 1) & (piece.bytes[starts] == ord("0"))
    return values, (lengths >= 1) & (lengths <= 3) & (values <= 255) & ~leading


def _v4_kinds(addresses: U64) -> U8:
    kinds = np.full(len(addresses), _GLOBAL, dtype=np.uint8)
    for first, last, kind in _V4_KINDS:
        kinds[(addresses >= first) & (addresses <= last)] = kind
    return kinds


def _v4_networks(addresses: U64) -> tuple[U64, U64, U64]:
    family = np.uint64(4 << 60)
    return addresses >> np.uint64(16) | family, addresses >> np.uint64(8) | family, addresses | family


def _parse_slowly(text: str) -> tuple[int, int, int, int, int]:
    """Any spelling of an address: blanks around it, brackets, a port, a zone; IPv4 inside IPv6 is IPv4."""
    try:
        address = ipaddress.ip_address(_bare(text.strip()))
    except ValueError:
        return 0, 0, 0, 0, 0
    inside = _v4_inside(address)
    if inside is not None:
        number = np.array([int(inside)], dtype=np.uint64)
        wide, narrow, exact = (int(part[0]) for part in _v4_networks(number))
        return 4, int(_v4_kinds(number)[0]), wide, narrow, exact
    number = int(address)
    kinds = [kind for first, last, kind in _V6_KINDS if first <= number <= last]
    halves = mix(np.array([number >> 64, number & (1 << 64) - 1], dtype=np.uint64) + np.arange(2, dtype=np.uint64))
    family = 6 << 60
    return 6, kinds[-1] if kinds else _GLOBAL, number >> 96 | family, number >> 80 | family, int(halves[0] ^ halves[1])


def _v4_inside(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return address if isinstance(address, ipaddress.IPv4Address) else address.ipv4_mapped


def _bare(text: str) -> str:
    """The address without brackets, port and zone."""
    if text.startswith("["):
        text, _, rest = text[1:].partition("]")
        if rest and not _is_port(rest):
            return ""
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not _is_port(":" + port):
            return ""
    return text.partition("%")[0]


def _is_port(text: str) -> bool:
    return text[0] == ":" and 2 <= len(text) <= 6 and text[1:].isascii() and text[1:].isdigit()
