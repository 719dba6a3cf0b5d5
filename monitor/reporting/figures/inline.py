"""A figure as a piece of an HTML page: its ids are its own, it follows light and dark, and it fetches nothing."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from monitor.reporting.figures.style import FAINT, GRID, INK, PAPER

VARIABLES = {PAPER: "var(--paper)", INK: "var(--ink)", FAINT: "var(--faint)", GRID: "var(--grid)"}
"""The page's names for the colours that are not data."""

_COLOR = re.compile("|".join(VARIABLES))
_ID = re.compile(r' id="[^"]*"')
_TAG = re.compile(r"<[^>]+>")
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_STYLE = re.compile(r"<style[^>]*>.*?</style>", re.DOTALL)
_SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)pt" height="([\d.]+)pt" viewBox="([^"]+)"[^>]*>')


def inlined(svg: str, name: str, description: str) -> Markup:
    """The drawing of an SVG document of ``style.as_svg``, for a page whose style sheet has ``VARIABLES``.

    Args:
        svg: the document.
        name: what its ids begin with; different for each figure of a page.
        description: what somebody hears who cannot see it.

    Raises:
        ValueError: it is no such document.
    """
    opening = _SIZE.search(svg)
    if opening is None:
        raise ValueError(f"an SVG document without width, height and viewBox: {svg[:100]!r}")
    body = _STYLE.sub("", _METADATA.sub("", svg[opening.end() :]))
    # Only tags are changed: the letters of a label may look like an id or a colour.
    body = _TAG.sub(lambda tag: _own(tag[0], name), body)
    width = f"--width: {opening[1]}pt"  # on paper; the page decides how much larger or smaller it may be
    head = f'<svg viewBox="{opening[3]}" role="img" aria-label="{escape(description)}" style="{width}">'
    return Markup(head + body)  # noqa: S704 - matplotlib escapes texts, and the description is escaped here


def _own(tag: str, name: str) -> str:
    if tag.startswith("<image "):
        tag = _ID.sub("", tag, count=1)  # equal images have equal ids, which nothing refers to
    tag = tag.replace(' id="', f' id="{name}-').replace("url(#", f"url(#{name}-")
    tag = tag.replace('xlink:href="#', f'href="#{name}-').replace("xlink:href=", "href=")
    return _COLOR.sub(lambda color: VARIABLES[color[0]], tag) if 'style="' in tag else tag
