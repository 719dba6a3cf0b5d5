"""The files that globs mean are the same to the source, to `check`, to `retrain` and to the guard against feedback."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.plugins.matching import matches, would_read
from monitor.sources.file_tail import Config


@pytest.mark.parametrize(
    ("exclude", "path", "read"),
    [
        ([], "/logs/a.log", True),
        ([], "/logs/a.txt", False),
        ([], "/logs/deep/a.log", False),  # a star stays within one directory
        ([], "/logs/.hidden.log", False),
        (["a.*"], "/logs/a.log", False),  # without a slash: the name alone
        (["/logs/a*"], "/logs/a.log", False),
        (["/other/a*"], "/logs/a.log", True),
    ],
)
def test_a_source_would_read_what_is_included_and_not_excluded(exclude: list[str], path: str, read: bool) -> None:
    assert would_read(Config(include=["/logs/*.log"], exclude=exclude), path) is read


def test_what_reads_no_files_reads_none() -> None:
    assert not would_read(object(), "/logs/a.log")


def test_of_the_files_that_are_there_the_excluded_ones_are_passed_over(tmp_path: Path) -> None:
    for name in ("a.log", "b.log", "b.txt"):
        (tmp_path / name).touch()
    pattern = f"{tmp_path}/*.log"

    assert list(matches(pattern, Config(include=[pattern], exclude=["b.*"]))) == [f"{tmp_path}/a.log"]
