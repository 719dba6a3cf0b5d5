"""``python -m benches.quality``: all labelled sets, the product beside its peers, and the tables of docs/quality.md."""

from __future__ import annotations

import os
from pathlib import Path

from .options import parse

ROOT = Path(__file__).resolve().parent.parent.parent
OUT = ROOT / "bench-out"
PAGE = ROOT / "docs" / "quality.md"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def main() -> None:
    """Libraries of numbers are imported after the number of threads is set, or they would not heed it."""
    options = parse()
    os.environ |= ONE_THREAD
    import msgspec

    from . import bench, table
    from .memory import Memory

    OUT.mkdir(exist_ok=True)
    figures = bench.run(options, Memory(OUT / "quality-peers.json", fresh=options.fresh))
    (OUT / "quality.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures)))
    print(*table.page(figures), sep="\n")
    if options.whole:
        table.write(PAGE, figures)


if __name__ == "__main__":
    main()
