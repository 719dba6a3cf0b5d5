"""Differential fuzzing: native code must say of every line what the library parser says, bit by bit.

Lines of made-up writers, with odd values and layouts and with bytes changed at random, then whatever hypothesis thinks
of, and places of lines that lie outside of the block. C runs under the address and undefined behaviour sanitizers, Rust
with its own checks; both see a copy of each block that ends where the block ends. The first difference and the first
byte read outside of it end the run.

Usage: PYTHONPATH=benches python -m native.fuzz [--lines 1000000] [--examples 2000] [--seed 1] [--language c|rust]
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from monitor.core.protocols import Parser
from monitor.core.records import Field, FieldType, RawBatch
from monitor.parsers.access_log import AccessLogParser
from monitor.parsers.json_lines import JsonLines

from .access_log import NativeAccessLog
from .building import CHECKED, HERE, RUST_CHECKED, library, rust_library
from .columns import copied
from .comparing import batch_of, difference
from .json_lines import NativeJsonLines
from .writers import AccessWriter, JsonWriter, spoiled

BATCH_SIZES = (1, 7, 64, 256)
"""Lines of the batches of one writer; a batch of one line ends where its block ends."""
SORTS = ("usual", "odd", "bytes changed", "huge")
LARGEST_RUN = 1 << 14
"""Bytes that may stand for one in a huge line."""
Native = NativeJsonLines | NativeAccessLog


@dataclass
class Count:
    """Lines of each sort, and how many of them native code read itself."""

    lines: Counter[str] = field(default_factory=Counter[str])
    recognised: Counter[str] = field(default_factory=Counter[str])

    def add(self, sorts: Sequence[str], recognised: Sequence[int]) -> None:
        """Count a batch."""
        self.lines.update(sorts)
        self.recognised.update(sort for sort, known in zip(sorts, recognised, strict=True) if known)

    def table(self) -> str:
        """One line a sort, and their sum."""
        rows = [f"{sort:28}{count:12,}{self.recognised[sort]:14,}" for sort, count in sorted(self.lines.items())]
        total = f"{'all':28}{self.lines.total():12,}{self.recognised.total():14,}"
        return "\n".join((f"{'':28}{'lines':>12}{'native':>14}", *rows, total))


def compare(native: Native, other: Parser, raw: RawBatch) -> None:
    """Ends the run where the two disagree."""
    if found := difference(native.parse(raw), other.parse(raw)):
        raise SystemExit(f"not the same: {found}\n{raw.data!r}")


def json_pair(checked: ctypes.CDLL, fields: Sequence[Field]) -> tuple[Native, Parser]:
    """Both parsers of JSON Lines."""
    return NativeJsonLines(fields, native=checked, view=copied, least_share=0), JsonLines(fields)


def pair_of(checked: ctypes.CDLL, writer: JsonWriter | AccessWriter, draw: random.Random) -> tuple[Native, Parser]:
    """Both parsers of what a writer writes, for some fields."""
    fields = writer.fields(draw)
    if isinstance(writer, JsonWriter):
        return json_pair(checked, fields)
    return NativeAccessLog(fields, native=checked, view=copied, least_share=0), AccessLogParser("auto", fields)


def some_writer(checked: ctypes.CDLL, draw: random.Random) -> JsonWriter | AccessWriter:
    """Three in four write JSON Lines, and all where there is no code for access logs."""
    return AccessWriter() if draw.random() < 0.25 and hasattr(checked, "access_log_scan") else JsonWriter.drawn(draw)


def written(draw: random.Random, writer: JsonWriter | AccessWriter, *, usual: bool) -> tuple[str, bytes]:
    """A line and its sort; where it shall be ``usual``, as what is learned from should, it mostly is."""
    sort = draw.choices(SORTS, weights=(280, 10, 10, 0) if usual else (30, 35, 35, 0.02))[0]
    match sort:
        case "usual":
            return sort, writer.usual(draw)
        case "odd":
            return sort, writer.odd(draw)
        case "bytes changed":
            return sort, spoiled(draw, writer.usual(draw))
        case _:
            return sort, writer.usual(draw).replace(b"a", b"a" * draw.randint(1, LARGEST_RUN))


def unicode(line: bytes) -> bytes:
    """As framing hands it over: the access log's parser relies on it, JSON Lines looks for itself."""
    return line.decode("utf-8", errors="replace").encode()


def random_lines(checked: ctypes.CDLL, count: Count, lines: int, draw: random.Random) -> None:
    """Batches of one writer after the other until so many lines were compared."""
    wanted = count.lines.total() + lines
    while count.lines.total() < wanted:
        writer = some_writer(checked, draw)
        native, other = pair_of(checked, writer, draw)
        name, prepared = ("json", bytes) if isinstance(writer, JsonWriter) else ("access log", unicode)
        for size in BATCH_SIZES:
            made = [written(draw, writer, usual=not place) for place in range(size)]
            raw = batch_of([prepared(line) for _, line in made])
            compare(native, other, raw)
            count.add([f"{name}, {sort}" for sort, _ in made], native.recognised(raw).tolist())


KINDS = (FieldType.NUMBER, FieldType.TEXT)
plain = st.text(st.characters(codec="ascii", min_codepoint=32), max_size=20)
numbers = st.one_of(
    st.integers(-(10**17), 10**17), st.integers(), st.floats(), st.decimals(-1000, 1000, places=3).map(float)
)
columns = st.sampled_from(
    [numbers, numbers, plain, st.one_of(plain, st.text(max_size=20), st.none(), numbers, st.booleans())]
)
keys = st.lists(
    st.text(st.characters(codec="ascii", min_codepoint=32, exclude_characters='"\\'), max_size=8), unique=True
)


@st.composite
def json_batches(draw: st.DrawFn) -> tuple[list[Field], list[bytes]]:
    """Objects of the same keys among arbitrary bytes, and some of their fields."""
    names = draw(keys.filter(bool))
    rows = st.fixed_dictionaries({name: draw(columns) for name in names})
    escaped, layout = draw(st.booleans()), draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    texts = rows.map(lambda row: json.dumps(row, ensure_ascii=escaped, separators=layout).encode(errors="replace"))
    lines = draw(st.lists(st.one_of(texts, texts, texts, st.binary(max_size=40)), min_size=1, max_size=30))
    asked = draw(
        st.lists(st.tuples(st.sampled_from(names), st.sampled_from(KINDS)), min_size=1, max_size=3, unique=True)
    )
    return [Field(name, kind) for name, kind in asked], lines


def thought_of(checked: ctypes.CDLL, count: Count, examples: int) -> None:
    """What hypothesis comes up with."""
    quick = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )

    @quick
    @given(json_batches())
    def same(batch: tuple[list[Field], list[bytes]]) -> None:
        fields, lines = batch
        raw = batch_of(lines)
        native, other = json_pair(checked, fields)
        compare(native, other, raw)
        count.add(["json, hypothesis"] * len(lines), native.recognised(raw).tolist())

    same()


def outside(checked: ctypes.CDLL, draw: random.Random, batches: int) -> int:
    """Places of lines that do not lie in the block must be refused: how many lines had some."""
    refused = 0
    for _ in range(batches):
        writer = some_writer(checked, draw)
        raw = batch_of([writer.usual(draw) for _ in range(8)])
        native, _ = pair_of(checked, writer, draw)
        edges = np.array(draw.choices((-(2**63), -1, 0, len(raw.data), len(raw.data) + 1, 2**31, 2**63 - 1), k=14))
        wild = replace(raw, starts=np.append(raw.starts[:1], edges[:7]), ends=np.append(raw.ends[:1], edges[7:]))
        inside = (wild.starts >= 0) & (wild.starts <= wild.ends) & (wild.ends <= len(raw.data))
        if native.recognised(wild)[~inside].any():
            raise SystemExit("a line outside of its block was read")
        refused += int((~inside).sum())
    return refused


def under_sanitizers() -> None:
    """Start again with the sanitizer's runtime loaded first, and every object in memory of its own."""
    if "LD_PRELOAD" in os.environ:
        return
    runtime = subprocess.check_output(["gcc", "-print-file-name=libasan.so"], text=True).strip()
    asked = {"LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"}
    os.execve(sys.executable, [sys.executable, "-m", "native.fuzz", *sys.argv[1:]], os.environ | asked)


def main() -> None:
    """Fuzz, and print how many lines of each sort were the same."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lines", type=int, default=1_000_000)
    options.add_argument("--examples", type=int, default=2_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--language", choices=("c", "rust"), default="c")
    options.add_argument("--sources", type=Path, default=HERE, help="the native code, to see a broken copy found out")
    given_options = options.parse_args()
    if given_options.language == "c":
        under_sanitizers()
    sources = given_options.sources
    checked = library(CHECKED, sources) if given_options.language == "c" else rust_library(RUST_CHECKED, sources)
    draw, count = random.Random(given_options.seed), Count()
    print(f"{outside(checked, draw, 2_000):,} lines outside of their block refused", flush=True)
    thought_of(checked, count, given_options.examples)
    random_lines(checked, count, given_options.lines, draw)
    print(count.table())


if __name__ == "__main__":
    main()
