"""From parsed YAML to the configuration, or to every problem in it at once. A catalog tells which plugins there are."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

from monitor.core.config import Catalog, Config, Feature, Plugin
from monitor.core.config_report import Report
from monitor.core.message_options import CUTTING, MessageOptions
from monitor.core.names import did_you_mean, listed, quoted
from monitor.core.strict import StrictModel
from monitor.core.yaml_text import KeyPath, Value, YamlText

NOUNS: Final = {"sources": "source", "parsers": "parser", "encoders": "encoding", "sinks": "sink"}
"""How messages call one plugin of a group."""


def read_config(text: YamlText, catalog: Catalog, file: str) -> Config:
    """The configuration in ``text``; ``file`` is its name in messages.

    A key at the top or in a stream that is left empty counts as left out.

    Raises:
        ConfigError: with every problem, sorted by line.
    """
    return _Reader(Report(text, file), catalog).config(text.value)


class _Choice(NamedTuple):
    """A plugin as written: ``inside`` is the path of its options. Kind "" stands for one whose problem is reported."""

    kind: str
    options: dict[str, Value]
    inside: KeyPath


class _Reader:
    """One reading. Plugins are checked first, each by its own model; then the whole, with the plugins in place."""

    def __init__(self, report: Report, catalog: Catalog) -> None:
        self._report = report
        self._catalog = catalog

    def config(self, value: Value) -> Config:
        if not isinstance(value, dict):
            self._report.add("a configuration is a mapping (`key: value`)", ())
            self._report.fail()
        root = self._report.filled(value, ())
        if isinstance(root.get("streams"), dict):
            root["streams"] = {name: self._stream(v, ("streams", name)) for name, v in root["streams"].items()}
        if isinstance(root.get("sinks"), dict):
            root["sinks"] = {name: self._plugin("sinks", v, ("sinks", name)) for name, v in root["sinks"].items()}
        self._check_references(root)
        config = self._report.checked(Config, root, ())
        if config is None or self._report:
            self._report.fail()
        return config

    def _stream(self, value: Value, path: KeyPath) -> Value:
        if not isinstance(value, dict):
            return {} if value is None else value
        stream = self._report.filled(value, path)
        for name, group in (("source", "sources"), ("parser", "parsers")):
            if name in stream:
                stream[name] = self._plugin(group, stream[name], (*path, name))
        if isinstance(stream.get("features"), dict):
            features = stream["features"].items()
            stream["features"] = {name: self._feature(name, v, (*path, "features", name)) for name, v in features}
        self._check_cutting(stream, path)
        return stream

    def _check_cutting(self, stream: dict[str, Any], path: KeyPath) -> None:
        """Messages are whole: what would cut them up, or join them, is a misunderstanding."""
        source, form = stream.get("source"), stream.get("input")
        if (
            not isinstance(source, Plugin)
            or not isinstance(source.options, MessageOptions)
            or not isinstance(form, dict)
        ):
            return
        for name in CUTTING:
            if form.get(name) is not None:
                self._report.add(
                    f"source {quoted(source.kind)} hands out whole messages, each is one record: there is nothing to "
                    f"cut or to join; leave {quoted(name)} out",
                    (*path, "input", name),
                    "key",
                )

    def _plugin(self, group: str, value: Value, path: KeyPath) -> Plugin:
        """The plugin written at ``path``; when it is wrong, a stand-in, since a problem has been reported then."""
        choice = self._choice(group, value, path)
        return Plugin(choice.kind, self._options(group, choice))

    def _feature(self, name: str, value: Value, path: KeyPath) -> Feature:
        """A feature is an encoding whose options may name the ``field`` it reads."""
        choice = self._choice("encoders", value, path)
        options = dict(choice.options)
        field = options.pop("field", name)
        if not isinstance(field, str) or not field:
            place = (*choice.inside, "field")
            self._report.add(f"expected the name of a field, got {self._report.described(place, field)}", place)
            field = name
        return Feature(name, field, choice.kind, self._options("encoders", choice._replace(options=options)))

    def _choice(self, group: str, value: Value, path: KeyPath) -> _Choice:
        """What ``kind`` or ``{kind: {option: value}}`` chooses."""
        kinds = self._catalog.kinds(group)
        if isinstance(value, str):
            return _Choice(value if self._is_known(group, value, path, "value") else "", {}, path)
        if not isinstance(value, dict) or len(value) != 1:
            self._report.add(self._not_a_choice(NOUNS[group], value, path, kinds), path)
            return _Choice("", {}, path)
        kind, options = next(iter(value.items()))
        inside = (*path, kind)
        if not self._is_known(group, kind, inside, "key"):
            return _Choice("", {}, inside)
        if options is not None and not isinstance(options, dict):
            got = self._report.described(inside, options)
            self._report.add(f"expected the options of {quoted(kind)} as a mapping (`key: value`), got {got}", inside)
            return _Choice("", {}, inside)
        return _Choice(kind, {} if options is None else options, inside)

    def _is_known(self, group: str, kind: str, path: KeyPath, at: Literal["key", "value"]) -> bool:
        kinds = self._catalog.kinds(group)
        if kind not in kinds:
            self._report.add(f"unknown {NOUNS[group]} {quoted(kind)}{did_you_mean(kind, kinds)}", path, at)
        return kind in kinds

    def _not_a_choice(self, noun: str, value: Value, path: KeyPath, kinds: tuple[str, ...]) -> str:
        if isinstance(value, dict) and value:
            kind = next((key for key in value if key in kinds), "KIND")
            keys = listed(list(value), " and ")
            return f"expected one kind of {noun} with its options inside it, `{kind}: {{...}}`, got the keys {keys}"
        return f"expected a kind of {noun}, one of {listed(kinds)}, got {self._report.described(path, value)}"

    def _options(self, group: str, choice: _Choice) -> StrictModel:
        if not choice.kind:
            return StrictModel()
        model = self._catalog.options_model(group, choice.kind)
        return self._report.checked(model, choice.options, choice.inside, as_json=True) or StrictModel()

    def _check_references(self, root: dict[str, Any]) -> None:
        """Every sink a stream names must be there."""
        sinks: dict[str, Any] = root["sinks"] if isinstance(root.get("sinks"), dict) else {}
        streams: dict[str, Any] = root["streams"] if isinstance(root.get("streams"), dict) else {}
        for stream, options in streams.items():
            named = options.get("sinks") if isinstance(options, dict) else None
            for i, name in enumerate(named if isinstance(named, list) else []):
                if isinstance(name, str) and name not in sinks:
                    known = did_you_mean(name, sinks) if sinks else "; the section `sinks` defines none"
                    self._report.add(f"there is no sink {quoted(name)}{known}", ("streams", stream, "sinks", i))
