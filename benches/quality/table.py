"""The figures as the tables of docs/quality.md."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from .bench import Figures, Result
from .product import NAME

BEGIN, END = "<!-- begin: written by make bench-quality -->", "<!-- end: written by make bench-quality -->"
GROUPS = {
    "tabular": "tabular, mean of the sets",
    "asd": "asd, mean of the machines",
    "smd": "smd, mean of the machines",
    "digits": "MNIST one-class, mean of the digits",
}
OWN = ("tabular", "asd", "smd")
"""Groups whose mean at the product's own threshold is shown, each set counting once."""

Cells = Iterable[str]


def page(figures: Figures) -> Iterator[str]:
    """Every section that there are figures for, line by line."""
    if figures.results:
        yield from _section("Groups: AUROC / average precision", _groups(figures.results))
        yield from _section("Sets: AUROC", _sets(figures.results))
        yield from _section("The product's own threshold, and the best F1 of any", _own(figures.results))
    if figures.nab:
        head = ["", *figures.nab[0].groups, "both"]
        rows = ([each.detector, *(f"{n:.1f}" for n in (*each.groups.values(), each.both))] for each in figures.nab)
        yield from _section("Numenta Anomaly Benchmark, standard profile", [head, *rows])
    if figures.costs:
        rows = ([name, f"{c.fit_seconds:.2f}", f"{c.row_microseconds:.1f}"] for name, c in figures.costs.items())
        yield from _section("Cost: processor time of one thread", [["", "fit, s", "score, µs a row"], *rows])


def write(path: Path, figures: Figures) -> None:
    """Replace what stands between the two marks of the page.

    Raises:
        ValueError: the page has no such marks.
    """
    head, begin, rest = path.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{path}: there is no place for the tables; write the lines {BEGIN} and {END}")
    path.write_text("\n".join([head + BEGIN, *page(figures), "", END + tail]))


def mean(results: Iterable[Result], measure: str) -> float | None:
    """Of one field of ``Measures``: over the seeds of each set, then over the sets; None if it was not measured."""
    by_set: dict[str, list[float]] = {}
    for result in results:
        if (value := getattr(result.measures, measure)) is not None:
            by_set.setdefault(result.name, []).append(value)
    return statistics.mean(map(statistics.mean, by_set.values())) if by_set else None


def _groups(results: Sequence[Result]) -> Iterator[Cells]:
    detectors = _detectors(results)
    yield ["", *detectors]
    for group in dict.fromkeys(result.group for result in results):
        yield [GROUPS.get(group, group)] + [
            " / ".join(
                _shown(mean((r for r in results if (r.group, r.detector) == (group, detector)), measure), "{:.3f}")
                for measure in ("auroc", "average_precision")
            )
            for detector in detectors
        ]


def _sets(results: Sequence[Result]) -> Iterator[Cells]:
    detectors = _detectors(results)
    yield ["", *detectors]
    for name in dict.fromkeys(result.name for result in results):
        yield [name] + [
            _shown(mean((r for r in results if (r.name, r.detector) == (name, detector)), "auroc"), "{:.4f}")
            for detector in detectors
        ]


def _own(results: Sequence[Result]) -> Iterator[Cells]:
    ours = [result for result in results if result.detector == NAME]
    yield ["", "FPR", "TPR", "best F1"]
    for name in dict.fromkeys(result.name for result in ours):
        yield [name, *_own_cells(result for result in ours if result.name == name)]
    if any(result.group in OWN for result in ours):
        yield [f"mean of {', '.join(OWN)}", *_own_cells(result for result in ours if result.group in OWN)]


def _own_cells(results: Iterable[Result]) -> Iterator[str]:
    found = list(results)
    for measure, form in (("fpr", "{:.2%}"), ("tpr", "{:.1%}"), ("best_f1", "{:.3f}")):
        yield _shown(mean(found, measure), form)


def _detectors(results: Iterable[Result]) -> list[str]:
    return list(dict.fromkeys(result.detector for result in results))


def _section(title: str, rows: Iterable[Cells]) -> Iterator[str]:
    """A heading and a table; the first row is its head, all columns but the first are numbers."""
    head, *body = [list(row) for row in rows]
    yield from ("", f"### {title}", "", _line(head), _line(["---", *["---:"] * (len(head) - 1)]))
    yield from map(_line, body)


def _line(cells: Cells) -> str:
    return f"| {' | '.join(cells)} |"


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
