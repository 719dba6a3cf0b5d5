"""A gigabyte without the end of a line: the memory stays as it is, each byte is counted, the next line is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.ingest.framing import MAX_RECORD_BYTES
from tests.e2e.support import wait_for
from tests.e2e.test_stall import BUDGET_MB, resident_mb
from tests.e2e.traffic import demand_each_once, line, lines, trained

PIECE_BYTES = 1 << 20


def endless(root: Path, models: Path, pieces: int) -> None:
    site = trained(root, models)
    with site.log.open("ab", buffering=0) as log:
        log.write(lines(100))
        site.start_and_wait()
        wait_for(lambda: site.metric("records_scored_total") == 100, "the lines before")
        before = resident_mb(site)
        seen: list[float] = []

        def look() -> float:
            seen.append(resident_mb(site))
            return site.metric("records_scored_total")

        try:
            for _ in range(pieces):
                log.write(b"x" * PIECE_BYTES)
                look()
            log.write(b"\n" + line(100))
            wait_for(lambda: look() == 101, "the line behind it")

            assert max(seen) < before + BUDGET_MB
            assert site.metric("truncated_records_total") == 1
            assert site.metric("truncated_bytes_total") == pieces * PIECE_BYTES - MAX_RECORD_BYTES
            assert site.metric("records_unparsed_total") == 1
            assert site.metric("records_read_total") == 102
            assert site.stop(within_seconds=60) == 0
        finally:
            site.close()
    demand_each_once(site, 101)
    print(f"{pieces} MiB without a line end: {max(seen) - before:.0f} MB more than before, all bytes counted")


@pytest.mark.timeout(300)
def test_a_line_of_many_megabytes_is_cut_in_bounded_memory(tmp_path: Path, models: Path) -> None:
    endless(tmp_path, models, 64)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_gigabyte_without_a_line_end_is_cut_in_bounded_memory(tmp_path: Path, models: Path) -> None:
    endless(tmp_path, models, 1024)
