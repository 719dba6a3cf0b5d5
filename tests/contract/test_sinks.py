"""The law every sink keeps, whatever its kind; sinks are found by their file names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from pydantic import ValidationError

from monitor import plugins
from monitor.core.protocols import Sink
from monitor.core.strict import StrictModel

FILES = {
    "hook.secret": "whsec_" + "QUJD" * 10,
    "apprise.urls": "mailto://127.0.0.1:1?from=a@example.net&to=b@example.net",
}
"""Files that the examples name and that have to be there."""


@pytest.fixture(params=plugins.kinds("sinks"))
def module(request: pytest.FixtureRequest) -> ModuleType:
    return plugins.module("sinks", request.param)


@pytest.fixture
def example(module: ModuleType) -> StrictModel:
    config: type[StrictModel] = module.Config
    return config.model_validate(yaml.safe_load(module.EXAMPLE))


@pytest.fixture
def sink(module: ModuleType, example: StrictModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    built: Sink = module.build(example)
    yield built
    built.close()


def test_the_first_line_of_the_module_says_what_it_does(module: ModuleType) -> None:
    first = (module.__doc__ or "").splitlines()[0]

    assert first.endswith(".")
    assert len(first) > 20


def test_unknown_options_are_errors(module: ModuleType) -> None:
    options = {**yaml.safe_load(module.EXAMPLE), "no_such_option": 1}

    with pytest.raises(ValidationError, match="no_such_option"):
        module.Config.model_validate(options)


def test_options_cannot_be_changed_afterwards(example: StrictModel) -> None:
    name = next(iter(type(example).model_fields))

    with pytest.raises(ValidationError, match="frozen"):
        setattr(example, name, getattr(example, name))


def test_every_option_is_described(example: StrictModel) -> None:
    for field in type(example).model_fields.values():
        assert (field.description or "").endswith(".")


def test_sending_nothing_does_nothing(sink: Sink) -> None:
    assert sink.send([]) == 0


def test_close_may_be_called_twice(sink: Sink) -> None:
    sink.close()
    sink.close()
