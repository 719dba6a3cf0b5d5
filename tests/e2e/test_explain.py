"""`aemonitor explain` as users call it: of an alert, by its own model, and of any line."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import execute
from monitor.training import panel_fitting

pytestmark = pytest.mark.timeout(300)

CONFIG = """
state_dir: {root}/state
device: cpu
server: {{listen: none}}
streams:
  web:
    source: {{file_tail: {{include: [{root}/web.log]}}}}
    parser: json_lines
    features: {{size: numeric, route: categorical, note: text}}
    model: {{epochs: 10}}
    score: {{average: 1}}
    alert: {{threshold: 1.5, tell: records}}
    sinks: []
  plant:
    source: {{file_tail: {{include: [{root}/plant.log]}}}}
    parser: json_lines
    key: device
    features: {{level: streaming, mode: categorical}}
    model: {{epochs: 10}}
    score: {{average: 3}}
    alert: {{tell: records}}
    sinks: []
"""
SIZES = {"/": 100, "/cart": 900, "/pay": 5000}
LONG = 6000
"""Characters of a note that no alert keeps as a whole."""


def request(number: int, **changes: Any) -> dict[str, Any]:
    route = list(SIZES)[number % 3]
    facts = {"size": SIZES[route] + number * 37 % 11, "route": route, "note": f"hello {number % 5}", "id": number}
    return facts | changes


def reading(number: int, **changes: Any) -> dict[str, Any]:
    device = number % 3
    return {"device": f"d{device}", "level": device * 50 + number * 7 % 5, "mode": "ab"[number * 3 % 2]} | changes


def jsonl(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


FAULT = request(150, size=7777)
HOSTILE = request(151, note="a\x1b[2Jb", size=999_999)
CUT = request(152, note="x" * LONG, size=999_999)


@dataclass(frozen=True)
class Place:
    """A directory with two trained streams whose logs were read once, and the alerts that were raised."""

    root: Path
    config: Path
    alerts: list[dict[str, Any]]

    def id_of(self, record: dict[str, Any]) -> str:
        """The id of the alert of a record."""
        start = json.dumps(record)[:1000]
        (found,) = [alert["id"] for alert in self.alerts if alert["raw"].startswith(start)]
        return str(found)

    def versions(self, stream: str) -> list[Path]:
        return sorted(path for path in (self.root / "state" / "models" / stream).iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    root = tmp_path_factory.mktemp("explain")
    config = root / "aemonitor.yaml"
    config.write_text(CONFIG.format(root=root))
    for stream, make in (("web", request), ("plant", reading)):
        (root / f"{stream}.benign").write_text(jsonl(*map(make, range(900))))
    (root / "web.log").write_text(jsonl(*map(request, range(150)), FAULT, HOSTILE, CUT))
    (root / "plant.log").write_text(jsonl(*map(reading, range(150)), *(reading(n, level=900) for n in range(150, 153))))
    with pytest.MonkeyPatch.context() as patch:
        for steps in ("STEPS", "MORE_STEPS"):
            patch.setattr(panel_fitting, steps, 300)
        for stream in ("web", "plant"):
            learn = ["retrain", "-c", str(config), "--stream", stream, "--input", str(root / f"{stream}.benign")]
            assert execute(learn) == 0
    assert execute(["run", "-c", str(config), "--once"]) == 0
    listed = root / "alerts.jsonl"
    with pytest.MonkeyPatch.context() as patch, listed.open("w") as out:
        patch.setattr(sys, "stdout", out)
        assert execute(["alerts", "list", "-c", str(config), "--json", "--limit", "1000"]) == 0
    return Place(root, config, [json.loads(line) for line in listed.read_text().splitlines()])


Explain = Callable[..., tuple[str, str]]


@pytest.fixture
def explain(place: Place, capfd: pytest.CaptureFixture[str]) -> Explain:
    """Runs ``aemonitor explain`` and gives what it printed on stdout and on stderr."""

    def run(*arguments: str, code: int = 0) -> tuple[str, str]:
        capfd.readouterr()
        ended = execute(["explain", "-c", str(place.config), *arguments])
        out, err = capfd.readouterr()
        assert ended == code, err
        return out, err

    return run


def line_of(record: dict[str, Any]) -> tuple[str, ...]:
    return "--stream", "web", "--line", json.dumps(record)


# -- alerts ----------------------------------------------------------------------------------------------------


def test_an_alert_is_repeated_to_the_digit_by_its_own_model_and_every_field_shown(
    place: Place, explain: Explain
) -> None:
    told = json.loads(explain(place.id_of(FAULT)[:12], "--json")[0])

    alert, replay = told["alert"], told["replay"]
    assert replay["score"] == alert["score"]
    assert replay["model"] == alert["model"]
    assert replay["summary"] == alert["summary"]
    assert replay["fields"][: len(alert["fields"])] == alert["fields"]
    assert sorted(field["name"] for field in replay["fields"]) == ["note", "route", "size"]
    assert (replay["fields"][0]["name"], replay["fields"][0]["actual"]) == ("size", 7777)
    assert replay["unread"] == ["id"]
    assert told["notes"] == []


def test_the_alert_says_how_rare_its_record_and_its_field_are(place: Place) -> None:
    (alert,) = [alert for alert in place.alerts if alert["id"] == place.id_of(FAULT)]

    assert 0 < alert["score"]["p_value"] < 0.01
    assert alert["fields"][0]["rarity"] > 2
    assert "rarer than 1 in " in alert["summary"]


def test_the_text_begins_with_the_sentence_and_fits_the_terminal(place: Place, explain: Explain) -> None:
    out, err = explain(place.id_of(FAULT))

    assert out.startswith("web: size is 7777, expected about ")
    assert "replay  scored once more by the same model, with the same result\n" in out
    assert max(map(len, out.splitlines())) <= 100
    assert err == ""


def test_nothing_of_a_hostile_record_reaches_the_terminal(place: Place, explain: Explain) -> None:
    out, _ = explain(place.id_of(HOSTILE))

    assert r"a\x1b[2Jb" in out
    assert all(line.isprintable() for line in out.splitlines())


def test_the_fields_of_an_alert_that_had_a_past_are_those_it_told(place: Place, explain: Explain) -> None:
    alert = place.alerts[-1]
    assert alert["stream"] == "plant"

    out, _ = explain(alert["id"])
    told = json.loads(explain(alert["id"], "--json")[0])

    assert "'level' depends on earlier records" in " ".join(out.split())
    assert "the score of the alert is the mean of the last 3 of its key" in " ".join(out.split())
    assert alert["fields"][0]["reason"][:30] in out
    assert told["alert"] == alert
    assert told["replay"]["score"] != alert["score"]
    assert told["replay"]["past"] == ["level"]


def test_the_whole_of_a_record_that_was_cut_can_be_handed_over(
    place: Place, explain: Explain, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert_id = place.id_of(CUT)

    out, err = explain(alert_id, code=65)

    # What was cut is no JSON any more. The command that is named reads the record from its file.
    assert out.startswith("web: ")
    assert "replay  none; these are the figures that the alert itself keeps" in out
    command = err.partition("`")[2].partition("`")[0]
    tail, head, own = command.split(" | ")
    offset = int(tail.split()[2].removeprefix("+")) - 1
    assert tail.split()[3] == str(place.root / "web.log")
    assert head == "head -n 1"
    record = (place.root / "web.log").read_bytes()[offset:].partition(b"\n")[0]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(record + b"\n")))
    told = json.loads(explain(*own.split()[2:], "--json")[0])
    (alert,) = [alert for alert in place.alerts if alert["id"] == alert_id]
    assert told["replay"]["score"] == alert["score"]


def test_without_its_model_an_alert_still_tells_what_it_knows_and_another_model_may_be_asked(
    place: Place, explain: Explain, tmp_path: Path
) -> None:
    alert_id, (model,) = place.id_of(FAULT), place.versions("web")
    config = tmp_path / "aemonitor.yaml"
    shutil.copytree(place.root / "state", tmp_path / "state")
    config.write_text(place.config.read_text().replace(f"{place.root}/state", f"{tmp_path}/state"))
    models = tmp_path / "state" / "models" / "web"
    with pytest.MonkeyPatch.context() as patch:
        for steps in ("STEPS", "MORE_STEPS"):
            patch.setattr(panel_fitting, steps, 300)
        learn = ["retrain", "-c", str(config), "--stream", "web", "--input", str(place.root / "web.benign"), "--force"]
        assert execute(learn) == 0
    shutil.rmtree(models / model.name)

    out, err = explain("-c", str(config), alert_id, code=66)
    other, _ = explain("-c", str(config), alert_id, "--model", "current")

    assert out.startswith("web: size is 7777")
    assert out.split("\n\n")[2].splitlines()[1].split()[:2] == ["size", "7777"]
    assert f"model '{model.name}' is not there, or not kept any more" in err
    assert f"`aemonitor explain {alert_id[:12]} --model current`" in err
    assert f"scored alone by model {(models / 'current').read_text().strip()}" in " ".join(other.split())


def test_a_damaged_model_is_named_and_the_alert_shown(place: Place, explain: Explain, tmp_path: Path) -> None:
    (model,) = place.versions("web")
    shutil.copytree(place.root / "state", tmp_path / "state")
    config = tmp_path / "aemonitor.yaml"
    config.write_text(place.config.read_text().replace(f"{place.root}/state", f"{tmp_path}/state"))
    weights = tmp_path / "state" / "models" / "web" / model.name / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])

    out, err = explain("-c", str(config), place.id_of(FAULT), code=65)

    assert out.startswith("web: size is 7777")
    assert "weights.safetensors: truncated" in err


def test_features_that_are_configured_otherwise_by_now_do_not_hinder_an_old_alert(
    place: Place, explain: Explain, tmp_path: Path
) -> None:
    config = tmp_path / "aemonitor.yaml"
    config.write_text(place.config.read_text().replace("size: numeric", "size: categorical"))

    told = json.loads(explain("-c", str(config), place.id_of(FAULT), "--json")[0])
    _, err = explain("-c", str(config), *line_of(FAULT), code=65)

    assert told["replay"]["score"] == told["alert"]["score"]
    assert "was trained with other features (different now: size)" in err


def test_an_alert_of_a_stream_that_is_configured_no_more_is_shown(
    place: Place, explain: Explain, tmp_path: Path
) -> None:
    config = tmp_path / "aemonitor.yaml"
    config.write_text(place.config.read_text().replace("  web:", "  site:"))

    out, err = explain("-c", str(config), place.id_of(FAULT), code=2)

    assert out.startswith("web: size is 7777")
    assert "there is no stream 'web' in the configuration" in err


# -- lines -----------------------------------------------------------------------------------------------------


def test_a_benign_line_is_explained_and_no_alert(explain: Explain) -> None:
    out, _ = explain(*line_of(request(7)))

    assert out.startswith("web: within the limit")
    assert "no alert\n" in out


def test_a_line_is_judged_by_the_limit_of_the_stream(place: Place, explain: Explain) -> None:
    told = json.loads(explain(*line_of(FAULT), "--json")[0])

    (alert,) = [alert for alert in place.alerts if alert["id"] == place.id_of(FAULT)]
    assert told["alert"] is None
    assert told["replay"]["score"] == alert["score"]
    assert told["replay"]["score"]["threshold"] == 1.5
    assert told["replay"]["alerts"]


def test_a_line_that_depends_on_the_past_says_so(explain: Explain) -> None:
    out, _ = explain("--stream", "plant", "--line", json.dumps(reading(3)))

    told = " ".join(out.split())
    assert "'level' depends on earlier records of the key, and the replay remembers none" in told
    assert "in the daemon the score is the mean of the last 3 of its key" in told


def test_a_line_comes_from_standard_input_too(explain: Explain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(jsonl(FAULT).encode())))

    assert explain("--stream", "web", "--line", "-") == explain(*line_of(FAULT))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["ffffffffffffffff"], 66, "no alert has an id that begins with 'ffffffffffffffff'"),
        ([""], 2, "several alerts begin with ''"),
        ([], 2, "give either the id of an alert .* or a record with --line"),
        (["abc", "--line", "{}"], 2, "give either the id of an alert .* or a record with --line"),
        (["abc", "--stream", "web"], 2, "an alert knows its stream: --stream goes with --line"),
        (["--line", "{}"], 2, "say with --stream whose record it is: web, plant"),
        (["--line", "{}", "--stream", "no"], 2, "there is no stream 'no' in the configuration"),
        (["--line", "{", "--stream", "web"], 65, "stream web: the record does not parse: .*; give it as it stands"),
        (["--line", "", "--stream", "web"], 66, "--line: there is no record in it"),
        (["--line", "{}\n{}", "--stream", "web"], 2, "--line: more than one record; explain takes one"),
        (["--line", "{}", "--stream", "web", "--model", "x"], 66, "stream web: model 'x' is not there.*models list"),
    ],
)
def test_what_cannot_be_explained_is_named_with_its_cure(
    arguments: list[str], code: int, message: str, explain: Explain
) -> None:
    assert re.search(message, explain(*arguments, code=code)[1])


def test_without_a_model_it_is_said_how_to_get_one(place: Place, explain: Explain, tmp_path: Path) -> None:
    config = tmp_path / "aemonitor.yaml"
    config.write_text(place.config.read_text().replace(f"{place.root}/state", f"{tmp_path}/state"))

    _, err = explain("-c", str(config), *line_of(FAULT), code=75)

    assert "run `aemonitor retrain --stream web`" in err
