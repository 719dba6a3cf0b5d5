"""The templates of pages: what comes from data is escaped and made visible, whatever it is."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from monitor.core.printable import printable

LONGEST = 600
"""Characters of one text from data at most; a page is no place for a megabyte."""


def render(template: str, **facts: Any) -> str:
    """The page that a template of this package makes of the facts."""
    return _environment().get_template(template).render(**facts)


def _environment() -> Environment:
    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
        loader=FunctionLoader(lambda name: files("monitor.reporting").joinpath(name).read_text("utf-8")),
    )


def _shown(value: Any) -> Any:
    """What stands in a place of the template: nothing invisible, nothing endless."""
    return printable(value, LONGEST) if isinstance(value, str) and not isinstance(value, Markup) else value
