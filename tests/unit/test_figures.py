"""Every plot: labelled, legible, the same bytes for the same facts, whatever the scores and the names are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from monitor.core.arrays import F64
from monitor.model.history import Epoch, History
from monitor.reporting.evaluation import Confusion, Evaluation, Event, EventScores, Picture
from monitor.reporting.figures.clusters import cluster_plot
from monitor.reporting.figures.confusion import confusion_plot
from monitor.reporting.figures.corruption import corruption_plot
from monitor.reporting.figures.curves import precision_recall_plot, roc_plot
from monitor.reporting.figures.events import event_plot
from monitor.reporting.figures.faults import fault_plot
from monitor.reporting.figures.inline import inlined
from monitor.reporting.figures.pictures import SIDE, contact_sheet
from monitor.reporting.figures.score_axis import HIGHEST, drawable, scale_for
from monitor.reporting.figures.scores import distribution_plot, score_plot
from monitor.reporting.figures.style import ANOMALOUS, BENIGN, INK, PAPER, THIRD, as_png, as_svg, in_style
from monitor.reporting.figures.sweep import sweep_plot
from monitor.reporting.figures.training import loss_plot
from tests.support_evaluations import HISTORY, corruptions, evaluation, full, pictures, planted, two_classes

HOSTILE = "<script>$\\frac{</script> \x1b[31m 数字" + "x" * 300
DARK_PAPER = "#14181d"


def usual() -> Evaluation:
    return full(keys=("web1", "db2"))


def extreme() -> Evaluation:
    """A few scores a million times the others, some far below zero, a few records only found late."""
    scores, labels = two_classes(1800, 200)
    scores[::97] *= 1e6
    scores[5::91] *= -40
    return replace(evaluation(scores, labels), corruptions=tuple(corruptions(("a", "b"), ("noise", "swap", "unseen"))))


def hostile() -> Evaluation:
    found = evaluation(*two_classes(60, 20), keys=(HOSTILE, "b"))
    return replace(
        found,
        corruptions=tuple(corruptions((HOSTILE, "b"))),
        planted=planted((HOSTILE, "b")),
        pictures=pictures(3, HOSTILE, HOSTILE),
    )


def few() -> Evaluation:
    found = evaluation(np.array([0.5, 3.0]), np.array([False, True]))
    return replace(found, corruptions=tuple(corruptions(kinds=("noise",))[:1]), history=History((Epoch(1, 0.5),), 1))


def sixty_thousand() -> Evaluation:
    return evaluation(*two_classes(54_000, 6_000))


def benign_only() -> Evaluation:
    return evaluation(*two_classes(50, 0))


def anomalous_only() -> Evaluation:
    return evaluation(np.linspace(0.0, 3.0, 40), np.ones(40, dtype=np.bool_))


def clusters(found: Evaluation) -> Figure:
    points = np.column_stack([found.scores, found.errors**2])
    cluster = np.digitize(found.scores, np.quantile(found.scores, [0.5, 0.9])).astype(np.int64)
    return cluster_plot(points, cluster, np.array([0]), ("first component (60 % of the variance)", HOSTILE))


def events(found: Evaluation) -> Figure:
    assert found.events is not None
    return event_plot(found.events, found.records)


PLOTS: dict[str, Callable[[Evaluation], Figure]] = {
    "scores": score_plot,
    "distribution": distribution_plot,
    "confusion": lambda found: confusion_plot(found.confusion),
    "roc": roc_plot,
    "precision_recall": precision_recall_plot,
    "sweep": sweep_plot,
    "corruption": lambda found: corruption_plot(found.corruptions, found.rate),
    "planted": lambda found: fault_plot(found.planted, found.rate),
    "events": events,
    "loss": lambda found: loss_plot(found.history, found.loss),
    "pictures": lambda found: contact_sheet(found.pictures, HOSTILE),
    "clusters": clusters,
}
CHARTS = sorted(PLOTS.keys() - {"pictures"})
CROWDED: dict[str, tuple[Callable[[], Evaluation], ...]] = {
    "scores": (usual, extreme),
    "distribution": (usual, extreme, benign_only),
    "confusion": (usual, anomalous_only),
    "roc": (usual, few),
    "precision_recall": (usual, anomalous_only),
    "sweep": (usual, extreme),
    "corruption": (usual, extreme, hostile, few),
    "planted": (usual, hostile),
    "events": (usual, hostile, few),
    "loss": (usual, few),
    "pictures": (usual, hostile),
    "clusters": (usual, extreme),
}
"""The inputs that each plot takes differently."""
UNITLESS = {"key", "damage: strength", "field: fault", "recall, precision, F1", "share of all events"}
"""Names, and shares whose axis counts in per cent."""


@cache
def made(make: Callable[[], Evaluation]) -> Evaluation:
    return make()


@cache
def drawn(plot: str, make: Callable[[], Evaluation]) -> tuple[Figure, RendererAgg]:
    """A figure whose texts have found their places, to be looked at only, and what tells where they are."""
    figure = PLOTS[plot](made(make))
    canvas = FigureCanvasAgg(figure)
    with in_style():
        figure.draw_without_rendering()
    renderer: RendererAgg = canvas.get_renderer()  # type: ignore[no-untyped-call]
    return figure, renderer


@cache
def svg_of(plot: str, make: Callable[[], Evaluation]) -> str:
    return as_svg(PLOTS[plot](made(make)))  # a figure of its own: where texts are depends on the format


def legend_texts(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


# -- laws of all plots ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plot", CHARTS)
def test_every_axis_says_what_it_shows_and_in_which_unit(plot: str) -> None:
    figure, _ = drawn(plot, usual)

    assert figure.axes[0].get_title(loc="left")
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            label, numbered = axis.get_label_text(), any(tick.label1.get_visible() for tick in axis.get_major_ticks())
            assert label or not numbered
            assert not numbered or label in UNITLESS or re.search(r"\(.+\)|x{9}", label), label


@pytest.mark.parametrize("plot", sorted(PLOTS.keys() - {"pictures", "confusion"}))
def test_the_legend_names_everything_and_lies_outside_the_data(plot: str) -> None:
    figure, renderer = drawn(plot, usual)

    assert len(figure.legends) == 1
    box = figure.legends[0].get_window_extent(renderer)
    assert not any(box.overlaps(axes.get_window_extent(renderer)) for axes in figure.axes)
    labels = [label for axes in figure.axes for label in axes.get_legend_handles_labels()[1]]
    assert set(legend_texts(figure)) == set(labels)


@pytest.mark.parametrize(("plot", "make"), [(plot, make) for plot, inputs in CROWDED.items() for make in inputs])
def test_no_text_covers_another_or_is_cut_off(plot: str, make: Callable[[], Evaluation]) -> None:
    figure, renderer = drawn(plot, make)

    # Of an annotation the letters, without the line to what it names.
    boxes = [(text.get_text(), Text.get_window_extent(text, renderer)) for text in texts(figure)]
    covering = [
        (one, two)
        for (one, first), (two, second) in combinations(boxes, 2)
        if min(first.x1, second.x1) - max(first.x0, second.x0) > 1
        and min(first.y1, second.y1) - max(first.y0, second.y0) > 1
    ]
    width, height = figure.canvas.get_width_height()
    cut = [t for t, box in boxes if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1]
    assert (covering, cut) == ([], [])


@pytest.mark.parametrize("plot", sorted(PLOTS))
def test_the_look_is_the_same_whatever_the_users_settings(plot: str) -> None:
    with odd_settings():
        figure = PLOTS[plot](made(few))
        assert mpl.rcParams["font.size"] == 25

    assert look(figure) == look(PLOTS[plot](made(few)))


def odd_settings() -> AbstractContextManager[None]:
    """A user's own."""
    return mpl.rc_context({"font.size": 25, "svg.hashsalt": None, "lines.linewidth": 9, "axes.grid": False})


def look(figure: Figure) -> list[object]:
    lines = [line.get_linewidth() for axes in figure.axes for line in axes.lines]
    return [*(text.get_fontsize() for text in texts(figure)), *lines]


@pytest.mark.parametrize("plot", ["scores", "corruption", "pictures"])
def test_the_same_facts_give_the_same_bytes_whatever_the_users_settings(plot: str) -> None:
    once = svg_of(plot, usual)

    with odd_settings():
        again = as_svg(PLOTS[plot](made(usual)))

    assert once == again


def test_the_same_facts_give_the_same_pixels() -> None:
    first, second = (confusion_plot(made(few).confusion) for _ in range(2))

    assert as_png(first) == as_png(second)


@pytest.mark.parametrize("plot", ["scores", "corruption"])
def test_a_drawing_has_no_date_and_letters_stay_letters(plot: str) -> None:
    svg = svg_of(plot, usual)

    assert "<dc:date>" not in svg
    assert drawn(plot, usual)[0].axes[0].get_title(loc="left") in svg


def texts(figure: Figure) -> Iterator[Text]:
    """What is written on a figure, without what matplotlib makes and does not draw."""
    for legend in figure.legends:
        yield from legend.get_texts()
    for axes in figure.axes:
        found = [*axes.texts, *(title(axes, loc) for loc in ("left", "center", "right"))]
        if axes.axison:
            found += [axes.xaxis.label, axes.yaxis.label, *ticks(axes.xaxis), *ticks(axes.yaxis)]
        yield from (text for text in found if text.get_text() and text.get_visible())


def title(axes: Axes, location: str) -> Text:
    name = {"left": "_left_title", "center": "title", "right": "_right_title"}[location]
    found: Text = getattr(axes, name)
    return found


def ticks(axis: Axis) -> list[Text]:
    low, high = sorted(axis.get_view_interval())
    return [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


# -- scores --------------------------------------------------------------------------------------------------------


def test_all_scores_are_drawn_at_their_place_by_class() -> None:
    found = made(usual)

    benign, anomalous = (np.asarray(c.get_offsets()) for c in score_plot(found).axes[0].collections)

    assert benign.tolist() == np.column_stack([found.places, found.scores])[~found.labels].tolist()
    assert anomalous.tolist() == np.column_stack([found.places, found.scores])[found.labels].tolist()


def test_thresholds_are_named_with_their_values() -> None:
    found = replace(made(usual), threshold=1.25, rate_threshold=0.987654)

    assert {"threshold 1.25", "threshold at 0.1 % false positives 0.9877"} <= set(legend_texts(score_plot(found)))


@pytest.mark.parametrize("other", [1.0, np.nan, np.inf])
def test_a_second_threshold_that_is_the_same_or_undefined_is_no_line(other: float) -> None:
    found = replace(made(usual), threshold=1.0, rate_threshold=other)

    assert [text for text in legend_texts(score_plot(found)) if "threshold" in text] == ["threshold 1"]


def test_a_few_huge_scores_do_not_flatten_the_others() -> None:
    axes = score_plot(made(extreme)).axes[0]

    assert (score_plot(made(usual)).axes[0].get_yscale(), axes.get_yscale()) == ("linear", "symlog")
    assert "logarithmic beyond ±2" in axes.get_ylabel()
    zero, threshold, top = axes.transData.transform([(0, 0), (0, 1), (0, 3e6)])[:, 1]
    assert (threshold - zero) / (top - zero) > 0.05


def test_scores_that_no_axis_can_hold_are_drawn_at_its_end() -> None:
    shown = drawable(np.array([np.inf, -np.inf, 1e308, 0.5]))

    assert shown.tolist() == [HIGHEST, -HIGHEST, HIGHEST, 0.5]
    as_svg(score_plot(evaluation(shown, np.array([True, False, True, False]))))


@pytest.mark.parametrize("values", [[0.1, 0.9, 1.1, 5.0], [0.5, 0.5], [-1e6, 0.2, 1e9], [1.0], [2.0, 2.0]])
@pytest.mark.parametrize("threshold", [1.0, 0.3, -7.0, 50.0])
def test_no_bar_of_the_distribution_stands_on_both_sides_of_the_threshold(values: F64, threshold: float) -> None:
    scores = np.array(values, dtype=np.float64)

    edges = scale_for(scores, threshold).bins(scores, threshold, 60)

    assert np.histogram(scores, edges)[0].sum() == len(scores)
    assert threshold in edges
    assert (np.diff(edges) > 0).all()


def test_the_distribution_counts_every_record() -> None:
    found = made(extreme)

    steps = [patch.get_data() for patch in distribution_plot(found).axes[0].patches]  # type: ignore[attr-defined]

    assert {int(step.values.sum()) for step in steps} == {int((~found.labels).sum()), int(found.labels.sum())}


@pytest.mark.parametrize("plot", ["scores", "roc"])
def test_tens_of_thousands_of_points_stay_small(plot: str) -> None:
    assert len(svg_of(plot, sixty_thousand)) < 400_000


# -- confusion, curves, sweep --------------------------------------------------------------------------------------


def test_the_matrix_has_counts_and_shares_of_its_rows() -> None:
    axes = confusion_plot(Confusion(1.0, 998, 3, 8997, 2)).axes[0]

    assert [text.get_text() for text in axes.texts] == [
        "998", "99.8 % of anomalous", "2", "0.2 % of anomalous",
        "3", "0.033 % of benign", "8,997", "99.967 % of benign",
    ]  # fmt: skip


def test_a_class_without_records_has_no_shares() -> None:
    axes = confusion_plot(Confusion(1.0, 0, 3, 7, 0)).axes[0]

    assert [text.get_text() for text in axes.texts][1:4:2] == ["there is no anomalous record"] * 2


@pytest.mark.parametrize("found", range(0, 101, 10))
def test_counts_can_be_read_on_every_shade(found: int) -> None:
    axes = confusion_plot(Confusion(1.0, found, 0, 1, 100 - found)).axes[0]

    cells = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    for cell, letters in zip(cells, axes.texts[::2], strict=True):
        assert contrast(to_rgb(cell.get_facecolor()[:3]), to_rgb(letters.get_color())) >= 4.5


def test_data_can_be_seen_on_light_and_dark_pages() -> None:
    for color in (BENIGN, ANOMALOUS, THIRD):
        assert min(contrast(to_rgb(color), to_rgb(page)) for page in (PAPER, DARK_PAPER)) >= 3


def contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """Contrast ratio of the Web Content Accessibility Guidelines 2.1."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(color: tuple[float, float, float]) -> float:
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_curves_show_their_area_with_its_interval_and_where_the_threshold_is() -> None:
    found = made(usual)

    figure = roc_plot(found)

    assert re.fullmatch(r"AUROC 0\.99\d+ \(0\.99\d+ to [01.]?\.?\d*\)", legend_texts(figure)[0])
    point = figure.axes[0].lines[2]
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (found.false_positive_rate.value, found.recall.value)  # type: ignore[index]


def test_no_false_positive_is_drawn_at_the_left_edge_of_the_logarithmic_half() -> None:
    figure = roc_plot(made(few))

    near = figure.axes[1]
    assert near.get_xscale() == "log"
    assert near.lines[2].get_xdata()[0] == near.get_xlim()[0] == 0.5  # type: ignore[index]


def test_precision_is_a_step_to_the_left() -> None:
    line = precision_recall_plot(made(usual)).axes[0].lines[0]

    assert line.get_drawstyle() == "steps-pre"


def test_the_sweep_keeps_false_positive_rates_of_zero() -> None:
    lower = sweep_plot(made(usual)).axes[1]

    assert min(np.asarray(lower.lines[0].get_ydata())) == 0.0
    assert lower.get_yticks()[0] == 0.0


# -- corruption, events, training ----------------------------------------------------------------------------------


def test_damage_stands_under_its_kind_and_one_feature_needs_no_name() -> None:
    one = corruption_plot(corruptions(("pixels",), ("noise", "swap")), 0.001).axes[0]
    two = corruption_plot(corruptions(("pixels", "b"), ("noise",)), 0.001).axes[0]

    names = [label.get_text() for label in one.get_yticklabels()]
    assert names[:3] == ["noise", "swap", "0 to 20"]
    assert "pixels, 0 to 20" in [label.get_text() for label in two.get_yticklabels()]


def test_faults_stand_under_their_field() -> None:
    axes = fault_plot(planted(("load", "host")), 0.001).axes[0]

    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["load", "host", *["missing", "swap", "unseen"] * 2]
    assert axes.get_title(loc="left") == "Recall of records with a fault"


def test_more_damage_than_fits_is_said() -> None:
    figure = corruption_plot(corruptions([f"f{at}" for at in range(30)], ("noise",)), 0.001)

    assert figure.axes[0].get_title(loc="left") == "Recall of damaged records (the first 80 of 120)"


def event(key: str | None, delay: int | None, seconds: float | None = None) -> Event:
    return Event(0, 9, key, None, delay, seconds, "a.log", 1, "a.log", 10)


def test_events_that_were_missed_never_come_into_the_delays() -> None:
    scores = EventScores((event("a", 0), event("b", 3), event("a", None), event("a", None)), 0, 1.0, 0.5)

    figure = event_plot(scores, 100)

    assert set(legend_texts(figure)) == {"found (2)", "missed (2)", "found within the delay"}
    line = figure.axes[1].lines[0]
    assert np.asarray(line.get_ydata()).tolist() == [0, 0.25, 0.5, 0.5]
    assert "(records)" in figure.axes[1].get_xlabel()


def test_delays_are_seconds_where_all_are_known_and_logarithmic_where_they_are_long() -> None:
    figure = event_plot(EventScores((event("a", 1, 5.0), event("a", 3, 86_400.0)), 0, 1.0, 1.0), 100)

    assert "(seconds, log scale beyond 10)" in figure.axes[1].get_xlabel()


def test_many_keys_share_a_line() -> None:
    listed = tuple(event(f"host{at}", 0) for at in range(40))

    figure = event_plot(EventScores(listed, 0, 1.0, 1.0), 100)

    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert (len(names), names[0], names[-1]) == (13, "host0", "other keys")


def test_the_loss_has_its_name_and_the_kept_epoch() -> None:
    figure = loss_plot(HISTORY, "mse")

    assert "(MSE per encoded column)" in figure.axes[0].get_ylabel()
    assert legend_texts(figure) == ["training records", "held-out records (early stop)", "kept: epoch 25"]


def test_a_loss_of_zero_or_not_a_number_can_be_drawn() -> None:
    as_png(loss_plot(History((Epoch(1, 0.5), Epoch(2, 0.0), Epoch(3, float("nan"))), 2), "mse"))


# -- pictures and clusters -----------------------------------------------------------------------------------------


def test_a_record_is_drawn_as_input_reconstruction_and_difference() -> None:
    picture = Picture("a.csv", 3, 2.5, "7", np.array([[0.0, 255.0]]), np.array([[51.0, 0.0]]), 0.0, 255.0)

    axes = contact_sheet([picture], "Top").axes[0]

    images = [np.asarray(image.get_array()).tolist() for image in axes.images]
    assert images == [[[0.0, 1.0]], [[0.2, 0.0]], [[0.2, 1.0]]]
    written = [text.get_text() for text in axes.texts]
    assert written[0] == "Top"
    assert "white 255" in written[1]
    assert written[2:] == ["1. label 7 · score 2.5", "a.csv:3"]


def test_colour_and_proportions_are_kept() -> None:
    image = np.zeros((4, 8, 3))
    image[..., 0] = 255

    axes = contact_sheet([Picture("a", 1, 1.0, "", image, image, 0.0, 255.0)], "Red").axes[0]

    left, right, bottom, top = axes.images[0].get_extent()
    assert ((right - left) / (bottom - top), np.asarray(axes.images[0].get_array()).shape) == (2.0, (4, 8, 3))


def test_large_images_are_averaged_down() -> None:
    image = np.zeros((2 * SIDE + 2, 3))
    image[::2] = 1.0

    sheet = contact_sheet([Picture("a", 1, 1.0, "", image, image, 0.0, 1.0)], "")

    values = np.asarray(sheet.axes[0].images[0].get_array())
    assert values.shape == (-(-(2 * SIDE + 2) // 3), 3)
    assert 0.3 < values.mean() < 0.7


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e308])
def test_images_with_impossible_pixels_are_drawn(value: float) -> None:
    as_png(contact_sheet([Picture("a", 1, value, "x", np.full((2, 2), value), np.zeros((2, 2)), 5.0, 5.0)], "Odd"))


def test_a_sheet_without_images_and_one_with_too_many_say_so() -> None:
    def said(count: int) -> str:
        return contact_sheet(pictures(1) * count, "Top").axes[0].texts[1].get_text()

    assert said(0) == "There are no images among the records."
    assert said(61).endswith("The first 60 of 61 records.")
    assert "records" not in said(60)


def test_outliers_are_flags_or_places() -> None:
    points, cluster = np.random.default_rng(1).normal(size=(20, 2)), np.repeat([1, 2], 10)
    flags = np.zeros(20, dtype=np.bool_)
    flags[[3, 7]] = True

    for outliers in (flags, np.array([3, 7])):
        rings = cluster_plot(points, cluster, outliers, ("x", "y")).axes[0].collections[-1]
        assert np.asarray(rings.get_offsets()).tolist() == points[[3, 7]].tolist()


def test_many_clusters_have_numbers_and_the_largest_a_line_in_the_legend() -> None:
    points = np.random.default_rng(1).normal(size=(100, 2))

    figure = cluster_plot(points, np.arange(100) % 40 + 1, np.empty(0, dtype=np.int64), ("x", "y"))

    assert len(figure.axes[0].texts) == 40
    assert len(legend_texts(figure)) == 24


# -- in a page -----------------------------------------------------------------------------------------------------


def test_an_inlined_figure_has_ids_of_its_own_and_the_pages_colours() -> None:
    svg = svg_of("scores", usual)

    one, two = inlined(svg, "one", 'says "so"'), inlined(svg, "two", "x")

    assert not set(re.findall(r' id="([^"]+)"', one)) & set(re.findall(r' id="([^"]+)"', two))
    assert set(re.findall(r"url\(#([^)]+)\)", one)) <= set(re.findall(r' id="([^"]+)"', one))
    assert "var(--ink)" in one
    assert INK not in one
    assert "http" not in one
    assert 'aria-label="says &#34;so&#34;"' in one


def test_labels_that_look_like_ids_and_colours_are_left_alone() -> None:
    label = f'id="a" fill: {INK}'
    svg = as_svg(cluster_plot(np.zeros((1, 2)), np.array([1]), np.array([0]), (label, "y")))

    assert label in inlined(svg, "clusters", "x")


def test_what_is_no_drawing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"without width, height and viewBox: '<p>'"):
        inlined("<p>", "a", "b")
