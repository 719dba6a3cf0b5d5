"""The templates of reports, which stand beside this module."""

from __future__ import annotations

from typing import Any

from monitor.core.templates import LONGEST, environment

__all__ = ["LONGEST", "render"]


def render(template: str, **facts: Any) -> str:
    """The page that a template of this package makes of the facts."""
    return environment("monitor.reporting").get_template(template).render(**facts)
