"""The report: one page that needs nothing else, says what it found in words, and takes any text as text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from monitor.core.errors import CannotCreateError
from monitor.model.history import History
from monitor.reporting import facts, page_facts
from monitor.reporting.evaluation import Confusion, Curve, Evaluation, Event, EventScores
from monitor.reporting.figures.style import as_svg
from monitor.reporting.page_plots import plots
from monitor.reporting.report import drawing, page, write_report
from monitor.reporting.wording import percent
from tests.support_evaluations import corruptions, evaluation, full, pictures, two_classes

HOSTILE = "</svg></title><script>alert(1)</script>\x1b[31m\x00 $\\frac{ {{ 7*7 }} {% raise %} 数字" + "x" * 5000
ALL = {"confusion", "scores", "distribution", "roc", "precision_recall", "sweep", "events", "corruption", "planted",
       "pictures", "loss"}  # fmt: skip
SOME = {"confusion", "scores", "distribution", "events", "planted", "pictures"}
VOID = {"meta", "br", "img", "link", "input", "hr"}


@dataclass
class Document(HTMLParser):
    """A page as its tags; refuses what is not closed."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self) -> str:
        """All text, blanks made one."""
        return " ".join(" ".join(self.text).split())


def parsed(html: str) -> Document:
    document = Document()
    document.feed(html)
    document.close()
    assert document.open == []
    return document


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with a few plots, since each takes a third of a second; the command's test draws more."""
    directory = tmp_path_factory.mktemp("report") / "made" / "if need be"
    none = np.empty(0)
    found = replace(
        full(keys=("web1", "db2")), roc=Curve(none, none, none), sweep=(), corruptions=(), history=History()
    )
    write_report(found, directory)
    return directory


@pytest.fixture
def document(report: Path) -> Document:
    return parsed((report / "report.html").read_text("utf-8"))


# -- the page ------------------------------------------------------------------------------------------------------


def test_every_plot_lies_beside_the_page_in_both_formats(report: Path) -> None:
    names = {f"{name}.{suffix}" for name in SOME for suffix in ("png", "svg")}

    assert {path.name for path in report.iterdir()} == names | {"report.html"}
    assert all((report / name).read_bytes().startswith(b"\x89PNG") for name in names if name.endswith("png"))


def test_an_evaluation_with_everything_has_every_plot() -> None:
    assert {plot.name for plot in plots(full())} == ALL


def test_the_page_fetches_and_runs_nothing(report: Path, document: Document) -> None:
    html = (report / "report.html").read_text("utf-8")

    assert not document.all("script") + document.all("link") + document.all("iframe")
    targets = [
        value or "" for _, attributes in document.tags for name, value in attributes.items()
        if name in {"href", "src", "xlink:href", "action", "data", "srcset"}
    ]  # fmt: skip
    assert all(target.startswith(("#", "data:image/png;base64,")) for target in targets)
    assert not re.search(r"https?:|@import|url\((?!#)|\bon\w+=", html)


def test_references_inside_the_page_have_a_target(document: Document) -> None:
    ids = [attributes["id"] for _, attributes in document.tags if "id" in attributes]
    wanted = {(a.get("href") or "")[1:] for tag in ("a", "use") for a in document.all(tag)}
    wanted |= {a["aria-labelledby"] or "" for _, a in document.tags if "aria-labelledby" in a}

    assert len(ids) == len(set(ids))
    assert wanted <= set(ids)


def test_plots_and_tables_can_be_used_without_seeing_them(document: Document) -> None:
    drawings = document.all("svg")

    assert [drawing.get("role") for drawing in drawings] == ["img"] * len(SOME)
    assert all(drawing.get("aria-label") for drawing in drawings)
    assert len(document.all("figcaption")) == len(SOME)
    assert len(document.all("caption")) == len(document.all("table"))
    assert all(head.get("scope") in {"col", "row"} for head in document.all("th"))
    assert document.all("html")[0]["lang"] == "en"


def test_plots_follow_light_and_dark(report: Path) -> None:
    html = (report / "report.html").read_text("utf-8")

    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html
    drawings = html[html.index("<svg") :]
    assert not re.search(r"#(1f2328|fefefe|dfe3e8|656d76)", drawings)


def test_the_same_evaluation_gives_the_same_page() -> None:
    found = evaluation(*two_classes(40, 20))

    # One plot: that each of them is drawn alike is tried in test_figures.
    one, two = (page(found, {"confusion": drawing(plot, as_svg(plot.draw()))}) for plot in plots(found)[:1] * 2)

    assert one == two
    assert "<svg" in one


def test_text_from_outside_is_text() -> None:
    found = replace(
        evaluation(*two_classes(60, 20), keys=(HOSTILE, "b")),
        stream=HOSTILE,
        model=HOSTILE,
        inputs=(HOSTILE, "/" + "y" * 4000),
        threshold_source=HOSTILE,
        notes=(HOSTILE,),
        corruptions=tuple(corruptions((HOSTILE, "b"), ("noise",))),
        pictures=pictures(2, HOSTILE, HOSTILE),
        loss=HOSTILE,
    )

    shown = [plot for plot in plots(found) if plot.name in {"corruption", "events", "pictures", "loss"}]

    html = page(found, {plot.name: drawing(plot, as_svg(plot.draw())) for plot in shown})

    document = parsed(html)
    assert not document.all("script")
    assert len(document.all("svg")) == len(shown) == 4
    assert "<script>alert(1)</script>\\x1b[31m\\x00" in document.words
    assert "{{ 7*7 }}" in document.words
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", html)
    assert not re.search(r"x{700}|y{700}", html)


# -- what cannot be shown ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (lambda: evaluation(*two_classes(50, 0)), "No record of the input is labelled anomalous"),
        (lambda: evaluation(np.linspace(0, 3, 40), np.ones(40, np.bool_)), "No record of the input is labelled benign"),
        (lambda: evaluation(np.array([0.5]), np.array([False])), "Of 1 benign record none raises an alert."),
    ],
)
def test_one_class_makes_a_page_that_says_so(found: Callable[[], Evaluation], said: str) -> None:
    words = parsed(page(found(), {})).words

    assert said in words
    assert "compare two classes; this input has one only" in words
    names = {plot.name for plot in plots(found())}
    assert "scores" in names
    assert not names & {"roc", "precision_recall"}


def test_what_is_missing_is_named() -> None:
    found = replace(evaluation(*two_classes(50, 0)), history=History())

    words = parsed(page(found, {})).words

    assert "The model has no record of its training." in words
    assert "No record was damaged" in words
    assert "There is no anomalous record, so there is no event." in words
    assert "Images" not in words


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(CannotCreateError, match=r"file/report: the directory cannot be made: Not a directory"):
        write_report(evaluation(*two_classes(20, 10)), tmp_path / "file" / "report")


def test_a_file_that_cannot_be_written_is_named_before_anything_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()

    with pytest.raises(CannotCreateError, match=r"report\.html: cannot be written: is a directory"):
        write_report(evaluation(*two_classes(20, 10)), tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_plot_that_cannot_be_written_leaves_no_page(tmp_path: Path) -> None:
    (tmp_path / "confusion.png").mkdir()

    with pytest.raises(CannotCreateError, match=r"confusion\.png: cannot be written: is a directory"):
        write_report(evaluation(*two_classes(20, 10)), tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["confusion.png"]


# -- words and numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "sentences"),
    [
        (
            Confusion(1.0, 998, 3, 8997, 2),
            (
                "Of 1,000 anomalous records 998 are found, 2 missed.",
                "Of 9,000 benign records 3 raise an alert (0.033 %).",
                "Of 1,001 alerts 998 are right.",
            ),
        ),
        (
            Confusion(1.0, 1, 1, 1, 1),
            (
                "Of 2 anomalous records 1 is found, 1 missed.",
                "Of 2 benign records 1 raises an alert (50 %).",
                "Of 2 alerts 1 is right.",
            ),
        ),
        (
            Confusion(1.0, 1, 0, 5, 0),
            (
                "Of 1 anomalous record all are found.",
                "Of 5 benign records none raises an alert.",
                "Of 1 alert 1 is right.",
            ),
        ),
        (
            Confusion(1.0, 0, 0, 5, 7),
            ("Of 7 anomalous records none is found.", "Of 5 benign records none raises an alert."),
        ),
        (
            Confusion(1.0, 0, 2, 3, 0),
            (
                "No record of the input is labelled anomalous, so nothing can be said about what is found.",
                "Of 5 benign records 2 raise an alert (40 %).",
            ),
        ),
    ],
)
def test_the_result_is_said_in_words(counts: Confusion, sentences: tuple[str, ...]) -> None:
    assert page_facts.verdict(replace(evaluation(*two_classes(20, 10)), confusion=counts)) == sentences


def test_figures_stand_with_intervals_and_meanings(document: Document) -> None:
    found = full(keys=("web1", "db2"))

    assert f"95 % interval {percent(found.recall.low)} to {percent(found.recall.high)}" in document.words
    assert "share of the benign records that raise an alert" in document.words
    assert len(facts.figures(found).rows) == len(facts.figures(found).meanings) == 8


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"notes": ("of 9 records, 3 are known",)}, "Of 9 records, 3 are known."),
        ({"history": History(explained=0.001)}, "The network learned hardly more than the mean record (it collapsed)"),
        ({"unparsed": 7}, "7 of 30 records could not be parsed and are in none of the figures."),
        ({"unlabelled": 9}, "9 of 30 records have no label and are in none of the figures."),
        ({}, "Only 10 anomalous records: one more or less moves a rate by 10 %."),
        ({}, "Only 20 benign records: one more or less moves a rate by 5 %."),
    ],
)
def test_what_a_reader_must_know_comes_first(changes: dict[str, object], warning: str) -> None:
    found = replace(evaluation(*two_classes(20, 10)), **changes)  # type: ignore[arg-type]

    words = parsed(page(found, {})).words

    assert warning in words
    assert words.index("Before you rely on this") < words.index(warning) < words.index("Counts at threshold")


def test_how_the_threshold_was_found_stands_beside_it() -> None:
    found = replace(evaluation(*two_classes(20, 10)), threshold=1.25, threshold_source="chosen on this input")

    assert "The threshold is 1.25 : chosen on this input." in parsed(page(found, {})).words


def test_the_sweep_is_thinned_but_keeps_the_threshold_in_use() -> None:
    found = evaluation(*two_classes(), threshold=0.777)

    table = facts.sweep(found)

    assert len(table.rows) < len(found.sweep)
    assert f"{len(table.rows)} of {len(found.sweep)} thresholds" in table.note
    assert [table.rows[at][0] for at in table.marked] == ["0.777"]


def test_missed_events_are_listed_first_and_the_rest_is_counted() -> None:
    scores, labels = two_classes(900, 300)
    scores[-10:] = 0.0
    found = evaluation(scores, labels)
    assert found.events is not None

    table = facts.events(found)

    assert [row[1] for row in table.rows][:2] == ["missed", "found"]
    assert table.rows[0][2:5] == ("2023-11-15 18:03:20", "1191", "1200")  # lines of the file, from 1
    assert table.note == f"20 of {len(found.events.events)} events; events.csv has all."


def test_an_event_time_no_calendar_has_is_shown_as_seconds() -> None:
    found = full()
    assert found.events is not None
    odd = replace(found.events.events[0], start_time=1e18)

    table = facts.events(replace(found, events=replace(found.events, events=(odd,))))

    assert table.rows[0][2] == "1e+18 s"


def test_how_late_events_are_found_is_said_in_words() -> None:
    listed = [Event(9, 12, None, None, delay, seconds, "a", 1, "a", 4) for delay, seconds in ((0, 0.0), (2, 120.0))]
    missed = Event(20, 20, None, None, None, None, "a", 21, "a", 21)

    assert facts.found_events(EventScores((*listed, missed), 1200, 0.25, 2 / 3)) == (
        "2 of 3 events found, 1,200 false episodes; precision 0.250, recall 0.667. "
        "Delay to the first alert: median 1 records, longest 2; median 60 seconds, longest 120."
    )
    assert facts.found_events(EventScores((missed,), 1, 0.0, 0.0)) == (
        "0 of 1 events found, 1 false episode; precision 0, recall 0."
    )


def test_numbers_are_flush_right(report: Path) -> None:
    html = (report / "report.html").read_text("utf-8")

    assert '<td class="n">0.' in html
    assert "td.n { text-align: right;" in html
