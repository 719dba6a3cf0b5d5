"""`aemonitor score` as users call it: rows, rankings, cleaned records, hidden states, pictures."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from matplotlib import image

from monitor.cli import execute
from tests.e2e.support import aemonitor

pytestmark = pytest.mark.timeout(300)

CONFIG = r"""
state_dir: {root}/state
device: cpu
streams:
  staff:
    source: {{file_tail: {{include: [{root}/none]}}}}
    parser: json_lines
    features:
      age: {{numeric: {{divide_by: 100}}}}
      city: categorical
      code: categorical
      note: text
    model: {{hidden: [6, 3, 6], epochs: 30}}
    sinks: []
  digits:
    source: {{file_tail: {{include: [{root}/none]}}}}
    parser: {{regex: {{pattern: '^(?P<label>\d+)=(?P<pixels>.*)$'}}}}
    features:
      pixels: {{vector: {{shape: [6, 6], divide_by: 255}}}}
    model: {{hidden: [8], epochs: 20}}
    sinks: []
  table:
    source: {{file_tail: {{include: [{root}/none]}}}}
    parser: {{csv_rows: {{columns: [seq, level]}}}}
    features:
      level: numeric
    model: {{hidden: [1], epochs: 2}}
    score: {{method: l1}}
    sinks: []
"""
STAFF = 240
DIGITS = 200


def person(number: int, **changes: Any) -> dict[str, Any]:
    facts = {
        "id": number,
        "age": 20 + number * 7 % 40,
        "city": ["anaheim", "boulder"][number % 2],
        "code": [200, 404][number % 2],
        "note": f"hello {number % 3}",
    }
    return facts | changes


def jsonl(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def digit(number: int) -> str:
    """A bright bar on one of the rows, with a little noise."""
    pixels = np.random.default_rng(number).integers(0, 20, (6, 6))
    pixels[number % 6] += 200
    return f"{number % 6}={' '.join(map(str, pixels.ravel()))}\n"


ODD = "9=" + " ".join(map(str, np.eye(6, dtype=int).ravel() * 250)) + "\n"  # a diagonal


@dataclass(frozen=True)
class Place:
    """A directory with three trained streams and the files they learned."""

    root: Path
    config: Path
    staff: Path
    digits: Path
    table: Path

    def arguments(self, stream: str, *options: str) -> list[str]:
        return ["score", "-c", str(self.config), "--stream", stream, *options]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    root = tmp_path_factory.mktemp("score")
    made = Place(root, root / "aemonitor.yaml", root / "staff.jsonl", root / "digits.txt", root / "table.csv")
    made.config.write_text(CONFIG.format(root=root))
    made.staff.write_text(jsonl(*map(person, range(STAFF))))
    made.digits.write_text("".join(map(digit, range(DIGITS))))
    made.table.write_text("seq,level\n" + "".join(f"{n},{n % 7}\n" for n in range(100)))
    for stream, benign in (("staff", made.staff), ("digits", made.digits), ("table", made.table)):
        code = execute(["retrain", "-c", str(made.config), "--stream", stream, "--input", str(benign)])
        assert code == 0
    return made


Score = Callable[..., str]


@pytest.fixture
def score(place: Place, capfd: pytest.CaptureFixture[str]) -> Score:
    """Runs a command line and gives what it printed on stdout."""

    def run(stream: str, *options: str | Path, code: int = 0) -> str:
        capfd.readouterr()
        ended = execute(place.arguments(stream, *map(str, options)))
        out, err = capfd.readouterr()
        assert ended == code, err
        return out if code in (0, 3) else err

    return run


def rows_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# -- rows --------------------------------------------------------------------------------------------------------


def test_squared_errors_are_added_on_request_and_the_mean_is_over_the_network_columns(
    place: Place, score: Score
) -> None:
    plain = rows_of(score("staff", place.staff))

    rows = rows_of(score("staff", place.staff, "--by", "squared"))

    assert "squared_error" not in plain[0]
    assert [row["score"] for row in rows] == [row["score"] for row in plain]
    ratios = {round(row["squared_error"] / row["mean_squared_error"], 6) for row in rows}
    assert len(ratios) == 1
    assert ratios.pop().is_integer()


def test_all_formats_have_the_same_rows(place: Place, score: Score, tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    path.write_text(jsonl(person(1), person(2, city="nowhere")) + "garbage\n")

    rows = rows_of(score("staff", path))
    cells = list(csv.DictReader(io.StringIO(score("staff", path, "--format", "csv"))))
    score("staff", path, "-o", tmp_path / "rows.parquet")
    table = pq.read_table(tmp_path / "rows.parquet").to_pylist()

    assert [row["line"] for row in rows] == [1, 2, 3]
    assert [row["score"] for row in table] == [row["score"] for row in rows]
    assert [float(cell["score"] or "nan") for cell in cells[:2]] == [row["score"] for row in rows[:2]]
    assert (rows[2]["score"], cells[2]["score"], rows[2]["reason"]) == (None, "", table[2]["reason"])
    assert [cell["alert"] for cell in cells] == ["false", "true", "false"]
    assert "nowhere" in rows[1]["summary"]


def test_an_empty_input_has_a_header_and_a_valid_parquet_file(place: Place, score: Score, tmp_path: Path) -> None:
    assert score("staff", "/dev/null") == ""
    assert score("staff", "/dev/null", "--format", "csv") == "file,line,score,error,alert,summary,reason\n"
    assert score("staff", "/dev/null", "--latent", "--format", "csv").startswith("file,line,score,latent_1,latent_2,")
    assert score("staff", "/dev/null", "--reconstruct", "--format", "csv") == "age,city,code,_unparsed\n"
    for option in (["--latent"], ["--reconstruct"], ["--top", "3"], []):
        score("staff", "/dev/null", "-o", tmp_path / "none.parquet", *option)
        assert pq.read_table(tmp_path / "none.parquet").num_rows == 0


@pytest.mark.parametrize("option", [[], ["--latent"], ["--by", "squared"]])
def test_a_header_line_has_no_row_and_the_lines_below_it_keep_their_numbers(
    place: Place, score: Score, option: list[str]
) -> None:
    rows = rows_of(score("table", place.table, *option))

    assert [row["line"] for row in rows] == list(range(2, 102))
    assert all(row["score"] is not None and "reason" not in row for row in rows)


# -- rankings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("by", "figure"), [("score", "score"), ("squared", "squared_error")])
def test_the_shown_rows_are_the_ends_of_all_rows(place: Place, score: Score, by: str, figure: str) -> None:
    every = rows_of(score("staff", place.staff, "--by", by))

    shown = rows_of(score("staff", place.staff, "--top", "5", "--lowest", "3", "--by", by))

    ranked = sorted(every, key=lambda row: -row[figure])
    assert [row["group"] for row in shown] == ["top"] * 5 + ["lowest"] * 3
    assert [row["line"] for row in shown[:5]] == [row["line"] for row in ranked[:5]]
    assert [row[figure] for row in shown[5:]] == sorted(row[figure] for row in every)[:3]
    assert {k: v for k, v in shown[0].items() if k not in ("group", "fields")} == ranked[0]


def test_each_shown_row_has_its_fields_in_their_own_units(place: Place, score: Score, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text(jsonl(person(1, age=90, extra=[1, 2], city=None)))

    (row,) = rows_of(score("staff", path, "--top", "1"))
    (cell,) = csv.DictReader(io.StringIO(score("staff", path, "--top", "1", "--format", "csv")))

    fields = row["fields"]
    assert fields["id"] == {"actual": 1}
    assert fields["age"]["actual"] == 90
    assert 20 <= fields["age"]["reconstructed"] < 60
    assert fields["code"] == {"actual": 404, "reconstructed": fields["code"]["reconstructed"]}
    assert fields["code"]["reconstructed"] in (200, 404)
    assert fields["city"]["actual"] is None
    assert fields["note"] == {"actual": "hello 1"}
    assert fields["extra"] == {"actual": [1, 2]}
    assert (cell["age"], cell["extra"], cell["city"]) == ("90", "[1,2]", "")
    assert cell["age.reconstructed"] == str(fields["age"]["reconstructed"])


def test_rows_of_several_files_keep_their_place(place: Place, score: Score, tmp_path: Path) -> None:
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    paths[0].write_text("seq,level\n1,3\n2,1000\n")
    paths[1].write_text("11,3\n12,2000\n")  # without a header

    shown = rows_of(score("table", *paths, "--top", "2"))

    assert [(Path(row["file"]).name, row["line"]) for row in shown] == [("b.csv", 2), ("a.csv", 3)]
    assert [row["fields"]["seq"]["actual"] for row in shown] == [12, 2]
    assert [row["fields"]["level"]["actual"] for row in shown] == [2000, 1000]


def test_a_file_named_twice_is_numbered_from_one_twice(place: Place, score: Score, tmp_path: Path) -> None:
    path = tmp_path / "two.jsonl"
    path.write_text(jsonl(person(1), person(2)))

    rows = rows_of(score("staff", path, path))

    assert [row["line"] for row in rows] == [1, 2, 1, 2]


def test_a_file_whose_name_is_no_text_is_scored_too(place: Place, tmp_path: Path, capfd: Any) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.jsonl")
    Path(path).write_text(jsonl(person(1)))

    for options in ([], ["--top", "1"], ["--latent"]):
        assert execute(place.arguments("staff", path, *options)) == 0
        assert rows_of(capfd.readouterr().out)[0]["file"].endswith("/a\ufffd.jsonl")


def test_no_more_rows_are_shown_than_there_are_and_unparsed_ones_never(
    place: Place, score: Score, tmp_path: Path
) -> None:
    path = tmp_path / "few.jsonl"
    path.write_text("garbage\n" + jsonl(person(1)))

    shown = rows_of(score("staff", path, "--top", "9", "--lowest", "9"))

    assert [(row["group"], row["line"]) for row in shown] == [("top", 2), ("lowest", 2)]


def test_an_anomaly_anywhere_fails_the_command_on_request(place: Place, score: Score, tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_text(jsonl(person(1), person(2, city="nowhere")))

    for option in (["--lowest", "1"], ["--latent"], ["--reconstruct"], []):
        score("staff", path, "--fail-on-anomaly", *option, code=3)
    score("staff", place.staff, "--reconstruct", code=0)


# -- cleaned records ---------------------------------------------------------------------------------------------


def test_every_record_comes_out_once_in_its_place_and_with_all_its_fields(
    place: Place, score: Score, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    people = [person(n, age=25 + n) for n in range(20)]
    people[7]["new"] = {"deep": "x"}
    path.write_text(jsonl(*people[:5]) + "garbage\n" + jsonl(*people[5:]))

    rows = rows_of(score("staff", path, "--reconstruct"))

    assert rows.pop(5) == {"_unparsed": "garbage"}
    assert [row["id"] for row in rows] == list(range(20))
    assert [row["note"] for row in rows] == [one["note"] for one in people]  # cannot be undone, so it is untouched
    assert rows[7]["new.deep"] == "x"
    assert all(row.keys() == person(0).keys() for i, row in enumerate(rows) if i != 7)
    assert {row["code"] for row in rows} <= {200, 404}
    assert [row["age"] for row in rows] != [one["age"] for one in people]


def test_cleaned_records_are_the_decoded_reconstruction(place: Place, score: Score) -> None:
    shown = rows_of(score("staff", place.staff, "--top", "20"))

    cleaned = rows_of(score("staff", place.staff, "--reconstruct"))

    for row in shown:
        for name in ("age", "city", "code"):
            assert cleaned[row["line"] - 1][name] == row["fields"][name]["reconstructed"]


def test_the_header_of_a_csv_file_is_no_record(place: Place, score: Score) -> None:
    text = score("table", place.table, "--reconstruct", "--format", "csv")

    lines = text.splitlines()
    assert lines[0] == "seq,level,_unparsed"
    assert [line.split(",")[0] for line in lines[1:]] == [str(n) for n in range(100)]


def test_cleaned_images_are_vectors_in_every_format(place: Place, score: Score, tmp_path: Path) -> None:
    rows = rows_of(score("digits", place.digits, "--reconstruct"))
    score("digits", place.digits, "--reconstruct", "-o", tmp_path / "out.parquet")

    assert len(rows) == DIGITS
    assert [row["label"] for row in rows] == [n % 6 for n in range(DIGITS)]
    assert all(len(row["pixels"]) == 36 for row in rows)
    assert pq.read_table(tmp_path / "out.parquet").column("pixels").to_pylist() == [row["pixels"] for row in rows]


def test_fields_that_come_too_late_for_the_header_are_counted(place: Place, tmp_path: Path) -> None:
    lines = jsonl(*(person(n) for n in range(9))).encode()
    with subprocess.Popen(
        [sys.executable, "-m", "monitor", *place.arguments("staff", "-", "--reconstruct", "--format", "csv")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as filtering:
        stdin, stdout = pipes(filtering)
        stdin.write(lines)
        stdin.flush()
        first = [stdout.readline() for _ in range(10)]  # while the producer has not ended
        stdin.write(jsonl(person(9, late=1)).encode())
        stdin.close()
        rest = stdout.readlines()
        assert filtering.stderr is not None
        message = filtering.stderr.read().decode()

    assert sorted(first[0].decode().strip().split(",")) == ["_unparsed", "age", "city", "code", "id", "note"]
    assert len(rest) == 1
    assert "1 values of field late are not in the output" in message
    assert "--format jsonl keeps everything" in message


def pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


# -- hidden states -----------------------------------------------------------------------------------------------


def test_hidden_states_stand_beside_file_line_and_score(place: Place, score: Score) -> None:
    scores = rows_of(score("staff", place.staff))

    rows = rows_of(score("staff", place.staff, "--latent"))

    assert list(rows[0]) == ["file", "line", "score", "latent_1", "latent_2", "latent_3"]
    assert [row["score"] for row in rows] == [row["score"] for row in scores]
    assert len({row["latent_1"] for row in rows}) > 1
    assert all(-1 <= row["latent_2"] <= 1 for row in rows)  # tanh


def test_a_record_that_cannot_be_parsed_has_no_hidden_state(place: Place, score: Score, tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_text("garbage\n")

    (row,) = rows_of(score("staff", path, "--latent"))

    assert (row["line"], row["score"], row["latent_1"]) == (1, None, None)


# -- pictures ----------------------------------------------------------------------------------------------------


def test_the_most_anomalous_image_has_its_line_and_label_and_is_drawn(
    place: Place, score: Score, tmp_path: Path
) -> None:
    path, sheet = tmp_path / "digits.txt", tmp_path / "sheet.png"
    path.write_text("".join(map(digit, range(10))) + ODD + digit(10))

    (row,) = rows_of(score("digits", path, "--top", "1", "--by", "squared", "--images", sheet))

    assert (row["line"], row["fields"]["label"]) == (11, {"actual": 9})
    assert row["fields"]["pixels"]["actual"] == (np.eye(6) * 250).ravel().tolist()
    drawn = image.imread(sheet)
    assert drawn.shape[1] >= 800
    assert drawn.std() > 0.1  # not an empty page


def test_the_sheet_needs_images(place: Place, score: Score, tmp_path: Path) -> None:
    path = tmp_path / "no.png"

    message = score("staff", place.staff, "--top", "1", "--images", path, code=2)

    assert "stream staff has no images to draw: give a vector feature its shape" in message
    assert not path.exists()


def test_records_without_an_image_leave_no_sheet(place: Place, tmp_path: Path, capfd: Any) -> None:
    (tmp_path / "in").write_text("7=\n")
    path = tmp_path / "no.png"

    code = execute(place.arguments("digits", str(tmp_path / "in"), "--top", "1", "--images", str(path)))

    assert code == 0
    assert "none of the records shown holds an image: nothing was drawn" in capfd.readouterr().err
    assert not path.exists()


def test_a_label_field_of_another_name_stands_in_the_title(place: Place, score: Score, tmp_path: Path) -> None:
    sheets = [tmp_path / "label.png", tmp_path / "pixels.png"]
    for sheet, field in zip(sheets, ("label", "pixels"), strict=True):
        score("digits", place.digits, "--top", "1", "--images", sheet, "--label-field", field)

    assert sheets[0].read_bytes() != sheets[1].read_bytes()


def test_a_label_field_that_no_shown_record_has_is_named_with_the_nearest(
    place: Place, tmp_path: Path, capfd: Any
) -> None:
    options = ["--top", "1", "--images", str(tmp_path / "x.png")]

    code = execute(place.arguments("digits", str(place.digits), *options, "--label-field", "lable"))

    assert code == 2
    message = capfd.readouterr().err
    assert "--label-field: none of the records shown has a field 'lable'; did you mean 'label'?" in message
    assert not (tmp_path / "x.png").exists()


def test_a_default_label_that_is_not_there_is_no_mistake(place: Place, tmp_path: Path, capfd: Any) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(place.config.read_text().replace("?P<label>", "?P<number>"))

    code = execute(["score", "-c", str(config), "--stream", "digits", str(place.digits), "--top", "1",
                    "--images", str(tmp_path / "x.png")])  # fmt: skip

    assert code == 0
    assert "label" not in capfd.readouterr().err


def on_terminal(*arguments: str) -> str:
    """What a command prints on a terminal of 100 columns."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [sys.executable, "-m", "monitor", *arguments], stdout=follower, stderr=subprocess.PIPE, env=environment
    ) as process:
        os.close(follower)
        shown = b"".join(iter(lambda: _some(leader), b""))
    os.close(leader)
    assert process.returncode == 0
    return shown.decode()


def _some(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says EIO when the last writer has closed a terminal
        return b""


@pytest.mark.parametrize("options", [[], ["-o", "-"], ["--label-field", "label"]])
def test_on_a_terminal_a_table_is_printed_and_the_first_image_drawn(place: Place, options: list[str]) -> None:
    text = on_terminal(*place.arguments("digits", str(place.digits), "--top", "2", *options))

    assert "Most anomalous first" in text
    assert "label" in text
    assert "▀" in text


# -- what does not fit together ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--reconstruct", "--latent"], "--reconstruct and --latent write different rows"),
        (["--reconstruct", "--top", "1"], "--reconstruct writes every record: it goes without --top"),
        (["--latent", "--by", "squared"], "--latent writes every record"),
        (["--images", "x.png"], "--images draws the records of --top or --lowest: say how many"),
        (["-o", "x.xlsx"], "-o x.xlsx: there is no format 'xlsx'; name the file .jsonl, .csv or .parquet, or say with"),
        (["--top", "1", "-o", "x.log.gz"], "there is no format 'gz'; name the file"),
        (["--label-field", "city"], "--label-field puts the label into the titles of images: it goes with --images"),
        (["--label-field", "city", "--top", "1"], "it goes with --images FILE.png, or with --top or --lowest on a"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    place: Place, score: Score, options: list[str], message: str
) -> None:
    assert message in score("staff", place.staff, *options, code=2)


@pytest.mark.parametrize("options", [[], ["-o", "-"], ["--top", "1", "-o", "-"]])
def test_parquet_is_not_printed_on_a_terminal(place: Place, options: list[str]) -> None:
    leader, follower = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "monitor", *place.arguments("staff", str(place.staff), "--format", "parquet", *options)],
        stdout=follower,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(follower)
    os.close(leader)

    assert done.returncode == 2
    assert b"Parquet is binary and would garble the terminal: name a file with -o FILE" in done.stderr


def test_parquet_goes_through_a_pipe(place: Place) -> None:
    done = aemonitor(*place.arguments("staff", str(place.staff), "--latent", "--format", "parquet"))

    assert pq.read_table(io.BytesIO(done.stdout)).num_rows == STAFF


def test_an_output_that_cannot_be_made_is_named(place: Place, score: Score, tmp_path: Path) -> None:
    assert "cannot be written" in score("staff", place.staff, "-o", tmp_path / "no" / "x.csv", code=73)
    assert "cannot be written" in score("digits", place.digits, "--top", "1", "--images", tmp_path, code=73)


@pytest.mark.parametrize("option", ["-o", "--images"])
def test_an_output_that_cannot_be_made_is_named_before_anything_is_read(
    place: Place, score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    missing = tmp_path / "missing"
    top = ("--top", "1", "--format", "csv", option)

    message = score("digits", missing, *top, tmp_path / "no" / "x.png", code=73)
    assert f"{tmp_path}/no/x.png: cannot be written: there is no directory {tmp_path}/no" in message
    assert "is a directory; name a file in it" in score("digits", missing, *top, tmp_path, code=73)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root, as in a container, may write everywhere
    message = score("digits", missing, *top, tmp_path / "x.png", code=77)
    assert f"{tmp_path}/x.png: this user may not write in {tmp_path}" in message
    (tmp_path / "pipe").symlink_to("/dev/null")
    assert "pipe: this user may not write it" in score("digits", missing, *top, tmp_path / "pipe", code=77)


@pytest.mark.parametrize("name", ["scores", "scores.JSONL"])
def test_an_output_without_an_ending_is_json_lines(place: Place, score: Score, tmp_path: Path, name: str) -> None:
    score("staff", place.staff, "-o", tmp_path / name)

    assert len(rows_of((tmp_path / name).read_text())) == STAFF


def test_an_output_may_be_a_device(place: Place, score: Score) -> None:
    score("digits", place.digits, "--top", "1", "--images", "/dev/null", "-o", "/dev/null")


def test_an_unreadable_input_leaves_an_older_output_alone(place: Place, score: Score, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("old")

    score("staff", place.staff, tmp_path / "missing", "-o", tmp_path / "out.csv", code=66)

    assert (tmp_path / "out.csv").read_text() == "old"


def test_a_closed_standard_input_is_said(place: Place, score: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # what Python makes of it

    assert "-: standard input is closed" in score("staff", "-", code=66)


# -- the published example ---------------------------------------------------------------------------------------


@pytest.mark.data
def test_the_worst_of_a_thousand_handwritten_digits_comes_with_its_label(
    data_dir: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = itertools.islice(_digits(data_dir / "mnist"), 1000)
    (tmp_path / "digits.txt").write_text("".join(lines))
    config = CONFIG.format(root=tmp_path).replace("[6, 6]", "[28, 28]")
    (tmp_path / "c.yaml").write_text(config.replace("hidden: [8], epochs: 20", "hidden: [32], epochs: 5"))
    arguments = ["-c", str(tmp_path / "c.yaml"), "--stream", "digits"]
    assert execute(["retrain", *arguments, "--input", str(tmp_path / "digits.txt")]) == 0
    capfd.readouterr()

    code = execute(["score", *arguments, str(tmp_path / "digits.txt"), "--top", "1", "--by", "squared"])

    assert code == 0
    (row,) = rows_of(capfd.readouterr().out)
    written = (tmp_path / "digits.txt").read_text().splitlines()[row["line"] - 1]
    label, pixels = written.split("=")
    assert row["fields"]["label"] == {"actual": int(label)}
    assert row["fields"]["pixels"]["actual"] == [float(pixel) for pixel in pixels.split()]


def _digits(directory: Path) -> Any:
    with gzip.open(directory / "train-images-idx3-ubyte.gz") as images:
        pixels = np.frombuffer(images.read(16 + 1000 * 784)[16:], np.uint8).reshape(-1, 784)
    with gzip.open(directory / "train-labels-idx1-ubyte.gz") as labels:
        names = np.frombuffer(labels.read()[8:], np.uint8)
    return (f"{name}={' '.join(map(str, row))}\n" for name, row in zip(names, pixels, strict=False))
