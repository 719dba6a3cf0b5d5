"""Images in CSV: one a line, its pixels 0 to 255, with or without a header and a label.

With a header the label is the column ``label``, in any case of letters, and all others are pixels in their order;
without one, the first column is the label.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, cast

import numpy as np

from monitor.core.arrays import F64, I64
from monitor.core.errors import DataError
from monitor.core.names import quoted
from monitor.core.protocols import Parser
from monitor.core.records import Field, FieldType, RawBatch
from monitor.datasets.blocks import LABEL, MOST_PIXELS, ImageBlock, Readable
from monitor.ingest.reading import read_files
from monitor.parsers import csv_rows

BRIGHTEST = 255
LARGEST_LABEL = 2**53
"""Beyond it a float64, which is how cells are read, has no room for every integer."""


def csv_images(path: str, stream: Readable) -> Iterator[ImageBlock]:
    """The images of a file; ``-`` is what ``stream`` holds from its beginning.

    Raises:
        DataError: it is no CSV, a row has another number of cells than the first, or a cell is no pixel or label.
    """
    form: _Form | None = None
    line, found = 1, False  # the line of the next batch's first record; whether any image was there
    for raw in read_files([path], stdin=cast("IO[bytes]", stream)):
        first = line
        line += len(raw)
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
        cells = [cell.strip().strip('"') for cell in line.removeprefix("\ufeff").split(",")]
        has_header = not all(_is_number(cell) for cell in cells)
        label = 0
        if has_header:
            label = next((place for place, cell in enumerate(cells) if cell.casefold() == LABEL), -1)
        pixels = len(cells) - (label >= 0)
        if not 0 < pixels <= MOST_PIXELS:
            raise DataError(f"{path}: line 1 has {pixels:,} pixels; expected a label and 1 to {MOST_PIXELS:,} of them")
        names = cells if has_header else [LABEL, *(f"pixel{number}" for number in range(1, pixels + 1))]
        # Cells go by their place: names may be anything, empty or twice the same.
        places = tuple(Field(str(place), FieldType.NUMBER) for place in range(len(cells)))
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


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
