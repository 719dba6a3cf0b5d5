"""Start, stop, reload, swap models, end of input: what an operator does to the daemon."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.model.bundle import verify
from monitor.model.publishing import publish
from tests.e2e.support import Site, aemonitor, wait_for

pytestmark = pytest.mark.timeout(300)


def reading(number: int, **changes: object) -> str:
    return json.dumps({"seq": number, "level": 20.0 + number % 17, "mode": "abc"[number % 3], **changes})


def append(log: Path, *lines: str) -> None:
    with log.open("a") as out:
        out.write("".join(line + "\n" for line in lines))


def current(site: Site) -> str:
    return (site.state / "models" / site.stream / "current").read_text().strip()


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A stream that learned once, for all tests."""
    site = configured(tmp_path_factory.mktemp("models"))
    benign = site.root / "benign.jsonl"
    append(benign, *(reading(number) for number in range(3_000)))
    site.retrain(benign)
    return site


def configured(root: Path) -> Site:
    site = Site(root)
    site.configure("json_lines", ["level: numeric", "mode: categorical"])
    return site


@pytest.fixture
def site(tmp_path: Path, learned: Site) -> Site:
    """A trained stream whose log is still empty."""
    site = configured(tmp_path)
    shutil.copytree(learned.state / "models", site.state / "models")
    shutil.copy(learned.root / "benign.jsonl", site.root)
    site.log.touch()
    return site


@pytest.fixture
def running(site: Site) -> Site:  # noqa: RUF100
    """The same with the daemon ready."""
    site.start_and_wait()
    return site


def test_a_planted_fault_becomes_an_explained_alert_in_the_file(running: Site) -> None:
    try:
        append(running.log, *(reading(n) for n in range(200)), reading(200, level=900.0))
        wait_for(running.alerts_file.exists, "the alert")
        wait_for(lambda: running.metric("records_scored_total") == 201, "all records")
        assert running.stop() == 0
    finally:
        running.close()

    alert = json.loads(running.alerts_file.read_text())
    assert alert["schema"] == "aemonitor.alert/v1"
    assert (alert["fields"][0]["name"], alert["fields"][0]["actual"]) == ("level", 900.0)
    assert alert["score"]["l1"] > 1
    assert json.loads(alert["raw"])["seq"] == 200
    assert "level is 900" in alert["summary"]


def test_sigterm_drains_and_a_restart_goes_on_where_it_was(running: Site) -> None:
    try:
        append(running.log, *(reading(n) for n in range(5_000)))
        wait_for(lambda: running.metric("records_read_total") > 0, "the first record")
        assert running.stop(within_seconds=5) == 0
        append(running.log, *(reading(n) for n in range(100)))
        running.start_and_wait()
        wait_for(lambda: running.metric("records_scored_total") == 5_100, "every record once")
        assert running.stop() == 0
    finally:
        running.close()


def test_sighup_takes_up_a_new_threshold_and_keeps_the_old_one_when_the_file_is_wrong(running: Site) -> None:
    text = running.config.read_text()
    try:
        running.config.write_text(text.replace("alert: {", "alert: {threshold: 1.0e+9, "))
        running.hang_up()
        wait_for(lambda: running.metric("threshold") == 1e9, "the new threshold")
        running.config.write_text(text.replace("model:", "modle:"))
        running.hang_up()
        wait_for(lambda: running.metric("config_last_reload_successful") == 0, "the failed reload")
        assert running.metric("threshold") == 1e9
        append(running.log, reading(1, level=900.0))
        wait_for(lambda: running.metric("records_scored_total") == 1, "the record")
        assert running.metric("alerts_total") == 0
        assert running.stop() == 0
    finally:
        running.close()


def test_a_reload_while_nothing_can_be_committed_is_refused_and_the_daemon_goes_on(running: Site) -> None:
    other = sqlite3.connect(running.state / "ledger.sqlite3", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        append(running.log, reading(1))
        wait_for(lambda: running.metric("records_in_flight") == 1, "a record that cannot be committed")
        text = running.config.read_text()
        text = text.replace("rotate_grace_seconds: 1.0", "rotate_grace_seconds: 2.0")  # the source is to be opened anew
        running.config.write_text(text.replace("alert: {", "alert: {threshold: 1.0e+9, "))
        running.hang_up()
        wait_for(lambda: running.metric("config_last_reload_successful") == 0, "the refused reload")
        other.execute("ROLLBACK")
        wait_for(lambda: running.metric("records_scored_total") == 1, "the record")
        assert "what was read could not be committed within 4 seconds" in (running.root / "daemon.log").read_text()
        assert running.metric("threshold") == 1
        running.hang_up()
        wait_for(lambda: running.metric("threshold") == 1e9, "the new threshold")
        append(running.log, reading(2))
        wait_for(lambda: running.metric("records_scored_total") == 2, "the next record")
        assert running.stop() == 0
    finally:
        other.close()
        running.close()


def test_a_new_sink_is_refused_while_it_cannot_be_noted_and_the_daemon_goes_on(running: Site) -> None:
    other = sqlite3.connect(running.state / "ledger.sqlite3", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        running.config.write_text(running.config.read_text().replace("[file]", "[copy]").replace("  file:", "  copy:"))
        running.hang_up()
        wait_for(lambda: running.metric("config_last_reload_successful") == 0, "the refused reload")
        other.execute("ROLLBACK")
        running.hang_up()
        wait_for(lambda: running.metric("config_last_reload_successful") == 1, "the reload")
        append(running.log, reading(1, level=900.0))
        wait_for(running.alerts_file.exists, "the alert")
        assert running.stop() == 0
    finally:
        other.close()
        running.close()


def test_a_new_model_is_taken_up_without_a_restart_and_without_losing_a_record(running: Site) -> None:
    benign = running.root / "benign.jsonl"
    before = running.metrics()
    try:
        append(running.log, *(reading(n) for n in range(1_000)))
        running.retrain(benign)
        version = current(running)
        wait_for(lambda: f'version="{version}"' in running.metrics(), "the new model")
        append(running.log, *(reading(n) for n in range(1_000)))
        wait_for(lambda: running.metric("records_scored_total") == 2_000, "every record once")
        assert version not in before
        assert running.stop() == 0
    finally:
        running.close()


def test_a_damaged_model_is_refused_and_the_old_one_goes_on(running: Site) -> None:
    models = running.state / "models" / running.stream
    try:
        good = current(running)
        running.retrain(running.root / "benign.jsonl")
        wait_for(lambda: f'version="{good}"' not in running.metrics(), "the second model")
        second = current(running)
        weights = models / good / "weights.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1] + b"\xff")
        (models / "next").write_text(f"{good}\n")
        (models / "next").rename(models / "current")
        wait_for(lambda: running.metric("model_refusals_total") == 1, "the refusal")
        assert f'version="{second}"' in running.metrics()
        append(running.log, reading(1))
        wait_for(lambda: running.metric("records_scored_total") == 1, "the record")
        assert running.stop() == 0
    finally:
        running.close()


def test_a_model_that_scores_by_masked_fields_alerts_explains_and_goes_on_when_the_next_one_is_bad(site: Site) -> None:
    models, text = site.state / "models", site.config.read_text()
    site.config.write_text(text.replace("{epochs: 20}", "{epochs: 20, masking: 0.1}\n    score: {method: masked}"))
    site.retrain(site.root / "benign.jsonl")
    good = verify(models / "web" / current(site))
    try:
        site.start_and_wait()
        assert 'method="masked"' in site.metrics()
        tensors = {name: tensor.clone() for name, tensor in good.contents.evidence.items()}
        tensors["hidden.errors.knots"] = tensors["hidden.errors.knots"][:, 1:]
        publish(models, replace(good.contents, evidence=tensors), now=2e9)
        wait_for(lambda: site.metric("model_refusals_total") == 1, "the refusal")
        append(site.log, *(reading(n) for n in range(50)), reading(50, mode="z"), reading(51, level=900.0))
        wait_for(lambda: site.metric("records_scored_total") == 52, "all records")
        assert f'version="{good.version}"' in site.metrics()
        alerts = site.ledger_alerts()
        assert [alert["fields"][0]["name"] for alert in alerts] == ["mode", "level"]
        assert b"level" in aemonitor("explain", "-c", str(site.config), alerts[1]["id"]).stdout
        done = aemonitor("models", "verify", "-c", str(site.config), code=65)
        assert (
            b": evidence.safetensors: tensor 'hidden.errors.knots' has shape (2, 31), expected (2, 32)" in done.stderr
        )
        assert site.stop() == 0
    finally:
        site.close()


def test_a_damaged_pointer_to_the_model_does_not_end_the_daemon(running: Site) -> None:
    pointer = running.state / "models" / running.stream / "current"
    good = pointer.read_text()
    try:
        pointer.write_text("garbage\n")
        wait_for(lambda: running.metric("model_refusals_total") == 1, "the refusal")
        pointer.write_text(good)
        append(running.log, reading(1, level=900.0))
        wait_for(lambda: running.metric("records_scored_total") == 1, "the record")
        assert running.stop() == 0
    finally:
        running.close()


def test_standard_input_is_scored_to_its_end(site: Site) -> None:
    lines = "".join(reading(n, **({"level": 900.0} if n % 1000 == 0 else {})) + "\n" for n in range(20_000))

    aemonitor("run", "-c", str(site.config), "--stdin", "--stream", "web", stdin=lines.encode())

    alerts = [json.loads(line) for line in site.alerts_file.read_text().splitlines()]
    assert [json.loads(alert["raw"])["seq"] for alert in alerts] == list(range(0, 20_000, 1000))


def test_once_reads_what_is_there_and_says_by_its_exit_code_whether_it_alerted(site: Site) -> None:
    append(site.log, *(reading(n) for n in range(500)))
    aemonitor("run", "-c", str(site.config), "--once", "--fail-on-anomaly")
    append(site.log, reading(1, mode="zzz"))

    aemonitor("run", "-c", str(site.config), "--once", "--fail-on-anomaly", code=3)

    assert [alert["fields"][0]["name"] for alert in site.ledger_alerts()] == ["mode"]


def test_offline_scores_keep_the_order_of_the_input_and_name_the_fault(site: Site) -> None:
    lines = [reading(n, **({"level": 900.0} if n == 7 else {})) for n in range(20)]
    append(site.log, *lines)

    done = aemonitor("score", "-c", str(site.config), str(site.log))
    best = aemonitor("score", "-c", str(site.config), str(site.log), "--top", "1", "--format", "csv")

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["line"] for row in rows] == list(range(1, 21))
    assert [row["line"] for row in rows if row["alert"]] == [8]
    assert "level is 900" in rows[7]["summary"]
    assert best.stdout.splitlines()[1].split(b",")[1] == b"8"


def test_published_models_are_listed_shown_and_verified(site: Site) -> None:
    listed = json.loads(aemonitor("models", "list", "-c", str(site.config), "--json").stdout)
    assert [(row["stream"], row["current"], row["records"]) for row in listed] == [("web", True, 3000)]
    assert b"web" in aemonitor("models", "show", "-c", str(site.config)).stdout
    assert aemonitor("models", "verify", "-c", str(site.config)).stdout.endswith(b": ok\n")

    weights = site.state / "models" / "web" / current(site) / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])

    done = aemonitor("models", "verify", "-c", str(site.config), code=65)
    assert b"weights.safetensors: truncated" in done.stderr
    assert b"truncated" in aemonitor("run", "-c", str(site.config), "--once", code=65).stderr


def test_a_second_daemon_on_the_same_state_directory_is_turned_away(running: Site) -> None:
    try:
        done = aemonitor("run", "-c", str(running.config), code=75)
        assert str(running.state) in done.stderr.decode()
    finally:
        running.close()


def test_a_stream_that_would_read_its_own_alerts_is_refused(site: Site) -> None:
    site.alerts_file = site.log.parent / "alerts.jsonl"
    site.configure("json_lines", ["level: numeric", "mode: categorical"], include=str(site.log.parent / "*"))

    done = aemonitor("run", "-c", str(site.config), "--once", code=2)

    assert "sink file writes" in done.stderr.decode()


def test_without_a_model_the_daemon_says_what_to_do(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.configure("json_lines", ["level: numeric"])

    done = aemonitor("run", "-c", str(site.config), code=75)

    assert "aemonitor retrain --stream web" in done.stderr.decode()


def test_bad_input_neither_stops_nor_fools_the_daemon(running: Site) -> None:
    garbage = [
        b"not json", b"\x00\xff\xfe binary \x80", b'{"level": NaN, "mode": "a"}', b'{"level": Infinity, "mode": "a"}',
        b'{"mode": "a"}', b'{"level": 21, "mode": "a", "new": 1}', b"", b"[1, 2]", b'{"level": "high", "mode": "a"}',
        b'{"level": 21, "mode": "' + b"x" * 10_000_000 + b'"}',
    ]  # fmt: skip
    try:
        with running.log.open("ab") as out:
            out.write(b"".join(line + b"\n" for line in garbage))
        append(running.log, *(reading(n) for n in range(100)))
        wait_for(lambda: running.metric("records_read_total") == 110, "all lines")
        wait_for(lambda: running.metric("records_in_flight") == 0, "all commits")
        unparsed, scored = running.metric("records_unparsed_total"), running.metric("records_scored_total")
        dead, cut = running.metric("dead_letters_total"), running.metric("truncated_records_total")
        assert running.stop() == 0
    finally:
        running.close()

    # Not an object, not JSON, binary, empty, and the record of 10 MB whose cut-off text is no JSON any more.
    assert (unparsed, scored, dead, cut) == (5, 105, 5, 1)
    blamed = [alert["fields"][0]["name"] for alert in running.ledger_alerts()]
    assert blamed == ["level"] * 4  # NaN, Infinity, missing, text; a new field is not the model's matter


def test_the_alert_file_survives_logrotate_style_renames(running: Site) -> None:
    try:
        append(running.log, reading(1, level=900.0))
        wait_for(
            lambda: running.alerts_file.exists() and running.alerts_file.read_bytes().count(b"\n") == 1, "one alert"
        )
        moved = running.alerts_file.with_name("alerts.jsonl.1")
        running.alerts_file.rename(moved)
        append(running.log, reading(2, level=901.0))
        wait_for(
            lambda: running.alerts_file.exists() and running.alerts_file.read_bytes().count(b"\n") == 1, "the second"
        )
        assert running.stop() == 0
    finally:
        running.close()

    assert [json.loads(json.loads(f.read_text())["raw"])["seq"] for f in (moved, running.alerts_file)] == [1, 2]


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "monitor", "--version"], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("aemonitor")
