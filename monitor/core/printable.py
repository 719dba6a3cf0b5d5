"""Makes any text safe to show on a terminal or in a log line: nothing in it can move the cursor or forge a line."""

from __future__ import annotations

ELLIPSIS = "…"
SHORT_ESCAPES = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def printable(text: str, limit: int = 200) -> str:
    r"""The text with everything invisible written out, at most ``limit`` characters long.

    Escaped is what Unicode calls not printable, the blank excepted: control characters of both sets (ESC and the 8-bit
    CSI among them), line separators, bidirectional and zero-width marks, lone surrogates, unassigned and private code
    points, and blanks that are not U+0020. What is harmless stays as it is, backslashes too, so that a line can be
    copied back; what has been escaped once is not changed by a second pass. Never cuts inside an escape.

    >>> printable("a\x1b[31mb\n")
    'a\\x1b[31mb\\n'
    >>> printable("abcdef", limit=4)
    'abc…'
    """
    if len(text) <= limit and text.isprintable():
        return text
    # One character more than fits is enough to know that something was cut: a megabyte costs what a line costs.
    shown = [_shown(character) for character in text[: limit + 1]]
    room, kept = limit, 0
    for piece in shown:
        room -= len(piece)
        if room < 0:
            break
        kept += 1
    if kept == len(shown):
        return "".join(shown)
    return _cut(shown[:kept], limit)


def printable_json(text: str) -> str:
    r"""JSON that says the same, with everything invisible written as JSON does; line feeds between its parts stay.

    >>> printable_json('{"a": "\x9b2J"}')
    '{"a": "\\u009b2J"}'
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\n" else _units(one) for one in text)


def _units(character: str) -> str:
    """A character as JSON escapes it: in units of UTF-16."""
    code = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{code[place : place + 4]}" for place in range(0, len(code), 4))


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return SHORT_ESCAPES.get(character) or _code(ord(character))


def _code(point: int) -> str:
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def _cut(pieces: list[str], limit: int) -> str:
    """Drop pieces from the end until the ellipsis fits."""
    length = sum(map(len, pieces))
    while pieces and length + len(ELLIPSIS) > limit:
        length -= len(pieces.pop())
    return ("".join(pieces) + ELLIPSIS)[: max(limit, 0)]
