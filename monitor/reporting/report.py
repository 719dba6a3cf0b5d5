"""An evaluation as one HTML page that needs nothing else, and its plots as PNG and SVG beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from monitor.core.printable import printable
from monitor.reporting import facts, page_facts
from monitor.reporting.evaluation import Evaluation
from monitor.reporting.figures.inline import inlined
from monitor.reporting.figures.style import as_png, as_svg
from monitor.reporting.output_file import created, make_directory
from monitor.reporting.page_plots import Plot, plots
from monitor.reporting.templates import LONGEST, render
from monitor.reporting.wording import number, short

NAME = 100
"""Characters of a name in a heading at most."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A plot as the page takes it."""

    svg: Markup
    caption: str
    name: str


def write_report(evaluation: Evaluation, directory: Path) -> None:
    """Write ``report.html`` and every plot as ``NAME.png`` and ``NAME.svg``; the directory is made if need be.

    The same evaluation gives the same bytes.

    Raises:
        CannotCreateError: the directory or a file in it cannot be written.
    """
    make_directory(directory)
    with created(directory / "report.html") as file:  # made first: drawing takes seconds, and the place may be blocked
        drawn = {plot.name: _written(plot, directory) for plot in plots(evaluation)}
        file.write(page(evaluation, drawn).encode())


def page(evaluation: Evaluation, drawn: Mapping[str, Drawn]) -> str:
    """The page, with the plots there are by name."""
    return render(
        "report.html.j2",
        stream=short(evaluation.stream, NAME),
        model=short(evaluation.model, NAME),
        threshold=number(evaluation.threshold),
        threshold_source=evaluation.threshold_source,
        verdict=page_facts.verdict(evaluation),
        big_numbers=page_facts.big_numbers(evaluation),
        warnings=page_facts.warnings(evaluation),
        both_classes=len(evaluation.roc.x) > 0,
        figures=facts.figures(evaluation),
        confusion=facts.confusion(evaluation.confusion),
        precision_at=facts.precision_at(evaluation),
        sweep=facts.sweep(evaluation),
        found_events=facts.found_events(evaluation.events) if evaluation.events else "",
        events=facts.events(evaluation),
        corruptions=facts.corruptions(evaluation),
        planted=facts.planted(evaluation),
        about=page_facts.about(evaluation),
        plots=drawn,
    )


def drawing(plot: Plot, svg: str) -> Drawn:
    """A plot as the page takes it, of its SVG."""
    return Drawn(inlined(svg, plot.name, printable(plot.description, LONGEST)), plot.caption, plot.name)


def _written(plot: Plot, directory: Path) -> Drawn:
    figure = plot.draw()
    png = as_png(figure)
    figure.set_layout_engine("none")  # where the texts go has been found out, which takes longer than the drawing
    svg = as_svg(figure)
    for suffix, content in (("png", png), ("svg", svg.encode())):
        with created(directory / f"{plot.name}.{suffix}") as file:
            file.write(content)
    return drawing(plot, svg)
