"""How often the field that is wrong is found, named and corrected: faults planted in made-up requests.

A detector with the defaults of ``aemonitor init`` learns benign requests of one seed. In those of another seed eight
kinds of fault are planted in every field they can befall, one a request. Printed for each fault and each field:

    found       share that scores above what 0.1 % of the benign requests of the test exceed
    own         share above the program's own threshold, which it knows from the training data alone
    named       of those found, the share whose first named field is the planted one
    all named   the same of all that were planted
    ratio       of those found and named, numbers only: how far the expected value is from the true one, as a factor
                (median)
    expected    the same for all other types: share of expected values that are the true ones

Usage: python benches/explanation.py [--rows 20000] [--json] [--option masking=0.1 ...]
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from monitor import Detector
from monitor.core.arrays import F64, Bools
from monitor.core.records import RecordBatch
from monitor.datasets.requests import requests
from monitor.faults.planting import Planting
from monitor.faults.scattering import scatter

RATE = 0.001
TARGETS = {"found": 0.60, "named": 0.90, "ratio": 1.5}


@dataclass(frozen=True)
class Outcome:
    """One planted fault: whether it was found, whether its field was named first, and how good the expectation was."""

    field: str
    fault: str
    found: bool
    own: bool
    named: bool
    ratio: float | None  # numbers only
    correct: bool | None  # all others


@dataclass(frozen=True)
class Row:
    """The outcomes of some faults as shares; None where there are none to share."""

    name: str
    planted: int
    found: float | None
    own: float | None
    named: float | None
    all_named: float | None
    ratio: float | None
    expected: float | None


def table(batch: RecordBatch) -> pa.Table:
    return pa.table({field.name: column for field, column in batch.columns.items()})


def outcomes(detector: Detector, spoiled: pa.Table, planted: Sequence[Planting], limit: float) -> list[Outcome]:
    """What became of each planted fault."""
    scores = detector.anomaly_score(spoiled)
    made: list[Outcome] = []
    for planting in planted:
        findings = detector.explain(spoiled.take(pa.array(planting.rows))) if len(planting.rows) else []
        for row, true, fields in zip(planting.rows.tolist(), planting.truth.to_pylist(), findings, strict=True):
            first = fields[0]
            named = first.name == planting.field
            expected = next((each.expected for each in fields if each.name == planting.field), None)
            number = isinstance(true, float) and not isinstance(expected, str)
            made.append(
                Outcome(
                    field=planting.field,
                    fault=planting.fault,
                    found=bool(scores[row] > limit),
                    own=bool(scores[row] > -detector.offset_),
                    named=named,
                    ratio=factor(true, expected) if number else None,
                    correct=None if number else same(expected, true),
                )
            )
    return made


def factor(true: float, expected: Any) -> float:
    """How many times the larger one is of the smaller one, each at least 1 (so that 0 has one); infinite for none."""
    if not isinstance(expected, int | float) or math.isnan(expected):
        return math.inf
    low, high = sorted((max(true, 1.0), max(float(expected), 1.0)))
    return high / low


def same(expected: Any, true: Any) -> bool:
    """Whether an expected value is the true one, however it is written."""
    texts = [f"{each:g}" if isinstance(each, float) else str(each) for each in (expected, true)]
    return texts[0].lower() == texts[1].lower()


def share(values: Sequence[bool]) -> float | None:
    return float(np.mean(values)) if values else None


def summary(name: str, faults: Sequence[Outcome]) -> Row:
    found = [fault for fault in faults if fault.found]
    named = [fault for fault in found if fault.named]
    ratios = [fault.ratio for fault in named if fault.ratio is not None]
    return Row(
        name=name,
        planted=len(faults),
        found=share([fault.found for fault in faults]),
        own=share([fault.own for fault in faults]),
        named=share([fault.named for fault in found]),
        all_named=share([fault.named for fault in faults]),
        ratio=float(np.median(ratios)) if ratios else None,
        expected=share([fault.correct for fault in named if fault.correct is not None]),
    )


def grouped(made: Sequence[Outcome], attribute: str) -> list[Row]:
    names = dict.fromkeys(getattr(fault, attribute) for fault in made)
    return [summary(name, [fault for fault in made if getattr(fault, attribute) == name]) for name in names]


def printed(rows: Sequence[Row], heading: str) -> None:
    print(f"{heading:15}{'planted':>8}{'found':>7}{'own':>7}{'named':>7}{'all named':>11}{'ratio':>7}{'expected':>10}")
    for row in rows:
        cells = [row.found, row.own, row.named, row.all_named, row.ratio, row.expected]
        texts = ["-" if cell is None else f"{cell:.2f}" for cell in cells]
        widths = (7, 7, 7, 11, 7, 10)
        print(f"{row.name:15}{row.planted:8}" + "".join(f"{t:>{w}}" for t, w in zip(texts, widths, strict=True)))
    print()


def crossed(made: Sequence[Outcome]) -> None:
    """The share found of each fault in each field."""
    faults = list(dict.fromkeys(fault.fault for fault in made))
    print(f"{'found':15}" + "".join(f"{name:>9}" for name in faults))
    for field in dict.fromkeys(fault.field for fault in made):
        shares = [share([f.found for f in made if (f.field, f.fault) == (field, name)]) for name in faults]
        print(f"{field:15}" + "".join(f"{'-' if each is None else f'{each:.2f}':>9}" for each in shares))
    print()


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--faults", type=float, default=0.3, help="share of the test's requests that are spoiled")
    parser.add_argument("--train-seed", type=int, default=1)
    parser.add_argument("--test-seed", type=int, default=2)
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="a parameter of Detector")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> None:
    given = options()
    parameters = {name: yaml.safe_load(value) for name, _, value in (each.partition("=") for each in given.option)}
    benign, test = requests(given.rows, given.train_seed), requests(given.rows, given.test_seed)
    fields = [field.name for field in test.columns if field.name != "time"]
    made = scatter(test, fields, given.faults, np.random.default_rng([given.test_seed, 1]))
    start = time.perf_counter()
    detector = Detector(**parameters).fit(table(benign))
    seconds = time.perf_counter() - start
    clean: F64 = detector.anomaly_score(table(test))
    limit = float(np.quantile(clean, 1 - RATE, method="higher"))
    false: Bools = clean > -detector.offset_
    found = outcomes(detector, table(made.records), made.planted, limit)
    total = summary("all", found)
    by_fault, by_field = grouped(found, "fault"), grouped(found, "field")
    if given.json:
        rows = {"all": asdict(total), "faults": [asdict(r) for r in by_fault], "fields": [asdict(r) for r in by_field]}
        print(
            json.dumps({"fit_seconds": seconds, "own_fpr": float(false.mean()), "targets": TARGETS, **rows}, indent=2)
        )
        return
    print(f"{given.rows:,} benign requests learned in {seconds:.1f} s; features: {', '.join(detector.encodings_)}")
    print(f"own threshold: {false.mean():.3%} of the benign requests of the test exceed it\n")
    printed([total], "")
    printed(by_fault, "fault")
    printed(by_field, "field")
    crossed(found)
    print("targets: found >= 0.60, named >= 0.90, ratio <= 1.5")


if __name__ == "__main__":
    main()
