"""Made-up employees, a small table of mixed types: the data of the first reference system."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

COLUMNS = ("sex", "age", "city", "income", "job")
SEXES = ("M", "F")
AGES = (18, 68)
CITIES = ("anaheim", "boulder", "concord")
INCOMES = (23_000, 89_000)
"""Whole dollars a year; both ends can occur, as with the ages."""
JOBS = ("mgmt", "supp", "tech")


def employees(rows: int, seed: int) -> Iterator[str]:
    """CSV lines, the header first: every value is drawn evenly and independently of all others.

    >>> "".join(employees(2, seed=1)).splitlines()[0]
    'sex,age,city,income,job'
    """
    random = np.random.default_rng(seed)
    drawn = (
        random.choice(SEXES, rows),
        random.integers(*AGES, rows, endpoint=True),
        random.choice(CITIES, rows),
        random.integers(*INCOMES, rows, endpoint=True),
        random.choice(JOBS, rows),
    )
    yield ",".join(COLUMNS) + "\n"
    for record in zip(*(column.tolist() for column in drawn), strict=True):
        yield ",".join(map(str, record)) + "\n"
