"""``aemonitor cluster`` as a user runs it: which groups it finds, whom it names, what it writes, what it refuses."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from monitor.app._latents import looked_up, rereadable
from monitor.app.offline import open_offline
from monitor.cli import execute
from monitor.cli.exits import exit_code
from monitor.core.errors import AemonitorError, DataError

RECORDS = 240
ODD = 77
"""This record, counted from 1, has a mode of its own for its level: far from all others of its mode."""

Run = Callable[..., str]


class Site(NamedTuple):
    """A stream with a published model, and the file it learned from."""

    config: Path
    records: Path


def record(number: int) -> dict[str, Any]:
    random = np.random.default_rng(number)
    mode = number % 3
    level = 50.0 if number + 1 == ODD else (0.0, 10.0, 40.0)[mode]
    return {
        "level": round(level + float(random.normal(0, 0.5)), 3),
        "speed": round((5.0, 1.0, 9.0)[mode] + float(random.normal(0, 0.2)), 3),
        "mode": "abc"[mode],
        "truth": "odd" if number + 1 == ODD else f"mode {'abc'[mode]}",
    }


def published(
    root: Path, stream: str, parser: str, feature_lines: list[str], model: str, text: str, extra: str = ""
) -> Site:
    """A site with a trained model."""
    config, records = root / "aemonitor.yaml", root / "records.txt"
    features = "\n".join(f"      {line}" for line in feature_lines)
    config.write_text(
        f"server: {{listen: none}}\nstate_dir: {root / 'state'}\ndevice: cpu\nstreams:\n  {stream}:\n"
        f"    source: stdin\n    parser: {parser}\n    features:\n{features}\n    model: {model}\n    {extra}\n"
    )
    records.write_text(text)
    assert execute(["retrain", "-c", str(config), "--input", str(records)]) == 0
    return Site(config, records)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Three modes of a plant, one record of which is odd."""
    return published(
        tmp_path_factory.mktemp("plant"),
        "plant",
        "json_lines",
        ["level: {numeric: {scale: linear}}", "speed: {numeric: {scale: linear}}", "mode: categorical"],
        "{hidden: [4, 2, 4], epochs: 60, patience: 0, batch_size: 16, split: none}",
        "".join(json.dumps(record(number)) + "\n" for number in range(RECORDS)),
    )


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Images of 3 x 3: a bright row or a bright column."""
    random = np.random.default_rng(0)
    lines: list[str] = []
    for number in range(60):
        image = random.integers(0, 40, (3, 3))
        image[(slice(None), 1) if number % 2 else (1, slice(None))] += 200
        lines.append(f"{number % 2}={' '.join(map(str, image.ravel()))}\n")
    return published(
        tmp_path_factory.mktemp("images"),
        "images",
        r"{regex: {pattern: '^(?P<label>\d+)=(?P<pixels>.*)$'}}",
        ["pixels: {vector: {shape: [3, 3], divide_by: 255}}"],
        "{hidden: [4, 2, 4], epochs: 40, patience: 0, batch_size: 8, split: none}",
        "".join(lines),
    )


@pytest.fixture
def run(site: Site, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `cluster` on the plant's records, or on INPUT, and give what it says: stdout, or stderr after a failure."""

    def cluster(*options: str, inputs: tuple[str, ...] = (), code: int = 0) -> str:
        capfd.readouterr()
        ended = execute(
            ["cluster", "-c", str(site.config), *(inputs or (str(site.records),)), "--max-k", "3", *options]
        )
        out, err = capfd.readouterr()
        assert ended == code, err
        return err if code else out

    return cluster


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# -- what it finds -------------------------------------------------------------------------------------------------


def test_the_modes_of_the_plant_are_its_clusters(run: Run) -> None:
    told = json.loads(run("--label-field", "truth", "--format", "json"))

    assert (told["schema"], told["k"], told["records"]) == ("aemonitor.clusters/v1", 3, RECORDS)
    assert sorted(next(iter(group["labels"])) for group in told["clusters"]) == ["mode a", "mode b", "mode c"]
    assert {group["records"] for group in told["clusters"]} == {80}
    assert [candidate["clusters"] for candidate in told["candidates"]] == [2, 3]
    assert told["candidates"][0]["excess"] < told["candidates"][1]["excess"]


def test_the_odd_record_is_the_farthest_from_its_centre(run: Run, site: Site) -> None:
    told = json.loads(run("--label-field", "truth", "--format", "json", "--outliers", "3"))

    first = told["outliers"][0]
    assert (first["file"], first["line"], first["label"]) == (str(site.records), ODD, "odd")
    assert first["relative_distance"] > 1
    assert first["summary"] == " ".join(f"{name}={record(ODD - 1)[name]}" for name in ("level", "speed", "mode"))
    assert len(told["outliers"]) == 3


def test_the_odd_record_is_a_small_cluster_where_one_more_may_be_made(run: Run) -> None:
    told = json.loads(run("--label-field", "truth", "--format", "json", "--max-k", "4"))

    last = told["clusters"][-1]
    assert [group["small"] for group in told["clusters"]] == [False, False, False, True]
    assert (last["records"], last["prototype"]["line"], last["labels"]) == (1, ODD, {"odd": 1})


def test_a_person_is_told_sizes_prototypes_and_outliers(run: Run, site: Site) -> None:
    text = run("--label-field", "truth")

    lines = text.splitlines()
    assert lines[0].endswith("240 records, latent vectors of 2 columns")
    assert lines[1].startswith("3 clusters: silhouette 0.")
    assert lines[3].split() == ["cluster", "records", "share", "mean", "score", "max", "score", "radius", "labels",
                                "prototype"]  # fmt: skip
    assert all("80  33.3%" in line and f"{site.records.name}:" in line for line in lines[4:7])
    assert any("odd" in line and f"records.txt:{ODD}  level=" in line for line in lines[8:])


def test_every_record_has_its_row_in_the_order_of_the_input(
    run: Run, site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    found = rows(run("--format", "csv", "--label-field", "truth"))

    assert [int(row["line"]) for row in found] == list(range(1, RECORDS + 1))
    assert [row["label"] for row in found] == [record(number)["truth"] for number in range(RECORDS)]
    assert list(found[0]) == ["file", "line", "cluster", "distance", "relative_distance", "score", "latent_1",
                              "latent_2", "label"]  # fmt: skip
    assert execute(["score", "-c", str(site.config), "--format", "csv", str(site.records)]) == 0
    assert [row["score"] for row in found] == [row["score"] for row in rows(capfd.readouterr().out)]


def test_the_same_seed_gives_the_same_bytes(run: Run) -> None:
    assert run("--format", "csv", "--seed", "7") == run("--format", "csv", "--seed", "7")


def test_records_that_do_not_parse_are_counted_and_left_out(run: Run, site: Site, tmp_path: Path) -> None:
    lines = site.records.read_text().splitlines(keepends=True)
    spoilt = tmp_path / "spoilt.txt"
    spoilt.write_text("not json\n" + "".join(lines[:100]) + "[\n" + "".join(lines[100:]))

    told = json.loads(run("--format", "json", inputs=(str(spoilt),)))
    found = rows(run("--format", "csv", inputs=(str(spoilt),)))

    assert (told["unparsed"], told["records"], len(found)) == (2, RECORDS, RECORDS)
    assert (found[0]["line"], found[100]["line"]) == ("2", "103")
    assert told["outliers"][0]["line"] == ODD + 1
    assert told["outliers"][0]["summary"].startswith(f"level={record(ODD - 1)['level']} ")


def test_lines_count_anew_in_each_file_and_prototypes_are_found_again(run: Run, site: Site, tmp_path: Path) -> None:
    lines = site.records.read_text().splitlines(keepends=True)
    parts = [tmp_path / "one.txt", tmp_path / "two.txt"]
    for part, text in zip(parts, (lines[:70], lines[70:]), strict=True):
        part.write_text("".join(text))

    told = json.loads(run("--format", "json", inputs=tuple(map(str, parts))))

    assert (told["outliers"][0]["file"], told["outliers"][0]["line"]) == (str(parts[1]), ODD - 70)
    for group in told["clusters"]:
        prototype = group["prototype"]
        level = json.loads(Path(prototype["file"]).read_text().splitlines()[prototype["line"] - 1])["level"]
        assert prototype["summary"].startswith(f"level={level} ")


def test_standard_input_gives_what_the_file_gives(run: Run, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with site.records.open() as records:
        monkeypatch.setattr(sys, "stdin", records)
        piped = run("--format", "json", inputs=("-",))

    assert piped.replace('"-"', f'"{site.records}"') == run("--format", "json")


def test_standard_input_that_is_closed_is_said_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    assert "-: standard input is closed" in run(inputs=("-",), code=66)


def test_a_named_pipe_is_read_once(run: Run, site: Site, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(site.records.read_bytes(),))
    writer.start()

    told = run("--format", "json", inputs=(str(pipe),))
    writer.join()

    assert told.replace(str(pipe), str(site.records)) == run("--format", "json")


def test_a_network_without_columns_makes_one_cluster(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    flat = published(tmp_path, "flat", "json_lines", ["v: numeric"], "{epochs: 1}", '{"v": 1}\n' * 30)
    capfd.readouterr()

    assert execute(["cluster", "-c", str(flat.config), str(flat.records), "--report", str(tmp_path / "report")]) == 0

    out = capfd.readouterr().out
    assert "30 records, latent vectors of 0 columns" in out
    assert "1 cluster: latent vectors have no columns, every feature was constant in training" in out
    assert "members farthest" not in out


# -- what it writes ------------------------------------------------------------------------------------------------


def test_a_report_holds_rows_facts_and_a_plot(run: Run, tmp_path: Path) -> None:
    directory = tmp_path / "new" / "report"

    told = run("--format", "json", "--report", str(directory))

    assert {path.name for path in directory.iterdir()} == {
        "clusters.csv",
        "clusters.json",
        "clusters.png",
        "clusters.svg",
    }
    assert (directory / "clusters.json").read_text() == told
    assert (directory / "clusters.csv").read_text() == run("--format", "csv")
    assert (directory / "clusters.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert "Principal component 1 (" in (directory / "clusters.svg").read_text()


def test_records_that_are_images_are_drawn(images: Site, tmp_path: Path) -> None:
    code = execute(["cluster", "-c", str(images.config), str(images.records), "--label-field", "label", "--max-k", "4",
                    "--report", str(tmp_path / "report")])  # fmt: skip

    assert code == 0
    for name in ("prototypes.png", "outliers.png"):
        assert (tmp_path / "report" / name).read_bytes().startswith(b"\x89PNG\r\n")


def test_a_report_without_outliers_is_written(images: Site, tmp_path: Path) -> None:
    code = execute(["cluster", "-c", str(images.config), str(images.records), "--outliers", "0", "--k", "1",
                    "--report", str(tmp_path)])  # fmt: skip

    assert code == 0
    assert json.loads((tmp_path / "clusters.json").read_text())["outliers"] == []


# -- what it refuses -----------------------------------------------------------------------------------------------


def test_a_label_field_that_does_not_occur_is_refused_with_the_nearest_name(run: Run) -> None:
    assert "no record has the label field 'trut'; did you mean 'truth'?" in run("--label-field", "trut", code=2)


def test_more_clusters_than_different_records_are_refused(run: Run, site: Site, tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("".join(site.records.read_text().splitlines(keepends=True)[:4]))

    assert "5 clusters cannot be made of 4 records" in run("--k", "5", inputs=(str(short),), code=2)


@pytest.mark.parametrize("number", ["0.5", "-1", "many", "0", "1001", "²"])
def test_a_number_of_clusters_that_is_none_is_refused(run: Run, number: str) -> None:
    assert "is neither auto nor a number from 1 to 1000" in run(f"--k={number}", code=2)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("", 66, "no record to cluster"),
        ("?\n!\n", 65, "none of 2 records can be parsed; the first one "),
    ],
)
def test_an_input_without_a_usable_record_is_refused(
    run: Run, tmp_path: Path, text: str, code: int, message: str
) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_text(text)

    assert message in run(inputs=(str(bad),), code=code)


def test_a_missing_file_is_named(run: Run, tmp_path: Path) -> None:
    assert "there is no such file" in run(inputs=(str(tmp_path / "absent"),), code=66)


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        (PermissionError(13, "Permission denied"), 77, "this user may not read it"),
        (OSError(28, "No space left on device"), 73, "cannot be kept to be read twice: No space left on device"),
    ],
)
def test_a_pipe_that_cannot_be_kept_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: OSError, code: int, message: str
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def fail(*_arguments: object, **_options: object) -> None:
        raise fault

    monkeypatch.setattr(Path, "open", fail)  # root, as in a container, may read everything
    with pytest.raises(AemonitorError, match=message) as refused, rereadable([pipe]):
        pass

    assert exit_code(refused.value) == code


@pytest.mark.parametrize("change", ["shorter", "rewritten", "spoilt"])
def test_an_input_that_changed_in_between_is_refused(site: Site, tmp_path: Path, change: str) -> None:
    lines = site.records.read_text().splitlines(keepends=True)
    scores = np.array([batch.scored.scores.scores for batch in open_offline(site.config, None).batches(
        [site.records], lambda *_: None)]).ravel()  # fmt: skip
    changed = {"shorter": lines[:5], "rewritten": lines[::-1], "spoilt": [*lines[:5], "?\n", *lines[6:]]}[change]
    (tmp_path / "records.txt").write_text("".join(changed))

    with pytest.raises(DataError, match=r"records\.txt: changed while it was read; cluster a copy"):
        looked_up(open_offline(site.config, None), [tmp_path / "records.txt"], np.array([1, 5]), scores[[1, 5]])


@pytest.mark.parametrize("score", ["{average: 1}", "{average: 5}"])
def test_what_is_remembered_of_each_key_is_as_it_was_when_a_record_is_read_again(tmp_path: Path, score: str) -> None:
    random = np.random.default_rng(0)
    times = np.cumsum(random.integers(1, 50, 60)) + 1_700_000_000
    lines = [json.dumps({"t": int(at), "v": float(random.normal())}) + "\n" for at in times]
    features = ["v: numeric", "pace: interarrival"] if score == "{average: 1}" else ["v: numeric"]
    extra = f"time: {{field: t}}\n    score: {score}"
    site = published(tmp_path, "pace", "json_lines", features, "{epochs: 2, split: none}", "".join(lines), extra)
    with site.config.open("a") as config:
        config.write("limits: {max_batch_records: 10}\n")
    offline = open_offline(site.config, None)
    batches = [batch.scored for batch in offline.batches([site.records], lambda *_: None)]
    scores = np.concatenate([scored.scores.scores for scored in batches])
    values = np.concatenate([scored.matrix.values for scored in batches])
    places = np.array([0, 7, 50])  # between them are batches of which none is wanted

    _, encoded = looked_up(offline, [site.records], places, scores[places])

    assert len(batches) == 6
    assert np.array_equal(encoded, values[places])


def test_a_report_that_cannot_be_made_is_refused_before_the_work(run: Run, site: Site) -> None:
    assert f"{site.records}/report: the directory cannot be made: Not a directory" in run(
        "--report", f"{site.records}/report", code=73
    )
