"""The ip encoder reads every spelling of an address and knows the benign networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.errors import DataError
from monitor.core.novelty import changed, never
from monitor.core.protocols import FittedEncoder
from monitor.encoders import ip
from monitor.encoders._addresses import KINDS, canonical, network_name, parse_addresses
from monitor.encoders.ip import Config
from tests.text_encoding import NAME, encode, finding, surprise, total
from tests.text_encoding import fit as fit_encoder

BENIGN = [f"10.{i % 3}.{i % 5}.{i % 20}" for i in range(300)] + [f"2001:470:{i % 4}::{i % 9}" for i in range(100)]


def fit(values: Sequence[str | None], **options: int) -> FittedEncoder:
    return fit_encoder(ip.build(Config(**options), NAME), values)


@pytest.fixture(scope="module")
def network() -> FittedEncoder:
    return fit(BENIGN)


def parsed(*values: str | None) -> list[tuple[int, str, int]]:
    found = parse_addresses(pa.array(values, type=pa.string()))
    kinds = [KINDS[kind] for kind in found.kind.tolist()]
    return list(zip(found.family.tolist(), kinds, found.exact.tolist(), strict=True))


@pytest.mark.parametrize(
    ("spelling", "plain"),
    [
        ("10.1.2.3:80", "10.1.2.3"),
        (" 10.1.2.3\t", "10.1.2.3"),
        (" 10.1.2.3:65535", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("[::ffff:a01:203]:80", "10.1.2.3"),
        ("[10.1.2.3]:80", "10.1.2.3"),
        ("[2001:470::1]:443", "2001:470::1"),
        ("[2001:470::1]", "2001:470::1"),
        ("2001:0470:0:0:0:0:0:1", "2001:470::1"),
        ("2001:470::1%eth0", "2001:470::1"),
        ("[fe80::1%3]:22", "fe80::1"),
        ("2001:0470::A", "2001:470::a"),
    ],
)
def test_spellings_of_one_address_are_the_same(spelling: str, plain: str) -> None:
    first, second = parsed(spelling, plain)

    assert first == second
    assert first[0] > 0
    assert canonical(spelling) == plain


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "localhost",
        "10.1.2",
        "10.1.2.3.4",
        "10.1.2.256",
        "10.1.2.03",
        "10.1.2.",
        "10..2.3",
        "10.1.2.1234",
        "10.1.2.3:",
        "10.1.2.3:123456",
        "10.1.2.3:8a",
        "10.1.2.3:80:90",
        "10.1.2.3/24",
        "10.1.2.\0",
        "10.1\0.2.3",
        "1\0.1.2.3",
        "10.1.2.3:\0",
        "10.1.2.３",
        "1.2.3.4" + " " * 100,
        "[::1",
        "[::1]80",
        "[::1]:x",
        ":::1",
        "::1::",
        "12345::",
        "1:2:3:4:5:6:7:8:9",
        "x" * 1_000_000,
        None,
    ],
)
def test_what_is_no_address_is_none(text: str | None) -> None:
    before, found, after = parse_addresses(pa.array(["10.0.0.1", text, "10.0.0.2:1"], type=pa.string())).family.tolist()

    assert (before, found, after) == (4, 0, 4)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.ip_addresses(), min_size=1, max_size=20))
def test_every_address_is_read(addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> None:
    found = parse_addresses(pa.array([str(address) for address in addresses]))

    for i, address in enumerate(addresses):
        inside = getattr(address, "ipv4_mapped", None) or address
        bits = 16 if inside.version == 4 else 32
        assert found.family[i] == inside.version
        wide = ipaddress.ip_network(f"{inside}/{bits}", strict=False)
        assert network_name(int(found.wide[i])) == str(wide)
    assert len(set(found.exact.tolist())) == len({str(getattr(a, "ipv4_mapped", None) or a) for a in addresses})


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("0123456789.:\0 af", max_size=18), min_size=1, max_size=10))
def test_the_fast_way_agrees_with_the_standard_library(values: list[str]) -> None:
    found = parse_addresses(pa.array(values, type=pa.string())).family.tolist()

    for text, family in zip(values, found, strict=True):
        bare = text.strip()
        host, colon, port = bare.partition(":") if bare.count(":") == 1 else (bare, "", "")
        ported = not colon or (port.isdigit() and len(port) <= 5)
        try:
            expected = ipaddress.ip_address(host).version if ported else 0
        except ValueError:
            expected = 0
        mapped = expected == 6 and ipaddress.IPv6Address(host).ipv4_mapped is not None
        assert family == (4 if mapped else expected), text


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("8.8.8.8", "global"),
        ("10.255.255.255", "private"),
        ("11.0.0.0", "global"),
        ("172.16.0.0", "private"),
        ("172.32.0.0", "global"),
        ("100.64.0.1", "private"),
        ("192.168.0.1", "private"),
        ("127.0.0.1", "loopback"),
        ("169.254.1.1", "link-local"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "special"),
        ("0.0.0.0", "special"),
        ("203.0.113.9", "special"),
        ("::", "special"),
        ("::1", "loopback"),
        ("::2", "global"),
        ("fe80::1", "link-local"),
        ("fd00::1", "private"),
        ("ff02::1", "multicast"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"),
        ("2001:db8::1", "special"),
        ("2a00::1", "global"),
        ("::ffff:127.0.0.1", "loopback"),
    ],
)
def test_addresses_have_a_kind(address: str, kind: str) -> None:
    assert parsed(address)[0][1] == kind


def test_networks_kinds_and_family_are_columns(network: FittedEncoder) -> None:
    columns, novelty = encode(network, "10.1.1.1", "2001:470:1::1")
    on = [{name for name, value in zip(network.columns, row, strict=True) if value} for row in columns]

    assert on == [{"10.1.0.0/16", "private"}, {"2001:470::/32", "global", "IPv6"}]
    assert not novelty.any()


def test_the_rarest_unseen_network_is_told(network: FittedEncoder) -> None:
    strength = pytest.approx(never(400))

    assert surprise(network, "192.0.9.9") == {"unseen wide network": strength}
    assert surprise(network, "10.1.77.1") == {"unseen network": strength}
    assert surprise(network, "10.1.4.200") == {"unseen address": strength}
    assert surprise(network, "2001:470:77::1") == {"unseen network": strength}
    assert surprise(network, "10.1.1.1:5555") == {}


def test_visitors_from_everywhere_are_no_surprise() -> None:
    everywhere = [f"{1 + i % 120}.{i * 7 % 256}.{i * 13 % 256}.{i * 31 % 256}" for i in range(5000)]
    encoder = fit(everywhere)

    assert total(encoder, "99.98.97.96") < 1.0


def test_rare_networks_share_a_column() -> None:
    encoder = fit(BENIGN, networks=2)
    columns, novelty = encode(encoder, *BENIGN)

    assert encoder.columns[:3] == ("10.0.0.0/16", "10.1.0.0/16", "<other network>")
    assert columns[:, :3].sum(axis=1).tolist() == [1.0] * len(BENIGN)
    assert not novelty.any()


@pytest.mark.parametrize(("value", "state"), [(None, "missing"), ("unknown", "not an address")])
def test_states_beside_an_address(network: FittedEncoder, value: str | None, state: str) -> None:
    sometimes = fit([*BENIGN, value])

    assert surprise(network, value) == {state: pytest.approx(never(400))}
    assert surprise(sometimes, value) == {}
    assert encode(sometimes, value)[0][0].tolist() == [0.0] * (len(sometimes.columns) - 1) + [1.0]


def test_a_constant_that_changes_is_the_loudest() -> None:
    encoder = fit(["10.0.0.1:1", "10.0.0.1:2"] * 50)

    assert encoder.columns == ()
    assert surprise(encoder, "10.0.0.1:3") == {}
    assert total(encoder, "10.0.0.2:1") == pytest.approx(changed(100, np.zeros(1))[0])
    assert finding(encoder, "10.0.0.2").reason == "changed: always 10.0.0.1 in 100 benign records"
    assert finding(encoder, "10.0.0.2").expected == "10.0.0.1"


def test_a_finding_names_the_networks(network: FittedEncoder) -> None:
    found = finding(network, "10.9.0.1", reconstructed="10.2.2.2")

    assert found.expected == "10.2.0.0/16"
    assert found.benign_range == "10.0.0.0/16, 10.1.0.0/16, 10.2.0.0/16 and 1 more network"
    assert found.reason == "its network (/16, IPv6 /32) never seen in 400 benign records"


def test_no_address_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="field 'thing': not one address in 3 benign records"):
        fit(["a", None, "b"])


def test_a_text_without_an_address_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="'nobody' has no address"):
        canonical("nobody")
