"""What both dashboards share: their variables, and how one leads to the other."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from panels import SOURCE

Section = tuple[str, Sequence[Builder[Panel]]]
"""The heading of a row, and its panels."""
RUNBOOKS = "https://example.net/aemonitor/docs/runbooks"
"""The same address as in the rules of Prometheus; both are replaced by the one sed of docs/howto/prometheus.md."""
ALL_STREAMS, ONE_STREAM = "aemonitor-streams", "aemonitor-stream"


def begun(title: str, uid: str, text: str) -> dashboard.Dashboard:
    """A dashboard with what all of them have."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(text)
        .tags(["aemonitor"])
        .editable()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .link(_other_dashboards())
        .with_variable(dashboard.DatasourceVariable("datasource").label("data source").type("prometheus"))
        .with_variable(_instances())
    )


def filled(made: dashboard.Dashboard, *sections: Section) -> dashboard.Dashboard:
    """The dashboard with these rows of panels."""
    for heading, panels in sections:
        made = made.with_row(dashboard.Row(heading))
        for panel in panels:
            made = made.with_panel(panel)
    return made


def runbooks() -> dashboard.ConstantVariable:
    """Where the runbooks stand, for the links of panels."""
    return dashboard.ConstantVariable("runbooks").value(RUNBOOKS)


def streams() -> dashboard.QueryVariable:
    """The stream to look at."""
    return _asked("stream", 'label_values(aemonitor_records_read_total{instance=~"$instance"}, stream)')


def _instances() -> dashboard.QueryVariable:
    everything = VariableOption(selected=True, text="All", value="$__all")
    asked = _asked("instance", "label_values(aemonitor_build_info, instance)")
    return asked.multi(True).include_all(True).all_value(".*").current(everything)


def _asked(name: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(name)
        .datasource(SOURCE)
        .query({"query": query, "refId": name, "qryType": 1})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def _other_dashboards() -> dashboard.DashboardLink:
    link = dashboard.DashboardLink("aemonitor").type(DashboardLinkType.DASHBOARDS).tags(["aemonitor"])
    return link.as_dropdown(False).include_vars(True).keep_time(True)
