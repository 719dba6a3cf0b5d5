"""Which files the globs of a source mean: its `include` less its `exclude`, as the source itself understands them."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence

from monitor.sources._patterns import excluded, parse, parse_exclusion


def patterns(options: object) -> list[str]:
    """The globs of what a source reads; none where it reads no files."""
    return [str(pattern) for pattern in getattr(options, "include", ())]


def would_read(options: object, path: str) -> bool:
    """Whether a source with these options reads the file of this absolute path, or would if it were there."""
    included = any(parse(pattern).matches(path) for pattern in patterns(options))
    return included and not _excluded(path, options)


def matches(pattern: str, options: object) -> Iterator[str]:
    """What there is of one of the patterns and not excluded, as paths, in no order."""
    found = glob.iglob(pattern, recursive=True)  # noqa: PTH207 - the pattern may be absolute
    return (path for path in found if not _excluded(path, options))


def _excluded(path: str, options: object) -> bool:
    exclude: Sequence[object] = getattr(options, "exclude", ())
    return excluded(path, tuple(parse_exclusion(str(pattern)) for pattern in exclude))
