"""Records that are images: made from encoded rows, drawn on sheets and on terminals."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from matplotlib import image
from rich.console import Console
from rich.text import Text

from monitor.app.cleaning import UNPARSED
from monitor.cli.picture import draw
from monitor.cli.score_table import print_rows
from monitor.core.arrays import F64
from monitor.core.records import RecordBatch
from monitor.encoders.vector import FittedVector
from monitor.ingest.features import FeatureSpace
from monitor.reporting.contact_sheet import sheets_png
from monitor.reporting.evaluation import Picture
from monitor.reporting.pictures import Place, image_feature, pictures, pictures_by_row
from monitor.reporting.score_rows import FieldValues, ScoreRow
from tests.encoding import encoder
from tests.records import records
from tests.support_models import network
from tests.unit.test_l1 import scorer


def images(count: int, pixels: int, seed: int = 0) -> list[list[float]]:
    made: list[list[float]] = np.random.default_rng(seed).integers(0, 256, (count, pixels)).astype(float).tolist()
    return made


def space(batch: RecordBatch, *, novelty: bool = True, **options: Any) -> FeatureSpace:
    encoders = {"level": encoder("numeric", "level"), "pixels": encoder("vector", "pixels", **options)}
    return FeatureSpace.fit(encoders, batch, novelty=novelty)


def encoder_of(features: FeatureSpace) -> FittedVector:
    (found,) = [f.encoder for f in features.features if isinstance(f.encoder, FittedVector)]
    return found


def benign(pixels: int) -> RecordBatch:
    return records(pixels=images(40, pixels), level=[float(k) for k in range(40)])


def drawn(features: FeatureSpace, batch: RecordBatch) -> list[Picture]:
    judge = scorer(network(features.layout.width), features.layout)
    places = [Place("f", row + 1, 0.5, f"label {row}") for row in range(len(batch))]
    return pictures(features, judge, features.encode(batch).values, places)


# -- from encoded rows -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"divide_by": 255}, {}])
@pytest.mark.parametrize("shape", [[2, 3], [2, 2, 3]])
def test_a_picture_is_the_image_as_it_was(shape: list[int], options: dict[str, Any]) -> None:
    size = int(np.prod(shape))
    features = space(benign(size), shape=shape, **options)
    pixels = images(3, size, seed=1)

    found = drawn(features, records(pixels=pixels, level=[1.0, 2.0, 3.0]))

    assert [(p.file, p.line, p.score, p.label) for p in found] == [("f", k + 1, 0.5, f"label {k}") for k in range(3)]
    for picture, values in zip(found, pixels, strict=True):
        np.testing.assert_allclose(picture.image, np.reshape(values, shape), atol=0.5)
        assert picture.reconstruction.shape == tuple(shape)


def test_black_and_white_are_the_ends_of_the_benign_range() -> None:
    batch = records(pixels=[[0.0, 10.0], [200.0, 20.0]] * 20, level=[1.0, 2.0] * 20)

    (picture,) = drawn(space(batch, shape=[1, 2], divide_by=255), records(pixels=[[250.0, 20.0]], level=[1.0]))

    assert [picture.low, picture.high] == pytest.approx([0.0, 200.0])
    assert picture.image.tolist() == [[250.0, 20.0]]  # not tamed to what is benign


def test_records_without_an_image_have_no_picture() -> None:
    pixels = [[1.0, 2.0], None, [1.0, 2.0, 3.0], [float("nan"), 2.0]]

    found = drawn(space(benign(2), shape=[1, 2], divide_by=255), records(pixels=pixels, level=[1.0] * 4))

    assert [picture.line for picture in found] == [1, 4]
    assert np.isfinite(found[1].image).all()


def test_images_that_were_missing_in_benign_data_too_have_no_picture() -> None:
    batch = records(pixels=[*images(30, 2), None, None, [1.0, float("nan")]], level=[1.0] * 33)

    found = drawn(space(batch, shape=[1, 2], divide_by=255), records(pixels=[None, [1.0, 2.0]], level=[1.0] * 2))

    assert [picture.line for picture in found] == [2]


@pytest.mark.parametrize("learned", [[*images(38, 2), None, None], images(40, 2)])
def test_a_model_without_novelty_draws_no_missing_image_either(learned: list[Any]) -> None:
    features = space(records(pixels=learned, level=[1.0, 2.0] * 20), novelty=False, shape=[1, 2], divide_by=255)

    found = drawn(features, records(pixels=[None, [1.0, 2.0]], level=[1.0] * 2))

    assert [picture.line for picture in found] == [2]


def test_without_novelty_columns_only_what_benign_data_showed_is_known_to_be_absent() -> None:
    encoder = encoder_of(space(records(pixels=[*images(38, 2), None, None], level=[1.0, 2.0] * 20)))
    columns = np.array([[0.1, 0.2, 0.0], [0.1, 0.2, 1.0]], dtype=np.float32)  # the last is "missing"

    assert encoder.columns[2] == "missing"
    assert encoder.absent(columns, columns[:, :0]).tolist() == [False, True]


def test_pictures_are_known_by_their_row() -> None:
    features = space(benign(2), shape=[1, 2], divide_by=255)
    judge = scorer(network(features.layout.width), features.layout)
    values = features.encode(records(pixels=[None, [1.0, 2.0], None, [3.0, 4.0]], level=[1.0] * 4)).values

    found = pictures_by_row(features, judge, values, [Place("f", row + 5, 0.5) for row in range(4)])

    assert {row: picture.line for row, picture in found.items()} == {1: 6, 3: 8}


@pytest.mark.parametrize("options", [{}, {"shape": [4]}, {"shape": [1, 2, 2]}])
def test_a_vector_without_the_shape_of_an_image_is_none(options: dict[str, Any]) -> None:
    features = space(benign(4), **options)

    assert image_feature(features) is None
    assert drawn(features, benign(4)) == []


def test_the_feature_that_is_drawn_is_named() -> None:
    assert image_feature(space(benign(4), shape=[2, 2])) == "pixels"


def test_no_rows_have_no_pictures() -> None:
    features = space(benign(4), shape=[2, 2])

    assert pictures(features, scorer(network(features.layout.width), features.layout), np.empty((0, 1), "f4"), []) == []


# -- on a terminal -----------------------------------------------------------------------------------------------


def picture(made: F64, **changes: Any) -> Picture:
    facts: dict[str, Any] = {
        "file": "f", "line": 7, "score": 1.5, "label": "5", "image": made, "reconstruction": np.zeros_like(made),
        "low": 0.0, "high": 100.0,
    }  # fmt: skip
    return Picture(**(facts | changes))


def lines(text: Text) -> list[str]:
    return text.plain.split("\n")


def test_two_pixels_share_a_character_the_upper_one_in_ink_and_the_lower_one_on_paper() -> None:
    text = draw(picture(np.array([[100.0], [20.0]])), 80, colours=True)

    assert text.plain == "▀  ▀  ▀"
    colours = [(span.style.color.triplet, span.style.bgcolor.triplet) for span in text.spans]  # type: ignore[union-attr]
    assert colours == [((255,) * 3, (51,) * 3), ((0,) * 3, (0,) * 3), ((255,) * 3, (51,) * 3)]


def test_colour_images_keep_their_colours() -> None:
    text = draw(picture(np.array([[[100.0, 0.0, 50.0]]])), 80, colours=True)

    assert text.spans[0].style.color.triplet == (255, 0, 128)  # type: ignore[union-attr]


def test_without_colours_shades_are_drawn() -> None:
    made = np.array([[0.0, 25.0, 50.0, 75.0, 100.0, 900.0, -9.0]] * 2)

    assert draw(picture(made), 80, colours=False).plain.startswith(" ░▒▓██ ")


@pytest.mark.parametrize("width", [1, 20, 50, 79, 200, 1000])
@pytest.mark.parametrize("shape", [(28, 28), (301, 640), (5, 1), (640, 480, 3)])
def test_a_drawing_is_never_wider_than_the_terminal(shape: tuple[int, ...], width: int) -> None:
    text = draw(picture(np.full(shape, 50.0)), width, colours=True)

    assert max(map(len, lines(text))) <= max(width, 7)
    assert {line.count("▀") for line in lines(text)[-1:]} <= set(range(3, 193, 3))


def test_a_large_image_is_averaged_not_sampled() -> None:
    made = np.tile(np.array([[0.0, 100.0], [100.0, 0.0]]), (8, 8))  # 16 by 16: fine checks

    text = draw(picture(made), 3 * 8 + 4, colours=True)

    assert {span.style.color.triplet for span in text.spans[:8]} == {(128, 128, 128)}  # type: ignore[union-attr]


def test_a_missing_pixel_is_black() -> None:
    text = draw(picture(np.array([[np.nan], [100.0]])), 80, colours=True)

    assert text.spans[0].style.color.triplet == (0, 0, 0)  # type: ignore[union-attr]


def row(line: int, **changes: Any) -> ScoreRow:
    facts: dict[str, Any] = {
        "file": "f", "line": line, "group": "top", "score": 4.25, "error": 0.5, "squared_error": None,
        "mean_squared_error": None, "alert": True, "summary": "digits: pixels are odd",
        "fields": {"label": FieldValues(5.0), "age": FieldValues(41.0, 85656.861, True)},
    }  # fmt: skip
    return ScoreRow(**(facts | changes))


def shown(*rows: ScoreRow, found: dict[str, list[Picture]] | None = None, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_rows(console, rows, found or {})
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_has_score_line_sentence_and_the_fields_in_their_units() -> None:
    text = shown(row(7), row(9, group="lowest", score=-0.01, alert=False, summary=""))

    assert text.index("Most anomalous first") < text.index("4.25") < text.index("digits: pixels are odd")
    assert "85656.9" in text
    assert text.index("Prototypes of normal") < text.index("-0.01")
    assert "f:" not in text  # one file needs no name on each row


def test_records_of_several_files_are_told_apart_and_squared_errors_have_a_column() -> None:
    text = shown(row(7, squared_error=57.29), row(7, file="other", squared_error=1.0))

    assert "f:7" in text
    assert "other:7" in text
    assert "57.29" in text


def test_only_the_first_image_of_a_group_is_drawn() -> None:
    bright, dark = picture(np.full((28, 28), 100.0)), picture(np.zeros((28, 28)), line=8)

    text = shown(row(7), row(8), found={"top": [bright, dark]})

    assert "line 7 · label 5" in text
    assert text.count("█" * 28) == 28  # the input and the difference
    assert "line 8" not in text


def test_nothing_of_a_record_can_move_the_cursor() -> None:
    hostile = "\x1b[2J\u202e[bold]x[/bold]"
    fields = {hostile: FieldValues(hostile, hostile, True)}
    found = {"top": [picture(np.zeros((2, 2)), label=hostile)]}

    text = shown(row(1, summary=hostile, file=hostile, fields=fields), row(2), found=found, width=200)

    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[bold]x[/bold]" in text


def test_a_record_of_many_fields_is_cut_and_says_so() -> None:
    fields = {f"field{k}": FieldValues(float(k)) for k in range(40)}

    text = shown(row(1, fields=fields))

    assert "field11" in text
    assert "field12" not in text
    assert "and 28 more; --format jsonl has them all" in text


# -- on a sheet --------------------------------------------------------------------------------------------------


def test_the_sheets_of_several_groups_stand_below_each_other() -> None:
    bright = [picture(np.full((4, 4), 100.0))] * 3
    one = image.imread(io.BytesIO(sheets_png({"Top": bright})), format="png")

    both = image.imread(io.BytesIO(sheets_png({"Top": bright, "Lowest": bright})), format="png")

    assert both.shape == (2 * one.shape[0], *one.shape[1:])
    np.testing.assert_allclose(both[: len(one)], one, atol=1 / 255)


def test_the_same_pictures_give_the_same_bytes() -> None:
    groups = {"A": [picture(np.eye(4))], "B": [picture(np.eye(3))]}

    assert sheets_png(groups) == sheets_png(groups)


def test_the_name_of_the_column_of_unparsed_text_is_part_of_the_format() -> None:
    assert UNPARSED == "_unparsed"
