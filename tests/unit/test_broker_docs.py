"""What the page of the brokers says to write can be written so, and the examples that it names are configurations."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.plugins import load_config, load_config_text
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "howto" / "brokers.md").read_text()


@pytest.mark.parametrize("block", re.findall(r"^```yaml\n(streams:.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
def test_every_example_is_a_configuration(block: str) -> None:
    assert load_config_text(block, "example", {}).streams


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\(\.\./\.\./config/examples/(\w+\.yaml)\)", PAGE))))
def test_every_file_of_examples_is_a_configuration(name: str) -> None:
    assert load_config(Path(REPOSITORY / "config" / "examples" / name)).streams
