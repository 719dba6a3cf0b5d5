"""Collects the problems of one configuration, each at the place where its value was written."""

from __future__ import annotations

import json
from typing import Literal, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from monitor.core.config_messages import described, faults
from monitor.core.errors import ConfigError, Problem
from monitor.core.names import quoted
from monitor.core.yaml_text import KeyPath, Value, YamlText, dotted

Model = TypeVar("Model", bound=BaseModel)


class Report:
    """The problems found so far, beginning with those of the text itself."""

    def __init__(self, text: YamlText, file: str) -> None:
        self._text = text
        self._file = file
        self._problems = list(text.problems)
        self._unread = {problem.key_path for problem in text.problems}

    def __bool__(self) -> bool:
        return bool(self._problems)

    def add(self, message: str, path: KeyPath, at: Literal["key", "value"] = "value") -> None:
        """Note a problem. A value that could not even be read has its problem already and gets no second one."""
        if not self.unread(path):
            self._problems.append(Problem(message, dotted(path), *self._place(path, at)))

    def fail(self) -> NoReturn:
        """Raise everything found as a ConfigError, sorted by place."""
        raise ConfigError(self._file, sorted(self._problems, key=lambda p: (p.line, p.column, p.key_path, p.message)))

    def checked(
        self, model: type[Model], value: dict[str, Value], path: KeyPath, *, as_json: bool = False
    ) -> Model | None:
        """The value at ``path`` as a model, or None and problems.

        Options are checked as JSON, where a list may stand for a tuple and text for a path, but nothing is converted
        that a person could have meant otherwise.
        """
        try:
            return model.model_validate_json(json.dumps(value)) if as_json else model.model_validate(value)
        except ValidationError as error:
            for fault in faults(error, value, model, lambda at, given: self.described((*path, *at), given)):
                self.add(fault.message, (*path, *fault.path), fault.at)
            return None

    def unread(self, path: KeyPath) -> bool:
        """Whether the text has a value at this path that could not be read."""
        return dotted(path) in self._unread and self._value(path) is None

    def filled(self, section: dict[str, Value], path: KeyPath) -> dict[str, Value]:
        """The keys of a section that have a value, or had one that could not be read."""
        return {key: value for key, value in section.items() if value is not None or self.unread((*path, key))}

    def described(self, path: KeyPath, value: Value) -> str:
        """A value as messages name it. One from the environment may be a secret: it is named by where it comes from."""
        if path in self._text.written:
            return f"{'a text' if isinstance(value, str) else 'a value'} from {quoted(self._text.written[path])}"
        return described(value)

    def _value(self, path: KeyPath) -> Value:
        value = self._text.value
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return ...
        return value

    def _place(self, path: KeyPath, at: Literal["key", "value"]) -> tuple[int, int]:
        """Where ``path`` begins; of a path that is not in the text, where the nearest one above it does."""
        keys, values = self._text.keys, self._text.values
        if at == "value" and path in values:
            return values[path]
        while path:
            if path in keys:
                return keys[path]
            if path in values:  # an item of a list
                return values[path]
            path = path[:-1]
        return 0, 0
