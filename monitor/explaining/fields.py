"""Which fields make a record anomalous, and the one sentence that says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.core.alerts import FieldFinding
from monitor.core.arrays import F32, F64, I64
from monitor.core.features import Layout
from monitor.core.names import plural
from monitor.core.printable import printable
from monitor.core.protocols import Finding
from monitor.explaining.rarity import rarer_than
from monitor.explaining.text import compared, portable, shown

TOP_FIELDS = 5
"""Fields named in one alert; further ones carry little and nobody reads them."""

Explain = Callable[[str, F32, F32, F32, Any], Finding]
"""``explain(feature, columns, novelty, reconstruction, actual)`` of one encoded row and the value it was made of: what
the encoder says of it."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One row that alerts: what it is and what was expected, [total], and the blame of each feature, [features], >= 0.

    ``field_errors`` are the distances from what was expected; they tell between features without any blame. ``rarity``
    is that of the row and ``field_rarities`` [features] are those of its features, in bans, if the score tells.
    """

    values: F32
    expected: F32
    blame: F64
    field_errors: F64
    rarity: float | None = None
    field_rarities: F64 | None = None


def contributions(blame: F64) -> F64:
    """Each field's share of the blame, [features]: 0 to 1, adding up to 1; all 0 when there is none."""
    largest = float(blame.max(initial=0.0))
    if largest == 0:
        return np.zeros(len(blame))
    shares: F64 = blame / largest  # first, so that the sum of huge numbers stays finite
    shares /= shares.sum()
    return shares


def ranked(shares: F64, errors: F64) -> I64:
    """All fields, the largest share first, of equal shares the largest error."""
    return np.lexsort((-errors, -shares))  # last key first; equal ones keep the order of the layout


def blamed(shares: F64, errors: F64) -> I64:
    """The fields to name, the largest share first; when no field has any, the one with the largest error."""
    order = ranked(shares, errors)[:TOP_FIELDS]
    return order[: max(1, int((shares[order] > 0).sum()))]


def field_findings(
    anomaly: Anomaly, layout: Layout, actual: Mapping[str, Any], explain: Explain, *, every: bool = False
) -> tuple[FieldFinding, ...]:
    """The five fields to blame most, or every one, in falling order.

    Args:
        anomaly: the row.
        layout: the columns of each feature.
        actual: the record's values by feature name, in their own units; one that is not there is missing.
        explain: asks the feature's encoder.
        every: also those that nobody would blame.
    """
    choose = ranked if every else blamed
    shares = contributions(anomaly.blame)
    findings: list[FieldFinding] = []
    for index in choose(shares, anomaly.field_errors):
        block = layout.blocks[index]
        columns = slice(block.start, block.stop)
        novelty = anomaly.values[block.novelty_start : block.novelty_stop]
        value = actual.get(block.feature)
        finding = explain(block.feature, anomaly.values[columns], novelty, anomaly.expected[columns], value)
        rarity = None if anomaly.field_rarities is None else float(anomaly.field_rarities[index])
        findings.append(_named(block.feature, value, finding, float(shares[index]), rarity))
    return tuple(findings)


def summarise(
    stream: str, findings: Sequence[FieldFinding], score: float, threshold: float, rarity: float | None = None
) -> str:
    """The sentence a person reads at night: the worst field, what was expected, how bad it is.

    One printable line however hostile the record. ``web: duration_ms is 9120, expected about 43 (benign 3.1 to 250):
    above everything benign; rarer than 1 in 10,000 benign records (score 4.2, limit 1)``. ``rarity`` is in bans.
    """
    verdict = _verdict(score, threshold, rarity)
    if not findings:
        return f"{printable(stream)}: the record as a whole is unusual; {verdict}"
    worst = findings[0]
    # Where the network reproduces the very value, the other fields or the error's size are what is unusual.
    expected = "" if shown(worst.expected) == shown(worst.actual) else _expected(worst.expected)
    parts = [f"{printable(stream)}: {printable(worst.name)} is {shown(worst.actual)}", expected]
    benign = f" (benign {printable(worst.benign_range)})" if worst.benign_range else ""
    reason = f": {printable(worst.reason)}" if worst.reason else ""
    return f"{', '.join(filter(None, parts))}{benign}{reason}{_others(findings[1:])}; {verdict}"


def conclude(stream: str, key: str | None, count: int, seconds: float, peak: float) -> str:
    """The sentence that tells the end of an episode, printable.

    ``web 10.0.0.1: quiet again after 412 anomalous records within 480 s (highest score 4.2)``
    """
    whose = "" if key is None else f" {printable(key)}"
    records = plural(count, "anomalous record") + (f" within {seconds:,.0f} s" if count > 1 else "")
    return f"{printable(stream)}{whose}: quiet again after {records} (highest score {peak:.3g})"


def reassure(
    stream: str, findings: Sequence[FieldFinding], score: float, threshold: float, rarity: float | None = None
) -> str:
    """The same for a record that does not alert, as printable; says so where it is rare all the same.

    ``web: within the limit (score 0.31, limit 1); agent stands out most``
    """
    rare = rarer_than(rarity)
    inside = f"within the limit, though {rare}" if rare else "within the limit"
    most = f"; {printable(findings[0].name)} stands out most" if findings and findings[0].contribution else ""
    return f"{printable(stream)}: {inside} ({_figures(score, threshold)}){most}"


def _verdict(score: float, threshold: float, rarity: float | None) -> str:
    rare, figures = rarer_than(rarity), _figures(score, threshold)
    return f"{rare} ({figures})" if rare else figures


def _figures(score: float, threshold: float) -> str:
    return f"score {compared(score, threshold)}, limit {threshold:g}"


def _named(feature: str, actual: Any, finding: Finding, share: float, rarity: float | None) -> FieldFinding:
    return FieldFinding(
        name=feature,
        actual=portable(actual if finding.actual is None else finding.actual),
        expected=portable(finding.expected),
        benign_range=finding.benign_range,
        contribution=share,
        reason=finding.reason,
        rarity=rarity,
    )


def _expected(expected: Any) -> str:
    if expected is None:
        return ""
    about = "about " if isinstance(expected, int | float) and not isinstance(expected, bool) else ""
    return f"expected {about}{shown(expected)}"


def _others(findings: Sequence[FieldFinding]) -> str:
    """Further fields that carry a fifth of the blame or more."""
    names = [printable(finding.name) for finding in findings if finding.contribution >= 0.2]
    return f"; also {', '.join(names)}" if names else ""
