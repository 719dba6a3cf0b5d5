"""Images in CSV: one a line, its pixels 0 to 255, with or without a header and a label.

With a header the label is the column ``label``, in any case of letters, and all others are pixels in their order;
without one, the first column is the label.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.core.arrays import F64, I64
from monitor.core.errors import DataError
from monitor.core.names import MOST_NAMES, quoted
from monitor.core.protocols import Parser
from monitor.core.records import Field, FieldType, RawBatch
from monitor.datasets.blocks import LABEL, ImageBlock
from monitor.ingest.framing import Framer
from monitor.ingest.reading import Readable, read_stream
from monitor.parsers import csv_rows

BRIGHTEST = 255
LARGEST_LABEL = 2**53
"""Beyond it a float64, which is how cells are read, has no room for every integer."""

MOST_LINE_BYTES = 16 * MOST_NAMES
"""What the largest image takes, four bytes a cell, with room for blanks or quotes; a longer line would be cut."""


def csv_images(path: str, stream: Readable) -> Iterator[ImageBlock]:
    """The images that ``stream`` holds from its beginning; ``path`` is what they are called.

    Raises:
        DataError: it is no CSV, a row has another number of cells than the first, or a cell is no pixel or label.
    """
    form: _Form | None = None
    line, found = 1, False  # the line of the next batch's first record; whether any image was there
    for raw in read_stream(stream, path, Framer(MOST_LINE_BYTES)):
        first = line
        line += len(raw)
        for row in np.flatnonzero(raw.truncated).tolist():
            raise DataError(f"{path}: line {first + row}: is longer than {MOST_LINE_BYTES:,} bytes")
        if form is None:
            form = _Form.of(path, raw.line(0))
        if block := form.block(raw, first):
            found = True
            yield block
    if not found:
        raise DataError(f"{path}: holds no image")


@dataclass(frozen=True, slots=True)
class _Form:
    """What the first line says of all others. ``label`` is the place of the label column; messages use ``names``."""

    path: str
    names: tuple[str, ...]
    label: int | None
    has_header: bool
    places: tuple[Field, ...]
    parser: Parser

    @classmethod
    def of(cls, path: str, line: str) -> _Form:
        if "," not in line:
            raise DataError(f"{path}: is neither an IDX file nor CSV: it begins with {quoted(line)}")
        cells = _cells(path, line)
        has_header = _is_header(path, cells)
        label = 0
        if has_header:
            label = next((place for place, cell in enumerate(cells) if _is_label(cell)), -1)
        if len(cells) > MOST_NAMES:
            raise DataError(f"{path}: line 1 has {len(cells):,} cells; a label and its pixels may be {MOST_NAMES:,}")
        names = cells if has_header else [LABEL, *(f"pixel{number}" for number in range(1, len(cells)))]
        # Cells go by their place: names may be anything, empty or twice the same. No image has such cells, which the
        # parser would pass over as a header.
        places = tuple(Field(f"cell {place}", FieldType.NUMBER) for place in range(len(cells)))
        parser = csv_rows.build(csv_rows.Config(columns=[place.name for place in places]), places)
        return cls(path, tuple(names), None if label < 0 else label, has_header, places, parser)

    def block(self, raw: RawBatch, first_line: int) -> ImageBlock | None:
        """The images of a batch whose first record is line ``first_line``; None if it has none but blank lines."""
        rows = self.parser.parse(raw)
        wanted = raw.ends > raw.starts
        wanted[0] &= not (first_line == 1 and self.has_header)
        lines = np.flatnonzero(wanted) + first_line
        for row in np.flatnonzero(wanted & ~rows.ok).tolist():
            raise DataError(f"{self.path}: line {first_line + row}: {rows.reasons[row]}")
        if not len(lines):
            return None
        columns = [rows.columns[place].to_numpy(zero_copy_only=False)[wanted] for place in self.places]
        labels = {} if self.label is None else {LABEL: self._labels(columns.pop(self.label), lines)}
        return ImageBlock(self._pixels(np.column_stack(columns), lines).astype(np.uint8), labels)

    def _labels(self, cells: F64, lines: I64) -> I64:
        wrong = np.flatnonzero(~((np.abs(cells) <= LARGEST_LABEL) & (cells == np.floor(cells))))
        if len(wrong):
            raise DataError(f"{self.path}: line {lines[wrong[0]]}: the label is not a whole number")
        return cells.astype(np.int64)

    def _pixels(self, cells: F64, lines: I64) -> F64:
        """``cells`` [n, pixels], if all of them are pixels."""
        wrong = np.argwhere(~((cells >= 0) & (cells <= BRIGHTEST) & (cells == np.floor(cells))))  # NaN is wrong too
        if len(wrong):
            row, place = wrong[0].tolist()
            name = [name for index, name in enumerate(self.names) if index != self.label][place]
            value = "missing, or no number" if np.isnan(cells[row, place]) else f"{cells[row, place]:g}"
            raise DataError(
                f"{self.path}: line {lines[row]}, {quoted(name)}: {value}; "
                f"a pixel is a whole number from 0 to {BRIGHTEST}"
            )
        return cells


def _cells(path: str, line: str) -> list[str]:
    """The cells of the first line."""
    try:
        return next(csv.reader([line.removeprefix("\ufeff")]))
    except csv.Error as error:
        raise DataError(f"{path}: line 1 cannot be read as CSV: {error}") from None


def _is_header(path: str, cells: Sequence[str]) -> bool:
    """Whether the first line has names: some may be missing, and numbers if one of them is ``label``."""
    others = [place for place, cell in enumerate(cells) if not _is_number(cell)]
    if any(_is_label(cell) for cell in cells):
        return True
    if 0 < len(others) < len(cells):
        raise DataError(
            f"{path}: line 1, cell {others[0] + 1}: {quoted(cells[others[0]])} is no number, but others of this line "
            f"are; an image has numbers only, a header none unless it has the column `{LABEL}`"
        )
    return any(cells[place].strip() for place in others)


def _is_label(cell: str) -> bool:
    return cell.strip().casefold() == LABEL


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
