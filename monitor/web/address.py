"""Takes the address to listen on, or says what is wrong with it in words that name the cure."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

from monitor.core.config import parse_listen
from monitor.core.errors import AemonitorError, PermissionDeniedError, UnavailableError

AddressInfo = tuple[int, int, int, str, Any]
"""What ``socket.getaddrinfo`` gives: family, type, protocol, canonical name, address."""
_CURES = {
    errno.EADDRINUSE: "another process uses this address: stop it or set another `server.listen`",
    errno.EADDRNOTAVAIL: "this host has no such address: set another `server.listen`",
    errno.EACCES: "ports below 1024 need privileges: set another `server.listen`",
}


def bound(listen: str) -> socket.socket:
    """A socket that listens on ``host:port``, ``[ipv6]:port`` or ``:port`` (every address); port 0 takes a free one.

    Raises:
        UnavailableError: the address is in use, does not exist or is not an address.
        PermissionDeniedError: the operating system refuses the port.
    """
    host, port = _address(listen)
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # Every address means IPv6 with IPv4 mapped into it; a name means IPv4, which scrapers are told, if it has one.
        preferred = socket.AF_INET if host else socket.AF_INET6
        return _first_listening(sorted(found, key=lambda entry: entry[0] != preferred), every_address=not host)
    except (OSError, UnicodeError) as error:  # UnicodeError: the host cannot be a name
        raise _refusal(listen, error) from error


def is_loopback(opened: socket.socket) -> bool:
    """Whether only this machine reaches it."""
    return ipaddress.ip_address(opened.getsockname()[0].partition("%")[0]).is_loopback


def _address(listen: str) -> tuple[str, int]:
    """Host and port; the host is empty for every address. UnavailableError when it is none."""
    try:
        address = parse_listen(listen)
    except ValueError as error:
        raise UnavailableError(f"cannot listen on {listen!r}: {error}") from None
    if address is None:
        raise UnavailableError(f"cannot listen on {listen!r}: it switches the server off")
    return address


def _first_listening(candidates: Sequence[AddressInfo], *, every_address: bool) -> socket.socket:
    """The first address whose family this host has; an address that is taken is not passed over quietly."""
    for family, _, _, _, address in candidates[:-1]:
        try:
            return _listening(family, address, every_address=every_address)
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise
    family, _, _, _, address = candidates[-1]
    return _listening(family, address, every_address=every_address)


def _listening(family: int, address: Any, *, every_address: bool) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Without it a restart would have to wait for connections of its predecessor that are closing.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if every_address and family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        opened.bind(address)
        opened.listen(128)
    except OSError:
        opened.close()
        raise
    return opened


def _refusal(listen: str, error: OSError | UnicodeError) -> AemonitorError:
    number = error.errno if isinstance(error, OSError) else None
    kind = PermissionDeniedError if number in (errno.EACCES, errno.EPERM) else UnavailableError
    return kind(f"cannot listen on {listen}: {_CURES.get(number or 0) or error}")
