"""The law of every source: what its configuration promises, and how it behaves before, at and after its end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml
from pydantic import ValidationError

from monitor import plugins
from monitor.core.clock import ManualClock
from monitor.core.errors import ConfigError
from monitor.core.message_options import CUTTING, MessageOptions
from monitor.core.protocols import SourceContext
from monitor.core.records import Chunk
from monitor.core.strict import StrictModel
from tests.support_files import Lines, RecordedEvents, joined, numbered

TEXT = joined(numbered(0, 1000)) + b"unfinished"

Given: TypeAlias = "tuple[dict[str, Any], dict[str, Any]]"


def give_file(path: Path, _fd: int) -> Given:
    return {"include": [str(path)], "watch": "poll"}, {}


def give_descriptor(_path: Path, fd: int) -> Given:
    return {}, {"fd": fd}


BUILT_FOR_TESTS = {"file_tail": give_file, "stdin": give_descriptor}
"""How each kind is given some bytes: its options and the keyword arguments of ``build``."""

KINDS = plugins.kinds("sources")
OF_MESSAGES = [kind for kind in KINDS if issubclass(plugins.options_model("sources", kind), MessageOptions)]
"""Those that are handed whole messages, by a broker of which each needs its own: they have tests of their own."""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[kind for kind in KINDS if kind not in OF_MESSAGES])
def of_bytes(request: pytest.FixtureRequest) -> str:
    if request.param not in BUILT_FOR_TESTS:
        pytest.fail(f"say in {__file__} how a source of kind {request.param} is given bytes to read")
    return str(request.param)


@pytest.fixture
def source(of_bytes: str, tmp_path: Path) -> Iterator[Any]:
    kind = of_bytes
    path = tmp_path / "input"
    path.write_bytes(TEXT)
    fd = os.open(path, os.O_RDONLY)
    module = plugins.module("sources", kind)
    options, arguments = BUILT_FOR_TESTS[kind](path, fd)
    context = SourceContext("web", [], ManualClock(), RecordedEvents(), wake=lambda: None)
    made = module.build(module.Config(**options), context, once=True, **arguments)
    yield made
    made.close()
    made.close()
    os.close(fd)


def read_all(source: Any, budget_bytes: int) -> list[Chunk]:
    chunks: list[Chunk] = []
    while not source.exhausted:
        chunks += source.read(budget_bytes)
    return chunks


def test_options_are_strict_documented_and_exemplified(kind: str) -> None:
    module = plugins.module("sources", kind)

    assert issubclass(module.Config, StrictModel)
    assert all(option.description for option in module.Config.model_fields.values())
    module.Config.model_validate(yaml.safe_load(module.EXAMPLE))
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        module.Config.model_validate({**yaml.safe_load(module.EXAMPLE), "no_such_option": 1})


def test_the_docstring_begins_with_a_line_for_the_documentation(kind: str) -> None:
    assert plugins.summary("sources", kind).endswith(".")


@pytest.mark.parametrize("kind", OF_MESSAGES)
def test_a_source_of_messages_says_what_it_reads(kind: str) -> None:
    module = plugins.module("sources", kind)

    assert module.Config.model_validate(yaml.safe_load(module.EXAMPLE)).places


@pytest.mark.parametrize("kind", OF_MESSAGES)
@pytest.mark.parametrize(
    ("option", "value"), [("delimiter", '";"'), ("multiline", "{start: x}"), ("force_flush_after_seconds", "1.0")]
)
def test_what_cuts_bytes_is_refused_for_messages_where_it_stands(kind: str, option: str, value: str) -> None:
    example = yaml.safe_dump({kind: yaml.safe_load(plugins.module("sources", kind).EXAMPLE)}, default_flow_style=True)
    text = (
        "streams:\n  web:\n    parser: json_lines\n    features: {a: numeric}\n"
        f"    input:\n      {option}: {value}\n    source: {' '.join(example.split())}\n"
    )
    message = rf"x\.yaml:6:7: streams\.web\.input\.{option}: .*{kind}.* each is one record.*; leave .*{option}.* out"

    assert option in CUTTING
    with pytest.raises(ConfigError, match=message):
        plugins.load_config_text(text, "x.yaml", {})


@pytest.mark.parametrize("budget_bytes", [1 << 20, 1000, 13])
def test_all_bytes_come_contiguous_in_order_within_the_budget(source: Any, budget_bytes: int) -> None:
    lines = Lines()
    chunks = read_all(source, budget_bytes)

    for chunk in chunks:
        lines.push(chunk)

    assert lines.complete == [*numbered(0, 1000), b"unfinished"]
    assert max(len(chunk.data) for chunk in chunks) <= budget_bytes


def test_the_last_chunk_of_an_origin_and_no_other_is_final(source: Any) -> None:
    chunks = read_all(source, 5000)

    assert [chunk.final for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_an_exhausted_source_gives_nothing_more(source: Any) -> None:
    read_all(source, 1 << 20)

    assert source.read(1 << 20) == []
    assert source.exhausted


def test_no_budget_gives_no_bytes(source: Any) -> None:
    assert all(not chunk.data for chunk in source.read(0))


def test_the_driver_is_told_how_long_it_may_wait(source: Any) -> None:
    assert 0 <= source.pause <= 1
