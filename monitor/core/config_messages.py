"""What a person is told when a value does not fit its model: our words, at the place where the value was written."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from monitor.core.names import did_you_mean, listed, quoted
from monitor.core.yaml_scalars import resolve
from monitor.core.yaml_text import KeyPath, Value

NAME_RULE = "a name is 1 to 64 lower-case letters, digits, `-` and `_`, and starts with a letter or digit"

Describe = Callable[[KeyPath, Value], str]
"""How a value at a path is called in a message."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong below a model: ``path`` is relative to the model's value; ``at`` says which end to point at."""

    path: KeyPath
    message: str
    at: Literal["key", "value"] = "value"


@dataclass(frozen=True, slots=True)
class _Found:
    """A pydantic error with its place in the value; ``deciding`` errors are about the value, not about its keys."""

    path: KeyPath
    error: ErrorDetails
    value: Value
    on_key: bool

    @property
    def deciding(self) -> bool:
        return not self.on_key and self.error["type"] not in ("missing", "extra_forbidden")


def faults(error: ValidationError, value: Value, model: type[BaseModel], describe: Describe) -> list[Fault]:
    """Every fault of ``value`` as ``model``, one for each place even where a union had several complaints."""
    found = [_locate(details, value) for details in error.errors(include_url=False, include_input=False)]
    result = [_key_fault(one, model) for one in found if not one.deciding]
    by_path: dict[KeyPath, list[_Found]] = {}
    for one in found:
        if one.deciding:
            by_path.setdefault(one.path, []).append(one)
    for path, group in by_path.items():
        if not any(_is_below(other.path, path) for other in found):
            result.append(Fault(path, _message(group, describe)))
    return result


def described(value: Value) -> str:
    """A value as messages name it.

    >>> described("x"), described(5), described(None), described([1])
    ("the text 'x'", 'the number 5', 'nothing', 'a list')
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {quoted(value)}" if value else "an empty text"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    return f"the number {value}"


def field_names(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys that may be written at ``path`` below a model; every one of them where several models are possible."""
    candidates = [model]
    for step in path:
        if any(step in candidate.model_fields for candidate in candidates):
            candidates = [
                inner
                for candidate in candidates
                if step in candidate.model_fields
                for inner in _models_in(candidate.model_fields[str(step)].annotation)
            ]
    return sorted({name for candidate in candidates for name in candidate.model_fields})


def _models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from _models_in(inner)


def _locate(details: ErrorDetails, value: Value) -> _Found:
    """Follow pydantic's location through the value; steps that are not in it name a member of a union."""
    path: list[str | int] = []
    for step in details["loc"]:
        if isinstance(value, Mapping) and step in value:
            value = typing.cast("Mapping[str | int, Value]", value)[step]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            continue
        path.append(step)
    return _Found(tuple(path), details, value, on_key="[key]" in details["loc"])


def _is_below(path: KeyPath, parent: KeyPath) -> bool:
    return len(path) > len(parent) and path[: len(parent)] == parent


def _key_fault(found: _Found, model: type[BaseModel]) -> Fault:
    name = str(found.error["loc"][-1])
    if found.error["type"] == "missing":
        return Fault((*found.path, name), f"the required key {quoted(name)} is missing", "key")
    if found.on_key:
        return Fault(found.path, NAME_RULE, "key")
    known = field_names(model, found.path[:-1])
    return Fault(found.path, f"unknown key {quoted(name)}{did_you_mean(name, known)}", "key")


def _message(group: Sequence[_Found], describe: Describe) -> str:
    """One sentence for all complaints about one value."""
    complete = [text for one in group if (text := _complete(one.error))]
    if complete:
        return complete[0]
    value = group[0].value
    options = [
        option for one in group if one.error["type"] in ("literal_error", "enum") for option in _options(one.error)
    ]
    others = dict.fromkeys(_expected(one.error) for one in group if one.error["type"] not in ("literal_error", "enum"))
    expected = " or ".join([*([listed(options, " or ")] if options else []), *others])
    return f"expected {expected}, got {describe(group[0].path, value)}{_hint(value, options, others)}"


def _complete(error: ErrorDetails) -> str | None:
    """The message of a validator of ours, which says all by itself."""
    if error["type"] in ("value_error", "assertion_error"):
        return str(error.get("ctx", {}).get("error", error["msg"]))
    if error["type"] in _EXPECTED or error["type"] in ("literal_error", "enum") or _STOCK.match(error["msg"]):
        return None
    return error["msg"]


def _options(error: ErrorDetails) -> list[str]:
    return re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))


def _expected(error: ErrorDetails) -> str:
    template = _EXPECTED.get(error["type"])
    if template is None:
        return _STOCK.sub("", error["msg"])
    context: Mapping[str, Any] = error.get("ctx", {})
    if context.get("min_length") == 1:
        return "text that is not empty" if error["type"] == "string_too_short" else "at least one entry"
    bounds = {
        name: int(bound) if isinstance(bound, float) and bound.is_integer() else bound
        for name, bound in context.items()
    }
    return template.format(**bounds)


def _hint(value: Value, options: Sequence[str], others: Iterable[str]) -> str:
    if isinstance(value, str) and options:
        return did_you_mean(value, options) if "did you mean" in did_you_mean(value, options) else ""
    if "text" in others and isinstance(value, int | float):
        return "; quote it if it is meant as text"
    if "true or false" in others and isinstance(value, str):
        meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(value.lower())
        return f"; write {meant}" if meant else ""
    if isinstance(value, str) and not {"a number", "a whole number"}.isdisjoint(others) and _is_number(value):
        return "; leave out the quotes"
    if "a list" in others and isinstance(value, str):
        return "; put it in brackets: [...]"
    return ""


def _is_number(text: str) -> bool:
    try:
        return isinstance(resolve(text), int | float)
    except ValueError:
        return False


_STOCK = re.compile(r"Input should be (a valid )?")
_EXPECTED: Mapping[str, str] = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("string_type", "string_sub_type"), "text"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), "a list"),
    **dict.fromkeys(
        ("dict_type", "model_type", "model_attributes_type", "dataclass_type", "mapping_type"),
        "a mapping (`key: value`)",
    ),
    "finite_number": "a finite number",
    "path_type": "a path",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "string_too_short": "text of at least {min_length} characters",
    "string_too_long": "text of at most {max_length} characters",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
    "string_pattern_mismatch": "text that matches {pattern}",
}
