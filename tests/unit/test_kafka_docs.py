"""What the page on Kafka says to write can be written so."""

from __future__ import annotations

import re

import pytest

from monitor.plugins import load_config, load_config_text
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "howto" / "kafka.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
STREAM = (
    "streams: {web: {source: {kafka: {brokers: ['a:1'], topics: [x]}}, parser: json_lines, features: {a: numeric}}}\n"
)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_example_is_a_configuration(block: str) -> None:
    config = load_config_text(block if block.startswith("streams:") else STREAM + block, "example", {})

    assert {sink.kind for sink in config.sinks.values()} <= {"kafka"}


def test_the_whole_example_is_a_configuration() -> None:
    config = load_config(REPOSITORY / "config" / "examples" / "kafka.yaml", {})

    assert [stream.source.kind for stream in config.streams.values()] == ["kafka"]
