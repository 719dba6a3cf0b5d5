"""YAML text as a tree of nodes that know their places, read event by event so that nesting is bounded on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import yaml

from monitor.core.errors import Problem

MAX_DEPTH = 32
"""Deeper nesting is refused. The deepest place of a real configuration is about 8 levels down."""

Place: TypeAlias = tuple[int, int]
"""Line and column, both from 1."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class RefusedError(Exception):
    """The text cannot be read further than here."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(slots=True)
class Node:
    """One scalar, list or mapping as written; an alias is the node itself again."""

    line: int
    column: int
    kind: Literal["scalar", "list", "mapping"]
    text: str = ""
    plain: bool = False
    tag: str | None = None
    items: list[Node] = field(default_factory=list["Node"])
    pairs: list[tuple[Node, Node]] = field(default_factory=list["tuple[Node, Node]"])

    @property
    def place(self) -> Place:
        return self.line, self.column


def document_root(text: str) -> Node | None:
    """The root node of the only document; None when there is none.

    Raises:
        RefusedError: the text is not YAML, has several documents, nests too deeply, or has an alias without anchor.
    """
    if bad := _UNPRINTABLE.search(text):
        line, column = text.count("\n", 0, bad.start()) + 1, bad.start() - text.rfind("\n", 0, bad.start())
        raise RefusedError(Problem(f"the character {bad[0]!r} is not allowed in YAML text", "", line, column))
    try:
        return _Builder(yaml.parse(text, Loader=_LOADER)).document()
    except yaml.MarkedYAMLError as error:
        raise RefusedError(_syntax_problem(text, error)) from error


class _Builder:
    """Builds nodes from parser events, pulling one event at a time so that nesting is bounded while reading."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events: Iterator[Any] = events
        self._anchors: dict[str, Node | None] = {}

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise _refused(
                        event, "a second document begins here; a configuration is one document, without `---`"
                    )
                root = self._node(next(self._events), 1)
        return root

    def _node(self, event: Any, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise _refused(event, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event)
        anchor: str | None = event.anchor
        if anchor is not None:
            self._anchors[anchor] = None
        node = self._fresh(event, depth)
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _fresh(self, event: Any, depth: int) -> Node:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, yaml.ScalarEvent):
            return Node(line, column, "scalar", text=event.value, plain=event.implicit[0], tag=event.tag)
        if isinstance(event, yaml.SequenceStartEvent):
            node = Node(line, column, "list", tag=event.tag)
            while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
                node.items.append(self._node(item, depth + 1))
            return node
        node = Node(line, column, "mapping", tag=event.tag)
        while not isinstance(key := next(self._events), yaml.MappingEndEvent):
            node.pairs.append((self._node(key, depth + 1), self._node(next(self._events), depth + 1)))
        return node

    def _aliased(self, event: Any) -> Node:
        if event.anchor not in self._anchors:
            raise _refused(event, f"the alias *{event.anchor} has no anchor &{event.anchor} before it")
        node = self._anchors[event.anchor]
        if node is None:
            raise _refused(event, f"the alias *{event.anchor} stands inside the value it refers to")
        return node


def _refused(event: Any, message: str) -> RefusedError:
    return RefusedError(Problem(message, "", event.start_mark.line + 1, event.start_mark.column + 1))


_SYNTAX: tuple[tuple[str, str], ...] = (
    ("mapping values are not allowed", "a second `: ` cannot stand here; quote a value with one, or fix the indent"),
    ("did not find expected key", "the indentation fits no line above"),
    ("expected <block end>", "the indentation fits no line above"),
    ("expected '-' indicator", "this list goes on with a line that does not start with `-`"),
    ("find expected ':'", "expected `key: value`; a colon is missing here or on the line above"),
    ("expected ',' or", "expected a comma or the closing bracket"),
    ("expected node content", "a value or a closing bracket is missing here"),
    ("unexpected end of stream", "a quote is never closed"),
    ("unknown escape", "unknown escape after a backslash; use single quotes to keep backslashes as they are"),
    ("cannot start any token", "this character cannot begin a value; quote the value"),
)  # fmt: skip


def _syntax_problem(text: str, error: yaml.MarkedYAMLError) -> Problem:
    """What the YAML parser found, in our words where the fault is a common one."""
    mark, opened = error.problem_mark or error.context_mark, error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    rest = text.split("\n")[line][column:] if line <= text.count("\n") else ""
    found = error.problem or "the text is not YAML"
    message = next((ours for theirs, ours in _SYNTAX if theirs in found), f"this is not valid YAML: {found}")
    if rest.startswith("\t"):
        message = "a tab cannot indent YAML; use spaces"
    elif rest.startswith("{env:"):
        message = 'inside { } or [ ] a reference needs quotes: "${env:NAME}" (it is text then)'
    elif opened and opened.line != line and ("bracket" in message or "quote is never" in message):
        message += f" (opened on line {opened.line + 1})"
    return Problem(message, "", line + 1, column + 1)
