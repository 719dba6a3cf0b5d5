"""The templates of pages: what comes from data is escaped and made visible, whatever it is."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from monitor.core.printable import printable

LONGEST = 600
"""Characters of one text from data at most; a page is no place for a megabyte."""


@cache
def environment(package: str) -> Environment:
    """The templates that stand beside the modules of a package."""
    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
        loader=FunctionLoader(lambda name: files(package).joinpath(name).read_text("utf-8")),
    )


def _shown(value: Any) -> Any:
    """What stands in a place of a template: nothing invisible, nothing endless."""
    return printable(value, LONGEST) if isinstance(value, str) and not isinstance(value, Markup) else value
