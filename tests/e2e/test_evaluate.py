"""``aemonitor evaluate`` as a user runs it, on a small stream with planted faults."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.app.evaluate import Request, evaluate_files
from monitor.cli import execute

FAULTS = range(300, 320)
"""Records of the input that are anomalous; the first two of them still look benign."""
BROKEN = 50
"""A line that cannot be parsed."""


def moment(number: int) -> str:
    return f"2026-11-22T{number // 60:02}:{number % 60:02}:00Z"


def reading(random: np.random.Generator, number: int, label: str, **changes: Any) -> str:
    values = {"level": round(float(random.normal(20, 2)), 2), "mode": str(random.choice(["a", "b"])), **changes}
    return json.dumps({"at": moment(number), **values, "label": label})


@dataclass(frozen=True)
class Site:
    """A trained stream, its input, and ways to run the command on it."""

    root: Path
    config: Path
    input: Path

    def run(self, capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
        """Output and messages."""
        given = execute(["evaluate", "-c", str(self.config), *arguments])
        out, err = capsys.readouterr()
        assert given == code, err
        return out, err

    def figures(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
        """What ``--json`` prints of the site's input."""
        out, _ = self.run(capsys, str(self.input), "--bootstrap", "20", "--json", *arguments)
        found: dict[str, Any] = json.loads(out)
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    root = tmp_path_factory.mktemp("evaluate")
    config, benign, data = root / "aemonitor.yaml", root / "benign.jsonl", root / "test.jsonl"
    config.write_text(
        f"state_dir: {root / 'state'}\ndevice: cpu\nstreams:\n  plant:\n    source: stdin\n    parser: json_lines\n"
        "    time: {field: at}\n    features: {level: numeric, mode: categorical}\n    model: {epochs: 10}\n"
    )
    random = np.random.default_rng(1)
    benign.write_text("".join(reading(random, i % 1440, "normal") + "\n" for i in range(1500)))
    lines = [reading(random, i, "normal") for i in range(400)]
    for i in FAULTS:
        lines[i] = reading(random, i, "stuck", **({"level": 90.0} if i > FAULTS[1] else {"level": 20.0}))
    lines[BROKEN] = '{"at": '
    data.write_text("".join(line + "\n" for line in lines))
    assert execute(["retrain", "-c", str(config), "--input", str(benign)]) == 0
    return Site(root, config, data)


def test_planted_faults_are_counted_event_and_delay_too(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    found = site.figures(capsys, "--labels", "label", "--anomalous", "stuck", "--threshold", "2")

    assert (found["records"], found["unparsed"], found["anomalous"], found["benign"]) == (400, 1, 20, 379)
    counts = found["confusion"]
    assert (counts["true_positives"], counts["false_positives"], counts["false_negatives"]) == (18, 0, 2)
    (event,) = found["events"]["events"]
    assert (event["first"], event["last"], event["delay_records"], event["delay_seconds"]) == (300, 319, 2, 120)
    assert found["recall"]["value"] == 0.9
    assert 0.5 < found["auroc"]["low"] <= found["auroc"]["value"] <= found["auroc"]["high"] <= 1
    assert found["threshold_source"] == "given by --threshold"


def test_labels_of_a_file_in_order_and_of_windows_mean_the_same(
    site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ordered, windows = tmp_path / "labels.txt", tmp_path / "windows.csv"
    ordered.write_text("".join(f"{int(i in FAULTS)}\n" for i in range(400)))
    windows.write_text(f"start,end\n{moment(FAULTS[0])},{moment(FAULTS[-1])}\n")
    arguments = ("--corrupt", "none")

    by_field = site.figures(capsys, "--labels", "label", "--benign", "normal", *arguments)
    by_order = site.figures(capsys, "--labels", str(ordered), *arguments)
    by_window = site.figures(capsys, "--labels", str(windows), *arguments)

    assert by_field == by_order == by_window


def test_the_text_is_a_table_and_messages_stay_off_it(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = site.run(capsys, str(site.input), "--labels", "label", "--anomalous", "stuck", "--bootstrap", "20")

    assert out.splitlines()[0].startswith("stream plant, model ")
    assert "400 records: 20 anomalous, 379 benign, 0 without label, 1 unparsed" in out
    assert "level" in out
    assert "unseen" in out
    assert err == ""


def test_damaged_benign_records_are_found_the_better_the_stronger(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    found = site.figures(capsys, "--noise", "0-1", "--noise", "50-100", "--corrupt", "noise,unseen")

    recalls = {(row["target"], row["kind"], row["strength"]): row["recall"]["value"] for row in found["corruptions"]}
    assert recalls["level", "noise", "0 to 1"] < 0.1
    assert recalls["level", "noise", "50 to 100"] == 1.0
    assert recalls["mode", "unseen", "a random word"] == 1.0
    assert {kind for _, kind, _ in recalls} == {"noise", "unseen"}
    assert "no labels were given: every record counts as benign" in found["notes"][0]
    assert found["auroc"]["value"] is None


def test_planted_faults_are_counted_by_field_and_the_field_is_named(
    site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ("--labels", "label", "--anomalous", "stuck", "--corrupt", "none", "--plant", "x10,unseen")

    found = site.figures(capsys, *arguments, "--report", str(tmp_path))
    out, _ = site.run(capsys, str(site.input), "--bootstrap", "0", *arguments)

    rows = {(row["field"], row["fault"]): row for row in found["planted"]}
    assert list(rows) == [("level", "x10"), ("mode", "unseen")]
    assert all(row["recall"]["value"] == row["named"]["value"] == 1.0 for row in rows.values())
    assert rows["level", "x10"]["records"] == 37  # one in ten of 379 benign ones
    assert ["level", "1", "-", "1"] in [line.split() for line in out.splitlines()]
    listed = list(csv.DictReader(io.StringIO((tmp_path / "planted.csv").read_text())))
    assert [(row["field"], row["fault"], row["recall"], row["named_low"]) for row in listed] == [
        ("level", "x10", "1", "1"),
        ("mode", "unseen", "1", "1"),
    ]
    assert "Recall by field and fault" in (tmp_path / "report.html").read_text()


def test_a_report_has_every_record_in_the_order_of_the_input(
    site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    directory = tmp_path / "deep" / "report"

    _, err = site.run(
        capsys, str(site.input), "--labels", "label", "--anomalous", "stuck", "--report", str(directory),
        "--bootstrap", "20", "--corrupt", "missing",
    )  # fmt: skip

    rows = list(csv.DictReader(io.StringIO((directory / "scores.csv").read_text())))
    assert [int(row["line"]) for row in rows] == list(range(1, 401))
    assert [i for i, row in enumerate(rows) if row["label"] == "1"] == list(FAULTS)
    assert [i for i, row in enumerate(rows) if not row["score"]] == [BROKEN]
    names = {"evaluation.json", "scores.csv", "sweep.csv", "corruptions.csv", "planted.csv", "events.csv"}
    names |= {"report.html"}
    plots = (
        "confusion",
        "scores",
        "distribution",
        "roc",
        "precision_recall",
        "sweep",
        "events",
        "corruption",
        "loss",
        "planted",
    )
    names |= {f"{plot}.{suffix}" for plot in plots for suffix in ("png", "svg")}
    assert names == {path.name for path in directory.iterdir()}
    assert "report.html" in err


def test_standard_input_is_an_input_and_no_resamples_are_no_intervals(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(site.input.read_bytes())))

    out, _ = site.run(capsys, "-", "--labels", "label", "--anomalous", "stuck", "--json", "--bootstrap", "0")

    found = json.loads(out)
    assert (found["records"], found["inputs"]) == (400, ["-"])
    assert found["recall"]["low"] is None
    assert found["corruptions"][0]["recall"]["low"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--labels", "label"], 65, "the label 'stuck' is not understood; found are 'normal'"),
        (
            ["--labels", "lable"],
            65,
            "no record has a field 'lable', and there is no file of that name; did you",
        ),
        (["--labels", "absent.csv"], 66, "absent.csv: there is no such file of labels"),
        (
            ["--labels", "label", "--anomalous", "stuk"],
            65,
            "no record has the value 'stuk' of --anomalous; did you",
        ),
        (["--anomalous", "stuck"], 2, "say with --labels where the labels are"),
        (["--threshold", "1", "--max-fpr", "0.1"], 2, "--threshold and --max-fpr both set the threshold"),
        (["--threshold", "nan"], 2, "--threshold: nan is not a number a score can exceed"),
        (["--max-fpr", "nan"], 2, "--max-fpr: nan is not a share"),
        (["--rate", "nan"], 2, "--rate: nan is not a share"),
        (["--labels", "x" * 300], 65, "and there is no file of that name"),
        (["--noise", "20-0"], 2, "'20-0' is not LOW-HIGH, such as 0-20"),
        (["--noise", "much"], 2, "'much' is not LOW-HIGH"),
        (["--corrupt", "nois"], 2, "'nois' is not all, none or some of noise, scale"),
        (["--plant", "frozn"], 2, "'frozn' is not all, none or some of x10, /10, swap"),
        (["--corrupt", "none,noise"], 2, "'none,noise' is not all, none or some of"),
        (["--corrupt-feature", "lvel"], 2, "there is no feature 'lvel'; did you mean 'level'?"),
        (["--corrupt", "none", "--corrupt-feature", "lvel"], 2, "there is no feature 'lvel'; did you mean 'level'?"),
        (["--corrupt", "none", "--noise", "0-5"], 2, "nothing is damaged, so --noise has no effect"),
        (["--corrupt", "swap", "--noise", "0-5"], 2, "--noise: has no effect without noise among the kinds"),
        (["--corrupt", "flip"], 2, "'flip' cannot be done to any of the features"),
        (["--top", "3"], 2, "--top draws images in the report: it goes with --report DIR"),
        (["--report", "/dev/null/x"], 73, "/dev/null/x: the directory cannot be made"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_cure(
    site: Site, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    out, err = site.run(capsys, str(site.input), *arguments, code=code)

    assert message in err
    assert out == ""


def test_a_report_that_was_never_made_leaves_no_directory(
    site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    site.run(capsys, str(site.input), "--labels", "lable", "--report", str(tmp_path / "new" / "report"), code=65)

    assert list(tmp_path.iterdir()) == []


def test_an_empty_input_is_no_input(site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    _, err = site.run(capsys, str(tmp_path / "empty.jsonl"), "--labels", "label", code=66)

    assert "there is no record in the input" in err


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('{"at": "2026-01-01T00:00:00Z", "level": 20, "mode": "a", "label": null}\n' * 3, "is blank in all 3 records"),
        ("garbage\n" * 3, "none of 3 records can be parsed, so none has a field 'label'"),
    ],
)
def test_why_no_record_has_a_label_is_said(
    site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path, lines: str, message: str
) -> None:
    (tmp_path / "odd.jsonl").write_text(lines)

    _, err = site.run(capsys, str(tmp_path / "odd.jsonl"), "--labels", "label", code=65)

    assert message in err


def test_too_few_labels_name_both_counts(site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("0\n" * 399)

    _, err = site.run(capsys, str(site.input), "--labels", str(tmp_path / "labels.txt"), code=65)

    assert "has 399 labels, but the input has 400 records or more; one label a record is needed" in err


def test_a_label_that_the_parser_ignores_is_read_all_the_same(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    random = np.random.default_rng(1)
    levels = random.normal(20, 2, 600).round(2).tolist()
    (tmp_path / "benign.csv").write_text("".join(f"{level},0\n" for level in levels[:300]))
    test = [f"{level},{i % 10 == 0:d}" for i, level in enumerate(levels[300:])]
    (tmp_path / "test.csv").write_text("\n".join(["level,label", *test]) + "\n")
    config = tmp_path / "aemonitor.yaml"
    config.write_text(
        f"state_dir: {tmp_path / 'state'}\ndevice: cpu\nstreams:\n  plant:\n    source: stdin\n"
        "    parser: {csv_rows: {columns: [level, label], ignore: [label]}}\n"
        "    features: {level: numeric}\n    model: {epochs: 2}\n"
    )
    assert execute(["retrain", "-c", str(config), "--input", str(tmp_path / "benign.csv")]) == 0
    capsys.readouterr()

    site = Site(tmp_path, config, tmp_path / "test.csv")
    found = site.figures(capsys, "--labels", "label", "--corrupt", "none")

    assert (found["records"], found["unparsed"], found["anomalous"], found["benign"]) == (300, 0, 30, 270)
    _, err = site.run(capsys, str(site.input), "--labels", "lable", code=65)
    assert "no record has a field 'lable', and there is no file of that name; did you mean 'label'?" in err


def test_the_records_with_the_highest_scores_are_drawn_those_without_an_image_passed_over(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    random = np.random.default_rng(1)

    def image(label: int, *, bright: bool = False) -> str:
        pixels = random.integers(0, 60, 9) + np.arange(9) * 10 + 90 * bright
        return json.dumps({"pixels": pixels.tolist(), "label": label})

    rows = [image(int(i in {3, 7, 20}), bright=i in {3, 7, 20}) for i in range(30)]
    rows[12] = json.dumps({"pixels": None, "label": 1})
    (tmp_path / "test.jsonl").write_text("\n".join(rows) + "\n")
    (tmp_path / "benign.jsonl").write_text("".join(image(0) + "\n" for _ in range(300)))
    config = tmp_path / "aemonitor.yaml"
    config.write_text(
        f"state_dir: {tmp_path / 'state'}\ndevice: cpu\nstreams:\n  digits:\n    source: stdin\n"
        "    parser: json_lines\n    features: {pixels: {vector: {shape: [3, 3]}}}\n    model: {epochs: 3}\n"
    )
    assert execute(["retrain", "-c", str(config), "--input", str(tmp_path / "benign.jsonl")]) == 0
    capsys.readouterr()
    request = Request(labels="label", threshold=1e9, top=2, resamples=0)

    found = evaluate_files(config, None, [tmp_path / "test.jsonl"], request, lambda *_: None)

    scores, anomalous = found.labelled.scores, found.labelled.codes == 1
    highest, misses = np.argsort(-scores)[:2].tolist(), np.argsort(np.where(anomalous, scores, np.inf))[:4].tolist()
    expected = [row for row in dict.fromkeys((*highest, *misses)) if row != 12]
    assert 12 in (*highest, *misses)
    assert [picture.line for picture in found.evaluation.pictures] == [row + 1 for row in expected]
    assert [picture.score for picture in found.evaluation.pictures] == scores[expected].tolist()
    drawn = [picture.image.ravel().round(3).tolist() for picture in found.evaluation.pictures]
    assert drawn == [pytest.approx(json.loads(rows[row])["pixels"], abs=0.01) for row in expected]


def test_a_label_that_is_a_feature_makes_a_note(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    found = site.figures(capsys, "--labels", "mode", "--anomalous", "b", "--corrupt", "none")

    assert "the label field 'mode' is also a feature: the model sees the answer" in found["notes"]
