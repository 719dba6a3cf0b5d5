"""Logs behind symbolic links: what is rotated away of one lies beside the file, and not beside the link.

So it is on every node of Kubernetes: the names in /var/log/containers are links, and files are renamed where these
lead to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from monitor.sources._siblings import is_rotated_name


def places(path: str) -> Iterator[str]:
    """Where a log stands: its path, and if that is a link the path of the file that it leads to."""
    yield path
    if os.path.islink(path):  # noqa: PTH114 - paths are text here
        yield os.path.realpath(path)


def around(path: str) -> list[str]:
    """The directories in which parts of a log may be, each once."""
    return list(dict.fromkeys(os.path.dirname(place) for place in places(path)))  # noqa: PTH120 - paths are text here


def older_part_of(log: str) -> Callable[[str], bool]:
    """Tells of a path whether it is what rotation makes of this log, or of the file behind its link."""
    names = tuple(places(log))
    return lambda path: any(is_rotated_name(path, name) for name in names)
