"""``aemonitor data``: generators, converters of images, planted corruptions, and what they refuse."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from monitor.cli import execute
from monitor.cli.exits import ExitCode
from monitor.core.arrays import U8
from monitor.core.errors import DataError, NoInputError, PermissionDeniedError, UsageError
from monitor.datasets import idx
from monitor.datasets.corruption import corrupted
from monitor.datasets.employee import employees
from monitor.datasets.image_text import image_text
from monitor.datasets.images import read_images
from monitor.datasets.sensors import CHANNELS, FAULTS, plant

COUNT, SIDE = 7, 3
PIXELS = np.random.default_rng(5).integers(0, 256, (COUNT, SIDE * SIDE)).astype(np.uint8)
DIGITS = np.array([5, 0, 4, 1, 9, 2, 1], dtype=np.uint8)


def idx_bytes(data: U8, *sizes: int, code: int = 8) -> bytes:
    return bytes([0, 0, code, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes) + data.tobytes()


IMAGES_IDX = idx_bytes(PIXELS, COUNT, SIDE, SIDE)
LABELS_IDX = idx_bytes(DIGITS, COUNT)
CSV = "label," + ",".join(f"pixel{n + 1}" for n in range(SIDE * SIDE)) + "\n" + "".join(
    f"{digit},{','.join(map(str, row))}\n" for digit, row in zip(DIGITS.tolist(), PIXELS.tolist(), strict=True)
)  # fmt: skip


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes | str], str]:
    """Makes a file and gives its path."""

    def make(name: str, data: bytes | str) -> str:
        place = tmp_path / name
        place.write_bytes(data.encode() if isinstance(data, str) else data)
        return str(place)

    return make


Write = Callable[[str, bytes | str], str]


def short(value: bytes | str) -> str:
    """A parameter's name in reports."""
    return value[:40] if isinstance(value, str) else f"{len(value)} bytes"


def converted(path: str, labels: str | None = None, first: int | None = None, form: str = "csv") -> str:
    return "".join(image_text(read_images(path, labels, first), form))  # type: ignore[arg-type]


# -- employees -----------------------------------------------------------------------------------------------------


def test_employees_have_the_published_values_and_depend_on_the_seed_alone() -> None:
    header, *rows = "".join(employees(4000, seed=3)).splitlines()
    sexes, ages, cities, incomes, jobs = zip(*(row.split(",") for row in rows), strict=True)

    assert header == "sex,age,city,income,job"
    assert 0.47 < sexes.count("M") / 4000 < 0.53
    assert (set(sexes), set(cities)) == ({"M", "F"}, {"anaheim", "boulder", "concord"})
    assert set(jobs) == {"mgmt", "supp", "tech"}
    assert {int(age) for age in ages} == set(range(18, 69))
    assert 23_000 <= min(map(int, incomes)) < 24_000
    assert 88_000 < max(map(int, incomes)) <= 89_000
    assert list(employees(9, seed=3)) == list(employees(9, seed=3)) != list(employees(9, seed=4))


# -- sensors -------------------------------------------------------------------------------------------------------


def test_every_sort_of_fault_is_planted_late_labelled_and_leaves_all_other_rows_alone() -> None:
    benign, faulty = plant(2000, 0, seed=1), plant(2000, 6, seed=1)

    assert [fault.sort for fault in faulty.planted] == [fault.sort for fault in FAULTS]
    rows = [row for fault in faulty.planted for row in range(fault.first - 1, fault.last)]
    assert min(rows) >= 1200
    assert np.flatnonzero(faulty.labels).tolist() == rows
    assert np.array_equal(np.delete(benign.readings, rows, axis=0), np.delete(faulty.readings, rows, axis=0))
    for fault in faulty.planted:
        column = [channel.name for channel in CHANNELS].index(fault.channel)
        spoiled = slice(fault.first - 1, fault.last)
        assert not np.array_equal(benign.readings[spoiled, column], faulty.readings[spoiled, column])
    assert not benign.labels.any()


def test_three_hidden_states_drive_all_channels() -> None:
    readings = plant(5000, 0, seed=2).readings

    strengths = np.linalg.eigvalsh(np.corrcoef(readings.T))[::-1]  # of the principal components, strongest first
    assert strengths[:3].sum() / len(CHANNELS) > 0.95
    assert strengths[2] > 0.5


def test_sensor_lines_have_a_time_rounded_readings_and_a_label() -> None:
    header, first, *_, last = "".join(plant(1500, 1, seed=1).lines()).splitlines()

    assert header.split(",") == ["time", *(channel.name for channel in CHANNELS), "label"]
    cells = first.split(",")
    assert (cells[0], cells[-1]) == ("2026-01-05T00:00:00Z", "0")
    assert [len(cell.partition(".")[2]) for cell in cells[1:-1]] == [channel.decimals for channel in CHANNELS]
    assert last.startswith("2026-01-06T00:59:00Z,")
    assert list(plant(1, 0, seed=2).lines())[1].startswith("2026-01-12T00:00:00Z,")  # the next week


def test_faults_that_do_not_fit_are_refused_with_a_number_of_rows_that_does() -> None:
    with pytest.raises(UsageError, match=r"12 anomalies do not fit into the last 40 % of 20 rows; ask for --rows 121"):
        plant(20, 12, seed=1)
    assert len(plant(121, 12, seed=1).planted) == 12


# -- images --------------------------------------------------------------------------------------------------------


def test_idx_plain_or_packed_and_csv_with_or_without_a_header_are_the_same_images(write: Write) -> None:
    labels = write("labels", LABELS_IDX)
    sources = [
        (write("images", IMAGES_IDX), labels),
        (write("images.gz", gzip.compress(IMAGES_IDX)), write("labels.gz", gzip.compress(LABELS_IDX))),
        (write("images.csv", CSV), None),
        (write("packed", gzip.compress(CSV.encode())), None),
        (write("packed.xz", lzma.compress(CSV.encode())), None),
        (write("images.bz2", bz2.compress(IMAGES_IDX)), write("labels.xz", lzma.compress(LABELS_IDX))),
        (write("bare.csv", CSV.partition("\n")[2]), None),
        (write("dos.csv", "\ufeff" + CSV.replace("\n", "\r\n")), None),
        (write("blank-lines.csv", CSV + "\n\n"), None),
    ]

    for path, its_labels in sources:
        assert converted(path, its_labels) == CSV, path


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_no_image_of_a_named_pipe_is_lost(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    pipe, rows = tmp_path / "pipe", "".join(f"{n},0,{n % 256},255\n" for n in range(5000))
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(pack(rows.encode()),), daemon=True)
    writer.start()

    text = converted(str(pipe))

    writer.join()
    assert text.partition("\n")[2] == rows


def test_images_whose_cells_are_their_places_are_images(write: Write) -> None:
    assert converted(write("places.csv", "0,1,2\n0,1,2\n")) == "label,pixel1,pixel2\n0,1,2\n0,1,2\n"


def test_a_header_may_quote_names_with_commas_and_leave_one_out(write: Write) -> None:
    assert converted(write("quoted.csv", '"label","a, b",\n1,2,3\n')) == "label,pixel1,pixel2\n1,2,3\n"


def test_the_largest_image_is_read_to_its_last_pixel(write: Write) -> None:
    row = ",".join(["1000000", *["255"] * 65_535])

    assert converted(write("large.csv", row)).splitlines()[1] == row


def test_a_header_with_a_label_may_number_the_pixels(write: Write) -> None:
    assert converted(write("pandas.csv", "0,1,label\n1,2,3\n")) == "label,pixel1,pixel2\n3,1,2\n"


def test_the_label_column_may_stand_anywhere_or_nowhere(write: Write) -> None:
    last = "\n".join(",".join([*line.split(",")[1:], line.split(",")[0]]) for line in CSV.splitlines())
    none = "\n".join(",".join(line.split(",")[1:]) for line in CSV.splitlines()) + "\n"

    assert converted(write("last.csv", last.replace("label", '"Label"'))) == CSV
    assert converted(write("none.csv", none)) == none
    assert converted(write("images", IMAGES_IDX)) == none


def test_only_the_first_images_are_taken_and_nothing_behind_them_is_read(write: Write) -> None:
    damaged = CSV.splitlines(keepends=True)[:3] + ["rubbish\n"] * 3

    assert converted(write("images", IMAGES_IDX), write("labels", LABELS_IDX), first=2) == "".join(damaged[:3])
    assert converted(write("images.csv", CSV), first=2) == "".join(damaged[:3])
    assert converted(write("images.csv", CSV), first=100) == CSV


def test_blocks_join_without_a_seam(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "BLOCK_BYTES", 2 * SIDE * SIDE)

    blocks = list(read_images(write("images", IMAGES_IDX), write("labels", LABELS_IDX)))

    assert [len(block) for block in blocks] == [2, 2, 2, 1]
    assert np.array_equal(np.concatenate([block.pixels for block in blocks]), PIXELS)
    assert np.concatenate([block.labels["label"] for block in blocks]).tolist() == DIGITS.tolist()


def test_lines_and_json_lines_hold_the_same_images(write: Write) -> None:
    path = write("images.csv", CSV)

    lines = converted(path, form="lines").splitlines()
    objects = [json.loads(line) for line in converted(path, form="jsonl").splitlines()]

    assert lines == [f"{d}={' '.join(map(str, row))}" for d, row in zip(DIGITS, PIXELS.tolist(), strict=True)]
    assert [each["pixels"] for each in objects] == PIXELS.tolist()
    assert [each["label"] for each in objects] == DIGITS.tolist()


def test_json_lines_without_labels_have_no_label_and_plain_lines_are_refused(write: Write) -> None:
    path = write("images", IMAGES_IDX)

    assert json.loads(converted(path, first=1, form="jsonl")) == {"pixels": PIXELS[0].tolist()}
    with pytest.raises(
        UsageError, match=r"`lines` begin with the label, which these images do not have; give --labels"
    ):
        converted(path, form="lines")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (IMAGES_IDX[:-1], r"cut short: its header promises 7 images of 3 x 3, it ends after 6"),
        (IMAGES_IDX[:9], r"cut short within its header"),
        (IMAGES_IDX[:3], r"cut short within its header"),
        (b"\0\1" + IMAGES_IDX[2:], r"is not an IDX file: it begins with 00 01 08 03"),
        (IMAGES_IDX + b"x", r"goes on after the 7 images of 3 x 3 that its header promises; it is damaged"),
        (idx_bytes(PIXELS, COUNT, SIDE, SIDE, code=0x0D), r"holds float32; images are unsigned bytes \(code 08\)"),
        (LABELS_IDX, r"has 1 dimension, as labels have; images have 3"),
        (idx_bytes(PIXELS, COUNT, SIDE * SIDE), r"has 2 dimensions; images have 3"),
        (idx_bytes(PIXELS[:0], 0, SIDE, SIDE), r"holds no image"),
        (idx_bytes(PIXELS, 2**32 - 1, 2**16, 2**16), r"images of 65,536 x 65,536 pixels; there must be 1 to 65,536"),
        (idx_bytes(PIXELS, COUNT, 0, SIDE), r"images of 0 x 3 pixels; there must be 1 to"),
        (gzip.compress(IMAGES_IDX)[:-9], r"cannot be read to its end: Compressed file ended"),
        (gzip.compress(IMAGES_IDX)[:-8] + bytes(8), r"cannot be read to its end: CRC check failed"),
    ],
    ids=short,
)
def test_a_damaged_or_foreign_idx_file_is_named_with_what_is_wrong(write: Write, data: bytes, message: str) -> None:
    path = write("images", data)

    with pytest.raises(DataError, match=f"^{path}: {message}"):
        converted(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (LABELS_IDX[:-1], r"labels: cut short: its header promises 7 labels, it ends after 6"),
        (LABELS_IDX + b"x", r"labels: goes on after the 7 labels that its header promises"),
        (idx_bytes(DIGITS[:3], 3), r"labels has 3 labels but .*images has 7 images; they do not belong together"),
        (IMAGES_IDX, r"labels: has 3 dimensions, as images have; labels have 1"),
        (b"7\n2\n", r"labels: is not an IDX file: it begins with 37 0a 32 0a"),
        (b"", r"labels: cut short within its header"),
    ],
    ids=short,
)
def test_labels_that_do_not_fit_the_images_are_refused(write: Write, data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        converted(write("images", IMAGES_IDX), write("labels", data))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,a,b\n1,0,0\n2,0,256\n", r"line 3, 'b': 256; a pixel is a whole number from 0 to 255"),
        ("a,b,label\n0,-1,3\n", r"line 2, 'b': -1; a pixel"),
        ("label,a\n1,2.5\n", r"line 2, 'a': 2.5; a pixel"),
        ("label,a\n1,\n", r"line 2, 'a': missing, or no number; a pixel"),
        ("1,2\n3,x\n", r"line 2, 'pixel1': missing, or no number; a pixel"),
        ("label,a\n,0\n", r"line 2: the label is not a whole number"),
        ("label,a\ncat,0\n", r"line 2: the label is not a whole number"),
        ("label,a\n1e300,0\n", r"line 2: the label is not a whole number"),
        ("label,a,b\n1,0,0\n\n1,0\n", r"line 4: expected 3 columns, found 2"),
        ("label,a\n", r"holds no image"),
        ("label,a\n\n\n", r"holds no image"),
        ("label,label\n", r"holds no image"),
        ("5,,0\n1,2,3\n", r"line 1, cell 2: '' is no number, but others of this line are; an image has numbers only"),
        ("x,7,0\n1,2,3\n", r"line 1, cell 1: 'x' is no number"),
        (",,\n1,2,3\n", r"line 1: the label is not a whole number"),
        ("label,a\rlabel,b\r", r"line 1 cannot be read as CSV: new-line character"),
        ("label," + "x" * 200_000 + "\n", r"line 1 cannot be read as CSV: field larger than field limit"),
        ("1,2\n3," + "0" * 2_000_000 + "4\n", r"line 2: is longer than 1,048,576 bytes"),
        ("PNG rubbish\n", r"is neither an IDX file nor CSV: it begins with 'PNG rubbish'"),
        ("label," + "x," * 65_536 + "x\n", r"line 1 has 65,538 cells; a label and its pixels may be 65,536"),
    ],
    ids=short,
)
def test_csv_that_holds_no_images_is_named_with_the_line(write: Write, text: str, message: str) -> None:
    path = write("images.csv", text)

    with pytest.raises(DataError, match=f"^{path}: {message}"):
        converted(path)


def test_files_that_cannot_be_opened_and_labels_beside_csv_are_refused(write: Write, tmp_path: Path) -> None:
    csv, images = write("images.csv", CSV), write("images", IMAGES_IDX)

    with pytest.raises(NoInputError, match=r"nowhere: there is no such file"):
        converted(str(tmp_path / "nowhere"))
    with pytest.raises(NoInputError, match=r"nowhere: there is no such file"):
        converted(images, str(tmp_path / "nowhere"))
    with pytest.raises(NoInputError, match=r"is a directory; name a file"):
        converted(str(tmp_path))
    with pytest.raises(NoInputError, match=r"empty: is empty"):
        converted(write("empty", b""))
    with pytest.raises(UsageError, match=r"is not an IDX file, so its labels are its column `label`: leave --labels"):
        converted(csv, images)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_csv_that_is_cut_short_is_named(write: Write, pack: Callable[[bytes], bytes]) -> None:
    path = write("cut.csv", pack(CSV.encode())[:-9])

    with pytest.raises(DataError, match=f"^{path}: cannot be read to its end: Compressed file ended"):
        converted(path)


def test_standard_input_that_is_closed_is_no_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # what python makes of <&-

    assert execute(["data", "images", "-"]) == ExitCode.NO_INPUT

    assert "-: standard input is closed" in capsys.readouterr().err


def test_a_file_that_may_not_be_read_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("images", IMAGES_IDX)

    def refuse(*_arguments: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(Path, "open", refuse)  # a mode would not stop root
    with pytest.raises(PermissionDeniedError, match=r"images: this user may not read it"):
        converted(path)


# -- corruption ----------------------------------------------------------------------------------------------------


def test_noise_is_added_to_the_first_images_capped_and_labelled(write: Write) -> None:
    images = read_images(write("images", IMAGES_IDX), write("labels", LABELS_IDX))

    (block,) = corrupted(images, count=3, low=100, high=200, seed=1)

    added = block.pixels.astype(int) - PIXELS
    spoiled = PIXELS[:3].astype(int)
    assert ((added[:3] >= np.minimum(100, 255 - spoiled)) & (added[:3] <= np.minimum(200, 255 - spoiled))).all()
    assert not added[3:].any()
    assert block.labels["label"].tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert block.labels["digit"].tolist() == DIGITS.tolist()


def test_noise_takes_both_ends_of_its_range(write: Write) -> None:
    black = write("black", idx_bytes(np.zeros(9000, np.uint8), 1000, 3, 3))

    (block,) = corrupted(read_images(black), count=1000, low=3, high=6, seed=1)

    assert np.unique(block.pixels).tolist() == [3, 4, 5, 6]


def test_the_same_seed_gives_the_same_noise_in_whatever_blocks(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("images", IMAGES_IDX)
    (whole,) = corrupted(read_images(path), 6, 0, 99, seed=1)
    (other,) = corrupted(read_images(path), 6, 0, 99, seed=2)
    monkeypatch.setattr(idx, "BLOCK_BYTES", SIDE * SIDE)

    pieces = [block.pixels for block in corrupted(read_images(path), 6, 0, 99, seed=1)]

    assert np.array_equal(np.concatenate(pieces), whole.pixels)
    assert not np.array_equal(other.pixels, whole.pixels)


def test_more_images_to_corrupt_than_there_are_is_an_error(write: Write) -> None:
    with pytest.raises(DataError, match=r"only 7 images, fewer than the 8 to corrupt; give a smaller --count"):
        list(corrupted(read_images(write("images", IMAGES_IDX)), 8, 0, 9, seed=1))


# -- the command ---------------------------------------------------------------------------------------------------


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "employees.csv"
    place.write_text("precious")

    assert execute(["data", "employee", "-o", str(place)]) == ExitCode.CANNOT_CREATE
    assert place.read_text() == "precious"
    assert "exists; give another name with -o, or --force to replace it" in capsys.readouterr().err
    assert execute(["data", "employee", "-o", str(place), "--force"]) == ExitCode.OK
    assert place.read_text() == "".join(employees(240, seed=1))
    assert capsys.readouterr().err == f"wrote {place}: 241 lines\n"


def test_a_symbolic_link_is_kept_unless_forced(tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "nowhere.csv")

    assert execute(["data", "employee", "-o", str(link)]) == ExitCode.CANNOT_CREATE
    assert list(tmp_path.iterdir()) == [link]


def test_a_pipe_of_the_shell_is_written_to(tmp_path: Path) -> None:
    reader, writer = os.pipe()

    assert execute(["data", "employee", "--rows", "9", "-o", f"/dev/fd/{writer}"]) == ExitCode.OK

    os.close(writer)
    with os.fdopen(reader) as pipe:
        assert pipe.read() == "".join(employees(9, seed=1))


def test_a_conversion_that_fails_leaves_no_file_and_keeps_the_old_one(write: Write, tmp_path: Path) -> None:
    broken, old = write("broken", IMAGES_IDX[:-1]), write("old.csv", "precious")

    assert execute(["data", "images", broken, "-o", str(tmp_path / "new.csv")]) == ExitCode.DATA
    assert execute(["data", "images", broken, "-o", old, "--force"]) == ExitCode.DATA

    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "old.csv"]
    assert Path(old).read_text() == "precious"


def test_a_file_can_be_converted_in_its_place(write: Write) -> None:
    path = write("images.csv", CSV)

    assert execute(["data", "images", path, "--format", "lines", "-o", path, "--force"]) == ExitCode.OK

    assert Path(path).read_text().startswith("5=")


def test_standard_output_and_standard_input_are_a_dash(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for data in (CSV.encode(), gzip.compress(IMAGES_IDX)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))
        assert execute(["data", "images", "-", "--first", "1"]) == ExitCode.OK
        assert capsys.readouterr().out.splitlines()[1].endswith(",".join(map(str, PIXELS[0].tolist())))


def test_planted_faults_are_listed_on_standard_error_and_the_data_stay_clean(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert execute(["data", "sensors", "--rows", "100", "--anomalies", "2", "--seed", "7"]) == ExitCode.OK

    printed = capsys.readouterr()
    assert printed.out == "".join(plant(100, 2, seed=7).lines())
    assert printed.err.splitlines() == [fault.text() for fault in plant(100, 2, seed=7).planted]


def test_corruption_from_the_command_line_takes_csv_and_idx_alike(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ["--count", "2", "--noise", "0-20", "--seed", "4", "--format", "csv"]
    labels = ["--labels", write("labels", LABELS_IDX)]

    assert execute(["data", "mnist-corrupt", write("images", IMAGES_IDX), *labels, *wanted]) == ExitCode.OK
    from_idx = capsys.readouterr().out
    assert execute(["data", "mnist-corrupt", write("images.csv", CSV), *wanted]) == ExitCode.OK
    assert capsys.readouterr().out == from_idx
    assert [line[:2] for line in from_idx.splitlines()[1:]] == ["1,", "1,", *["0,"] * 5]


@pytest.mark.parametrize("noise", ["200-100", "0-256", "5", "-5-5", "a-b", "0-99999999999999999999"])
def test_a_noise_range_that_is_none_is_a_usage_error(noise: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["data", "mnist-corrupt", "x", f"--noise={noise}"]) == ExitCode.USAGE
    assert "is not LOW-HIGH with 0 <= LOW <= HIGH <= 255, such as 100-200" in capsys.readouterr().err


def test_an_output_whose_directory_is_missing_cannot_be_created(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["data", "employee", "-o", str(tmp_path / "no" / "x.csv")]) == ExitCode.CANNOT_CREATE
    assert "x.csv: cannot be written: No such file or directory" in capsys.readouterr().err


def test_mnist_itself_is_converted_and_corrupted(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, labels = (
        str(data_dir / "mnist" / f"t10k-{name}.gz") for name in ("images-idx3-ubyte", "labels-idx1-ubyte")
    )

    assert execute(["data", "mnist-corrupt", images, "--labels", labels, "--format", "jsonl"]) == ExitCode.OK

    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["label"] for row in rows] == [1] * 1000 + [0] * 9000
    assert [row["digit"] for row in rows[:5]] == [7, 2, 1, 0, 4]
    assert min(min(row["pixels"]) for row in rows[:1000]) == 100
    assert {len(row["pixels"]) for row in rows} == {784}
