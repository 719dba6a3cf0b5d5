"""Makes pages of templates; the library for it is loaded with the first page that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from monitor.core.names import plural
from monitor.core.printable import printable
from monitor.explaining.rarity import bans, rarer_than
from monitor.explaining.text import compared, shown
from monitor.web.wording import ago, moment, number, rfc3339, size

if TYPE_CHECKING:
    from jinja2 import Environment

LONGEST_RECORD = 4_096
"""Characters shown of a record; the alert keeps no more."""


def render(template: str, **facts: Any) -> str:
    """The page as HTML. What comes from data is escaped; nothing in it is invisible."""
    return _environment().get_template(f"templates/{template}").render(**facts)


STATES = {"firing": "going on", "resolved": "over", "record": "one record", "suppressed": "suppressed"}
"""Of an episode, as people call them."""


@cache
def _environment() -> Environment:
    from monitor.core.templates import environment

    made = environment("monitor.web.pages")
    formatted: list[Callable[..., Any]] = [ago, compared, moment, number, plural, rfc3339, shown, size]
    filters: dict[str, Any] = {each.__name__: each for each in formatted}
    given: dict[str, Any] = {"rarity": _rarity, "states": STATES}
    made.filters.update({**filters, "record": _record})
    made.globals.update(given)
    return made


def _rarity(p_value: float | None) -> str:
    """The share of benign records that are as rare, in words; empty where it is not known, or no rarity."""
    return "" if p_value is None else rarer_than(bans(p_value))


def _record(text: str) -> Any:
    """A record of one or several lines."""
    from markupsafe import Markup, escape

    return Markup("\n").join(escape(printable(line, LONGEST_RECORD)) for line in text.split("\n"))
