"""What one run of the bench does."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

GROUPS = ("tabular", "servers", "hdfs", "web", "digits", "nab", "cost")
SLOW = ("noise",)


@dataclass(frozen=True, slots=True)
class Options:
    """``only`` are the groups to measure, ``fresh`` says that remembered results of peers are measured again."""

    only: tuple[str, ...]
    seeds: int
    peers: bool
    fresh: bool

    @property
    def whole(self) -> bool:
        """Whether all that the page shows is measured."""
        return set(GROUPS) <= set(self.only) and self.peers and self.seeds == 3


def parse(arguments: list[str] | None = None) -> Options:
    """Options of the command line.

    Raises:
        SystemExit: a group is not known.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benches.quality",
        description="Detection quality on all labelled sets, beside well-known detectors; a whole run writes "
        "docs/quality.md, every run bench-out/quality.json.",
    )
    parser.add_argument("--only", metavar="GROUP,...", type=_groups, help=f"of {', '.join(GROUPS + SLOW)}")
    parser.add_argument("--product-only", action="store_true", help="no peers")
    parser.add_argument("--quick", action="store_true", help="one seed, no peers, no digits")
    parser.add_argument("--slow", action="store_true", help="also the corrupted digits: minutes of training")
    parser.add_argument("--fresh", action="store_true", help="measure the peers again instead of remembering")
    given = parser.parse_args(arguments)
    groups = [group for group in GROUPS if not (given.quick and group == "digits")] + list(SLOW * given.slow)
    return Options(
        only=given.only or tuple(groups),
        seeds=1 if given.quick else 3,
        peers=not (given.quick or given.product_only),
        fresh=given.fresh,
    )


def _groups(text: str) -> tuple[str, ...]:
    groups = tuple(text.split(","))
    if unknown := set(groups) - set(GROUPS + SLOW):
        raise argparse.ArgumentTypeError(f"no such group: {', '.join(sorted(unknown))}")
    return groups
