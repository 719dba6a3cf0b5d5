"""What fields of records have to be, asked of whole columns."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

import numpy as np

from monitor.core.arrays import Bools, Column
from monitor.core.arrow import pa, pc
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.regexes import ANY
from monitor.core.suppress_config import Condition, Scalar


def wanted(conditions: Mapping[str, Condition]) -> list[Field]:
    """The columns that ``meet`` reads."""
    return [Field(name, kind) for name in conditions for kind in (FieldType.TEXT, FieldType.NUMBER)]


def meet(conditions: Mapping[str, Condition], records: RecordBatch) -> Bools:
    """Which records meet all conditions, [n]; a field that is missing meets none."""
    met = np.ones(len(records), dtype=np.bool_)
    for name, condition in conditions.items():
        met &= _meet(condition, records.column(name, FieldType.TEXT), records.column(name, FieldType.NUMBER))
    return met


def _meet(condition: Condition, texts: Column, numbers: Column) -> Bools:
    met = [np.ones(len(texts), dtype=np.bool_)]

    if condition.equals is not None:
        met.append(_is_among([condition.equals], texts, numbers))
    if condition.among is not None:
        met.append(_is_among(condition.among, texts, numbers))
    if condition.cidr is not None:
        met.append(_is_within(condition.cidr, texts))
    if condition.matches is not None:
        met.append(_known(pc.match_substring_regex(texts, ANY + condition.matches)))
    if condition.at_least is not None:
        met.append(_known(pc.greater_equal(numbers, condition.at_least)))
    if condition.at_most is not None:
        met.append(_known(pc.less_equal(numbers, condition.at_most)))
    together: Bools = np.logical_and.reduce(met)
    return together


def _is_among(values: Sequence[Scalar], texts: Column, numbers: Column) -> Bools:
    """The value as it is written, or for a number as large."""
    written = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    large = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    same = _known(pc.is_in(texts, pa.array(written, pa.string())))
    return same | _known(pc.is_in(numbers, pa.array(large, pa.float64())))


def _is_within(networks: Sequence[str], texts: Column) -> Bools:
    """Each different address is asked for once."""
    nets = [ipaddress.ip_network(network) for network in networks]
    coded = texts.dictionary_encode()
    inside = np.array([*(_lies_in(text, nets) for text in coded.dictionary.to_pylist()), False])
    codes = pc.fill_null(coded.indices, len(inside) - 1).to_numpy(zero_copy_only=False)
    within: Bools = inside[codes]
    return within


def _lies_in(text: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        address = ipaddress.ip_address(text.strip("[] "))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in network or address in network for network in networks)


def _known(found: Column) -> Bools:
    met: Bools = pc.fill_null(found, False).to_numpy(zero_copy_only=False).astype(np.bool_)
    return met
