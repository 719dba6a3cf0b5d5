"""Which fields make a record anomalous, and the one sentence that says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.core.alerts import FieldFinding
from monitor.core.arrays import F32, F64, I64
from monitor.core.features import Layout
from monitor.core.printable import printable
from monitor.core.protocols import Finding
from monitor.explaining.text import exceeding, portable, shown

TOP_FIELDS = 5
"""Fields named in one alert; further ones carry little and nobody reads them."""

Explain = Callable[[str, F32, F32, F32], Finding]
"""``explain(feature, columns, novelty, reconstruction)`` of one encoded row: what its encoder says of the value."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One row that alerts: encoded values and reconstruction, [total], and the error of each feature, [features]."""

    values: F32
    reconstruction: F32
    field_errors: F64


def contributions(errors: F64, benign_means: Sequence[float]) -> F64:
    """Each field's share of the error in excess of what benign records have, [features]: 0 to 1, adding up to 1.

    All 0 when no field exceeds its benign mean.
    """
    excess = np.clip(np.nan_to_num(errors) - np.asarray(benign_means), 0, None)
    largest = float(excess.max(initial=0.0))
    if largest == 0:
        return np.zeros(len(excess))
    shares: F64 = excess / largest  # first, so that the sum of huge errors stays finite
    shares /= shares.sum()
    return shares


def blamed(shares: F64, errors: F64) -> I64:
    """The fields to name, the largest share first; when no field has any, the one with the largest error."""
    order = np.lexsort((-errors, -shares))[:TOP_FIELDS]  # last key first; equal ones keep the order of the layout
    return order[: max(1, int((shares[order] > 0).sum()))]


def field_findings(
    anomaly: Anomaly, layout: Layout, benign_means: Sequence[float], actual: Mapping[str, Any], explain: Explain
) -> tuple[FieldFinding, ...]:
    """The five fields to blame most, in falling order.

    Args:
        anomaly: the row.
        layout: the columns of each feature.
        benign_means: mean error of each feature in calibration.
        actual: the record's values by feature name, in their own units; one that is not there is missing.
        explain: asks the feature's encoder.
    """
    shares = contributions(anomaly.field_errors, benign_means)
    findings: list[FieldFinding] = []
    for index in blamed(shares, anomaly.field_errors):
        block = layout.blocks[index]
        columns = slice(block.start, block.stop)
        novelty = anomaly.values[block.novelty_start : block.novelty_stop]
        finding = explain(block.feature, anomaly.values[columns], novelty, anomaly.reconstruction[columns])
        findings.append(_named(block.feature, actual.get(block.feature), finding, float(shares[index])))
    return tuple(findings)


def summarise(stream: str, findings: Sequence[FieldFinding], score: float, threshold: float) -> str:
    """The sentence a person reads at night: the worst field, what was expected, how bad it is.

    One printable line however hostile the record. ``web: duration_ms is 9120, expected about 43 (benign 3.1 to 250):
    above everything benign; score 4.2, limit 1``
    """
    verdict = f"score {exceeding(score, threshold)}, limit {threshold:g}"
    if not findings:
        return f"{printable(stream)}: the record as a whole is unusual; {verdict}"
    worst = findings[0]
    # Where the network reproduces the very value, the other fields or the error's size are what is unusual.
    expected = "" if shown(worst.expected) == shown(worst.actual) else _expected(worst.expected)
    parts = [f"{printable(stream)}: {printable(worst.name)} is {shown(worst.actual)}", expected]
    benign = f" (benign {printable(worst.benign_range)})" if worst.benign_range else ""
    reason = f": {printable(worst.reason)}" if worst.reason else ""
    return f"{', '.join(filter(None, parts))}{benign}{reason}{_others(findings[1:])}; {verdict}"


def _named(feature: str, actual: Any, finding: Finding, share: float) -> FieldFinding:
    return FieldFinding(
        name=feature,
        actual=portable(actual),
        expected=portable(finding.expected),
        benign_range=finding.benign_range,
        contribution=share,
        reason=finding.reason,
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
