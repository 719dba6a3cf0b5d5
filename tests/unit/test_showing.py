"""What commands find is shown as lines or as JSON by one rule, and nothing in it reaches the terminal."""

from __future__ import annotations

import json

import pytest

from monitor.cli.showing import show

EVIL = "a\x1b[2J\x9b\n\u202eb"


def test_json_is_one_line_that_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    asked = (pytest.fail(f"nobody asked for {line}") for line in ["a line"])
    show({"text": EVIL}, asked, as_json=True)

    (line,) = capsys.readouterr().out.splitlines()
    assert line.isprintable()
    assert json.loads(line) == {"text": EVIL}


def test_lines_are_lines_whatever_stands_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    show(None, [EVIL, "x" * 5_000], as_json=False)

    first, second = capsys.readouterr().out.splitlines()
    assert first == r"a\x1b[2J\x9b\n\u202eb"
    assert len(second) == 1_000
