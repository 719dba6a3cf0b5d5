"""What the daemon keeps of benign traffic outlives its death and is enough to learn from; labels are heeded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.core.records import Field, FieldType
from monitor.reservoir.columns import records_of
from monitor.reservoir.files import Day, read_days
from tests.e2e.support import Site, aemonitor, wait_for

pytestmark = pytest.mark.timeout(600)

BEGUN = datetime(2026, 1, 5, tzinfo=UTC)
FEATURES = ["level: numeric", "mode: categorical", "note: text"]
EXTRA = "time: {field: at}\nkey: host\nalert: {threshold: 2.0, episode_gap_seconds: 60}\nscore: {method: l1}"
ROOM = "\nreservoir: {max_records: 200000}"
FIELDS = [Field("level", FieldType.NUMBER), Field("mode", FieldType.TEXT), Field("note", FieldType.TEXT)]
FAULT = {"level": 5000.0, "host": "h9"}
FIRST, MORE = 3000, 1000


def line(number: int, **changes: object) -> bytes:
    """One reading a second, of four hosts; its note has a secret of its own."""
    facts = {
        "at": (BEGUN + timedelta(seconds=number)).isoformat(),
        "host": f"h{number % 4}",
        "level": 20.0 + number % 17,
        "mode": "abc"[number % 3],
        "note": f"login ok password=hunter{number}x",
    }
    return json.dumps(facts | changes).encode() + b"\n"


def lines(first: int, count: int) -> bytes:
    return b"".join(map(line, range(first, first + count)))


def append(site: Site, data: bytes) -> None:
    with site.log.open("ab") as log:
        log.write(data)


def kept(site: Site) -> list[tuple[float, str, str]]:
    """Time, host and note of every record of the sample."""
    days = [day for _, day in read_days(site.state / "reservoir" / "web", FIELDS)]
    batches = [records_of(day.table, FIELDS, timed=True, keyed=True) for day in days if isinstance(day, Day)]
    return [
        (float(time), str(key), str(note))
        for batch in batches
        if batch.times is not None
        for time, key, note in zip(batch.times, batch.keys or (), batch.columns[FIELDS[2]], strict=True)
    ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose daemon saw benign records and a fault, was ended, started again, killed and ended again."""
    site = Site(tmp_path_factory.mktemp("reservoir"))
    site.configure("json_lines", FEATURES, extra=EXTRA + ROOM)
    benign = site.root / "benign.jsonl"
    benign.write_bytes(lines(0, FIRST))
    site.retrain(benign)
    append(site, lines(0, FIRST) + line(FIRST, **FAULT) + line(FIRST + 30, host="h9") + line(FIRST + 600, host="h9"))
    scored = FIRST + 3
    try:
        site.start_and_wait()
        wait_for(lambda: site.metric("records_scored_total") >= scored, "the first records")
        assert site.stop(within_seconds=60) == 0
        for stop in (site.kill, lambda: site.stop(within_seconds=60)):
            append(site, lines(scored + 1000, MORE))
            scored += MORE
            site.start_and_wait()
            wait_for(lambda upto=scored: site.metric("records_scored_total") >= upto, "more records")  # type: ignore[misc]
            stop()
        yield site
    finally:
        site.close()


def test_a_kill_costs_what_was_not_saved_and_nothing_else(site: Site) -> None:
    times = [round(time - BEGUN.timestamp()) for time, _, _ in kept(site)]
    first, killed = FIRST + 3 + 1000, FIRST + 3 + 1000 + MORE

    assert len(times) == len(set(times))
    assert set(range(FIRST)) | set(range(killed, killed + MORE)) <= set(times)
    assert len([time for time in times if first <= time < killed]) in (0, MORE)


def test_what_alerted_is_left_out_and_what_its_key_did_meanwhile(site: Site) -> None:
    hosts = [round(time - BEGUN.timestamp()) for time, host, _ in kept(site) if host == "h9"]

    assert hosts == [FIRST + 600]


def test_no_secret_is_kept_or_sent(site: Site) -> None:
    (alert,) = site.ledger_alerts()

    assert "password=[redacted]" in alert["raw"]
    assert {note for _, _, note in kept(site)} == {"login ok password=[redacted]"}
    stored = [path for path in site.root.rglob("*") if path.is_file() and path.parent != site.log.parent]
    assert not [path for path in stored if f"hunter{FIRST}x".encode() in path.read_bytes()]


def test_a_model_is_learned_from_the_sample_alone_and_finds_a_fault(site: Site) -> None:
    done = aemonitor("retrain", "-c", str(site.config), "--force", "--json")

    (report,) = json.loads(done.stdout)
    assert f": {len(kept(site)):,} records from 2026-01-05 00:00+00:00 to 2026-01-05 0" in done.stderr.decode()
    assert report["published"]
    probe = site.root / "probe.jsonl"
    probe.write_bytes(lines(0, 50) + line(50, level=900.0) + line(51, mode="never seen"))
    found = aemonitor("score", "-c", str(site.config), str(probe), "--top", "2", "--format", "jsonl")
    assert b'"actual":900' in found.stdout
    assert b"never seen" in found.stdout


def test_labels_are_given_while_the_daemon_runs_and_shown(site: Site) -> None:
    (alert,) = site.ledger_alerts()
    site.start_and_wait()
    try:
        given = aemonitor("alerts", "label", "-c", str(site.config), alert["id"][:6], "anomaly", "--note", "a drill")
        aemonitor("alerts", "label", "-c", str(site.config), alert["id"], "benign", "--note", "all is well")
        listed = aemonitor("alerts", "list", "-c", str(site.config))
        shown = aemonitor("alerts", "show", "-c", str(site.config), alert["id"][:6])
        missing = aemonitor("alerts", "label", "-c", str(site.config), "zz", "benign", code=66)
    finally:
        site.stop(within_seconds=60)

    assert given.stdout.decode() == f"{alert['id'][:8]}  anomaly\n"
    assert b"[benign] " in listed.stdout
    assert json.loads(shown.stdout)["label"]["note"] == "all is well"
    assert b"no alert has an id that begins with 'zz'" in missing.stderr


def test_a_sample_that_is_asked_for_and_not_there_is_told_of(site: Site, tmp_path: Path) -> None:
    config = tmp_path / "aemonitor.yaml"
    config.write_text(site.config.read_text().replace(str(site.state), str(tmp_path / "state")))

    done = aemonitor("retrain", "-c", str(config), "--reservoir", code=66)

    assert b"stream web: the reservoir has no record to learn from; the daemon fills it" in done.stderr
