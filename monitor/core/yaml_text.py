"""YAML as plain values that remember where each of them was written.

The subset a configuration needs, read strictly: one document, text keys, YAML 1.2 scalars (see ``yaml_scalars``),
no tags but ``!!str``, no merge keys, anchors and nesting within bounds. Every fault is a located problem.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from monitor.core.errors import Problem
from monitor.core.names import quoted
from monitor.core.yaml_nodes import MAX_DEPTH, Node, Place, RefusedError, document_root
from monitor.core.yaml_scalars import Scalar, expand, resolve

MAX_VALUES = 200_000
"""More values than this, aliases written out, are refused: a few lines of nested aliases can stand for billions."""

KeyPath: TypeAlias = tuple[str | int, ...]
Value: TypeAlias = Any
"""None, bool, int, float, str, a list of these, or a dict from str to these."""

_STRING_TAGS = ("!", "tag:yaml.org,2002:str")
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")
_PLAIN_NAME = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True)
class YamlText:
    """A parsed text.

    ``keys`` and ``values`` tell where the key and the value of each path begin; a list item has only a value.
    ``written`` has the original text of the scalars that environment variables were expanded in.
    """

    value: Value
    keys: Mapping[KeyPath, Place]
    values: Mapping[KeyPath, Place]
    written: Mapping[KeyPath, str]
    problems: tuple[Problem, ...]


def read_yaml(text: str, environ: Mapping[str, str]) -> YamlText:
    """Parse ``text``, expanding ``${env:...}`` inside scalar values after parsing.

    Never raises for what the text contains: see ``problems``, which is empty exactly when all of it was understood.
    The values of an empty text are an empty mapping.
    """
    text = text.removeprefix("\ufeff")
    plain = _Plain(environ)
    try:
        root = document_root(text)
        value = {} if root is None else plain.value(root, ())
    except RefusedError as refused:
        return YamlText(None, {}, {}, {}, (refused.problem,))
    return YamlText(value, plain.keys, plain.values, plain.written, tuple(plain.problems))


def dotted(path: KeyPath) -> str:
    """A key path as people write it.

    >>> print(dotted(("streams", "web", "sinks", 0)), dotted(("features", "http.status")))
    streams.web.sinks[0] features.'http.status'
    """
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f"{'.' if text else ''}{step if _PLAIN_NAME.fullmatch(step) else quoted(step)}"
    return text


@dataclass(slots=True)
class _Plain:
    """Turns nodes into plain values, noting places and problems on the way."""

    environ: Mapping[str, str]
    keys: dict[KeyPath, Place] = field(default_factory=dict[KeyPath, Place])
    values: dict[KeyPath, Place] = field(default_factory=dict[KeyPath, Place])
    written: dict[KeyPath, str] = field(default_factory=dict[KeyPath, str])
    problems: list[Problem] = field(default_factory=list[Problem])

    def value(self, node: Node, path: KeyPath, depth: int = 1) -> Value:
        if len(self.values) >= MAX_VALUES:
            raise RefusedError(Problem(f"more than {MAX_VALUES:,} values, aliases written out", "", *node.place))
        if depth > MAX_DEPTH:  # aliases inside aliased values can nest deeper than the text does
            raise RefusedError(Problem(f"nested deeper than {MAX_DEPTH} levels", "", *node.place))
        self.values[path] = node.place
        if node.tag not in (None, *_STRING_TAGS) or (node.tag and node.kind != "scalar"):
            self._report(
                f"the tag {quoted(str(node.tag))} is not supported; values have their natural type", path, node
            )
            return None
        if node.kind == "scalar":
            return self._scalar(node, path)
        if node.kind == "list":
            return [self.value(item, (*path, i), depth + 1) for i, item in enumerate(node.items)]
        return self._mapping(node, path, depth)

    def _mapping(self, node: Node, path: KeyPath, depth: int) -> dict[str, Value]:
        result: dict[str, Value] = {}
        for key, child in node.pairs:
            name = self._key(key, path)
            if name is None:
                continue
            inner = (*path, name)
            if name in result:
                first = self.keys[inner][0]
                self._report(f"duplicate key {quoted(name)}; it is already on line {first}", inner, key)
                continue
            self.keys[inner] = key.place
            result[name] = self.value(child, inner, depth + 1)
        return result

    def _key(self, key: Node, path: KeyPath) -> str | None:
        """The text of a key; None, and a problem, when it is not a text."""
        if key.kind != "scalar":
            self._report(f"a key must be text, not a {key.kind}", path, key)
            return None
        if key.plain and key.text == "<<":
            self._report("merge keys (`<<`) are not supported; write the keys out", path, key)
            return None
        try:
            value = resolve(key.text) if key.plain else key.text
        except ValueError:
            value = None
        if isinstance(value, str) and not _UNUSABLE.search(value):
            return value
        self._report(f"a key must be text; write {quoted(key.text)} with the quotes", path, key)
        return None

    def _scalar(self, node: Node, path: KeyPath) -> Scalar:
        try:
            text = expand(node.text, self.environ) if "${env:" in node.text else node.text
            if _UNUSABLE.search(text):
                self._report("the text has a NUL or a character that is not valid Unicode", path, node)
                return None
            if text != node.text:
                self.written[path] = node.text
            return resolve(text) if node.plain else text
        except ValueError as error:
            self._report(str(error), path, node)
            return None

    def _report(self, message: str, path: KeyPath, node: Node) -> None:
        self.problems.append(Problem(message, dotted(path), *node.place))
