"""The few kinds of panels that the dashboards are made of: each says what it shows, in which unit, and whom to ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphGradientMode,
    GraphThresholdsStyleMode,
    HeatmapCellLayout,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLink,
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
GOOD, ODD, BAD = "green", "orange", "red"
RECORDS = "si:rec/s"
"""Records a second, as Grafana writes a unit it does not know: with k and M before it."""
STAT_HEIGHT, GRAPH_HEIGHT = 4, 8


@dataclass(frozen=True, slots=True)
class Query:
    """One expression; ``legend`` names its series by their labels. ``exemplars``: also show single alerts."""

    expr: str
    legend: str = ""
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: one instant query. ``words`` stand for its values, ``steps`` colour them.

    Without a title only the labels are shown.
    """

    title: str
    expr: str
    unit: str = "short"
    steps: Sequence[float] = ()
    words: Mapping[float, str] | None = None


def one_value(
    title: str,
    query: Query,
    text: str,
    *,
    unit: str = "short",
    steps: Sequence[float] = (),
    words: Mapping[float, str] | None = None,
    runbook: str | None = None,
    span: int = 3,
) -> stat.Panel:
    """One number as it stands now: green, orange from ``steps[0]`` on, red from ``steps[1]`` on.

    With ``words`` each value has its word, and 0 is bad. The legend is shown in place of the value if there is one.
    """
    mode = BigValueTextMode.NAME if query.legend else BigValueTextMode.VALUE
    panel = (
        stat.Panel()
        .title(title)
        .description(text)
        .datasource(SOURCE)
        .with_target(_instant(query.expr).legend_format(query.legend or "__auto"))
        .unit(unit)
        .thresholds(_steps(steps))
        .color_mode(BigValueColorMode.BACKGROUND if steps or words else BigValueColorMode.NONE)
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(mode)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .links(_links(runbook))
        .height(STAT_HEIGHT)
        .span(span)
    )
    return panel.mappings([_mapping(words)]) if words else panel


def graph(
    title: str,
    queries: Sequence[Query],
    text: str,
    *,
    unit: str = "short",
    steps: Sequence[float] = (),
    runbook: str | None = None,
    span: int = 8,
    stacked: bool = False,
) -> timeseries.Panel:
    """Lines over time; ``steps`` are drawn as dashed lines. All axes begin at 0, for none of the values is below."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(text)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .fill_opacity(30 if stacked else 8)
        .gradient_mode(GraphGradientMode.OPACITY)
        .line_width(1)
        .stacking(common.StackingConfig().mode(StackingMode.NORMAL if stacked else StackingMode.NONE))
        .thresholds(_steps(steps))
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(_lines(steps)))
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .links(_links(runbook))
        .height(GRAPH_HEIGHT)
        .span(span)
    )
    for query, name in zip(queries, "ABCDEFGH", strict=False):
        panel = panel.with_target(
            prometheus.Dataquery()
            .expr(query.expr)
            .range()
            .legend_format(query.legend)
            .exemplar(query.exemplars)
            .ref_id(name)
        )
    return panel


def buckets(title: str, query: Query, text: str, *, unit: str = "short", span: int = 12) -> heatmap.Panel:
    """How many values fell into each bucket of a histogram, over time."""
    return (
        heatmap.Panel()
        .title(title)
        .description(text)
        .datasource(SOURCE)
        .with_target(
            prometheus.Dataquery()
            .expr(query.expr)
            .range()
            .format(PromQueryFormat.HEATMAP)
            .legend_format("{{le}}")
            .exemplar(query.exemplars)
            .ref_id("A")
        )
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .rows_frame(heatmap.RowsHeatmapOptions().layout(HeatmapCellLayout.LE))
        .color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64))
        .exemplars_color("rgba(255,0,0,0.9)")
        .height(GRAPH_HEIGHT)
        .span(span)
    )


def rows(
    title: str,
    labels: Mapping[str, tuple[str, str]],
    columns: Sequence[Column],
    text: str,
    *,
    height: int = GRAPH_HEIGHT,
    span: int = 24,
) -> table.Panel:
    """A table with a row for each combination of ``labels`` (each with its title and where it leads, or ``""``)."""
    panel = (
        table.Panel()
        .title(title)
        .description(text)
        .datasource(SOURCE)
        .height(height)
        .span(span)
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(_arranged(labels, columns))
    )
    for letter, column in zip("ABCDEFGHIJ", columns, strict=False):
        panel = panel.with_target(_instant(column.expr).format(PromQueryFormat.TABLE).ref_id(letter))
        if column.title:
            panel = panel.override_by_name(column.title, _properties(column))
    for heading, url in labels.values():
        if url:
            links = [{"title": f"Open {heading}", "url": url, "targetBlank": False}]
            panel = panel.override_by_name(heading, [DynamicConfigValue(id_val="links", value=links)])
    return panel


def _arranged(labels: Mapping[str, tuple[str, str]], columns: Sequence[Column]) -> DataTransformerConfig:
    """Labels first, then the columns in order; the time of the query and other labels are left out."""
    names = {label: heading for label, (heading, _) in labels.items()}
    values = {f"Value #{letter}": column.title for letter, column in zip("ABCDEFGHIJ", columns, strict=False)}
    if len(columns) == 1:
        values = {"Value": columns[0].title}
    shown = {**names, **{old: new for old, new in values.items() if new}}
    hidden = {"Time": True, **{old: True for old, new in values.items() if not new}}
    order = {name: place for place, name in enumerate(shown)}
    return DataTransformerConfig(
        id_val="organize", options={"excludeByName": hidden, "renameByName": shown, "indexByName": order}
    )


def _properties(column: Column) -> list[DynamicConfigValue]:
    properties = [DynamicConfigValue(id_val="unit", value=column.unit)]
    if column.steps:
        steps = {"mode": ThresholdsMode.ABSOLUTE, "steps": _colours(column.steps)}
        properties.append(DynamicConfigValue(id_val="thresholds", value=steps))
    if column.words:
        properties.append(DynamicConfigValue(id_val="mappings", value=[_mapping(column.words)]))
    if column.steps or column.words:
        properties.append(DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"}))
    return properties


def _instant(expr: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(expr).instant().ref_id("A")


def _colours(steps: Sequence[float]) -> list[Threshold]:
    """Green, then orange and red; a single step leads from green to red."""
    colours = (ODD, BAD) if len(steps) > 1 else (BAD,)
    return [Threshold(color=GOOD), *(Threshold(value=at, color=c) for at, c in zip(steps, colours, strict=True))]


def _steps(steps: Sequence[float]) -> dashboard.ThresholdsConfig:
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(_colours(steps) if steps else [Threshold()])


def _lines(steps: Sequence[float]) -> GraphThresholdsStyleMode:
    return GraphThresholdsStyleMode.DASHED if steps else GraphThresholdsStyleMode.OFF


def _mapping(words: Mapping[float, str]) -> ValueMap:
    return ValueMap(
        {f"{value:g}": ValueMappingResult(text=word, color=GOOD if value else BAD) for value, word in words.items()}
    )


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(["lastNotNull", "max"])
    )


def _links(runbook: str | None) -> list[Builder[DashboardLink]]:
    if runbook is None:
        return []
    link = dashboard.DashboardLink(f"Runbook: {runbook}").type(DashboardLinkType.LINK)
    return [link.url(f"${{runbooks}}/{runbook}.md").target_blank(True)]
