"""Writes the dashboards as Grafana loads them, or with --check says which of them are out of date."""

from __future__ import annotations

import sys
from pathlib import Path

import all_streams
import one_stream
from frame import ALL_STREAMS, ONE_STREAM
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard, VariableHide, VariableType

MADE = Path(__file__).parent / "dashboards"
BUILDERS = {ALL_STREAMS: all_streams.build, ONE_STREAM: one_stream.build}


def main() -> None:
    """Write them, or compare."""
    stale: list[str] = []
    for name, build in BUILDERS.items():
        path = MADE / f"{name}.json"
        text = JSONEncoder(sort_keys=True, indent=1).encode(finished(build().build())) + "\n"
        if path.exists() and path.read_text() == text:
            continue
        stale.append(path.name)
        if "--check" not in sys.argv[1:]:
            path.write_text(text)
    if stale and "--check" in sys.argv[1:]:
        sys.exit(f"out of date: {', '.join(stale)}; run `python deploy/grafana/make_dashboards.py`")


def finished(made: Dashboard) -> Dashboard:
    """What the builders leave open: numbers for the panels, so that links to one stay, and constants out of sight."""
    for number, panel in enumerate(made.panels or (), start=1):
        panel.id_val = number
    for variable in (made.templating.list_val if made.templating else None) or ():
        if variable.type_val == VariableType.CONSTANT:
            variable.hide = VariableHide.HIDE_VARIABLE
    return made


if __name__ == "__main__":
    main()
