"""How often each client address may do something, in bounded memory: a bucket of tokens that refills with time."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

MOST_ADDRESSES = 4096
"""Addresses remembered; with more of them active at once the longest known one starts with a full bucket again."""


@dataclass(frozen=True, slots=True)
class Pace:
    """``burst`` at once, and one every ``interval`` seconds in the long run; an interval of 0 is no limit."""

    interval: float
    burst: int


class Buckets:
    """A bucket for each address. For one event loop: not thread-safe.

    Of each address only the moment is kept at which its bucket will be full again (the generic cell rate algorithm).
    """

    def __init__(self) -> None:
        self._full_at: dict[str, float] = {}  # the longest known first

    def wait(self, address: str, pace: Pace, now: float) -> float:
        """Take a token of the address; 0, or the seconds until there is one, and nothing is taken then."""
        full_at = max(self._full_at.get(address, now), now)
        wait = full_at - now - pace.interval * (pace.burst - 1)
        if wait > 0:
            return wait
        if address not in self._full_at and len(self._full_at) >= MOST_ADDRESSES:
            self._forget(now)
        self._full_at[address] = full_at + pace.interval
        return 0.0

    def _forget(self, now: float) -> None:
        self._full_at = {address: full_at for address, full_at in self._full_at.items() if full_at > now}
        if len(self._full_at) >= MOST_ADDRESSES:
            del self._full_at[next(iter(self._full_at))]


def client_address(host: str) -> str:
    """The address that stands for a client: of IPv6 the network, since one client has all addresses of a /64.

    >>> client_address("2001:db8::1:2"), client_address("::ffff:192.0.2.1"), client_address("192.0.2.1")
    ('2001:db8::', '192.0.2.1', '192.0.2.1')
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(address) >> 64 << 64))
