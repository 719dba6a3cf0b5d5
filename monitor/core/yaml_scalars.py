"""Scalars as YAML 1.2 reads them: what is written as a number is that number, and `no` is a word, not a denial.

Two deliberate refusals where YAML 1.1 and 1.2 read different numbers out of the same text: a whole number with a
leading zero (8 for one, 10 for the other) and a number too large for a float.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

Scalar = None | bool | int | float | str

_WORDS: Mapping[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((f"{sign}{word}" for sign in ("", "+") for word in (".inf", ".Inf", ".INF")), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_ENV = re.compile(r"\$\$(?=\{env:)|\$\{env:(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})?")

NUMBER_CHARACTERS = 100
"""Longer numbers are refused: no setting needs one, and converting them takes time that grows with the square."""


def resolve(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar.

    >>> [resolve(text) for text in ("no", "true", "12", "0o17", "1e3", "~", "12:30:45", "1_000")]
    ['no', True, 12, 15, 1000.0, None, '12:30:45', '1_000']

    Raises:
        ValueError: it looks like a number but has no single meaning; the message is for the user.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789" or not (_FLOAT.fullmatch(text) or _BASED.fullmatch(text)):
        return text
    if len(text) > NUMBER_CHARACTERS:
        raise ValueError(f"a number of {len(text)} characters is too long; quote it if it is meant as text")
    if _LEADING_ZERO.fullmatch(text):
        plain = text.lstrip("+-").lstrip("0") or "0"
        octal = "" if {"8", "9"} & set(plain) else f"or 0o{plain} for octal, "
        raise ValueError(f"{text} is ambiguous: write {plain}, {octal}or quote it if it is text")
    if _BASED.fullmatch(text):
        return int(text, 0)
    return int(text) if _DECIMAL.fullmatch(text) else _finite(text)


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Replace ``${env:NAME}`` and ``${env:NAME:-default}``; the default stands in for an unset or empty variable.

    ``$${env:NAME}`` stays as the text ``${env:NAME}``.

    >>> expand("${env:HOST:-localhost}:${env:PORT}", {"PORT": "9464"})
    'localhost:9464'

    Raises:
        ValueError: a variable without default is not set, or the reference is malformed; the message is for the user.
    """

    def replacement(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if match[0] == "$$":
            return "$"
        if name is None:
            raise ValueError(
                "malformed reference: write ${env:NAME} or ${env:NAME:-default} ($${env: for the text itself)"
            )
        if default is not None:
            return environ.get(name) or default
        if name not in environ:
            raise ValueError(f"the environment variable {name} is not set; set it or write ${{env:{name}:-default}}")
        return environ[name]

    return _ENV.sub(replacement, text)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is too large for a number; write .inf if infinity is meant")
    return value
