"""Lines as they are: one text field, ``message``; every record can be read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.core.columns import lines, typed
from monitor.core.records import Field, FieldType, RawBatch, RecordBatch
from monitor.core.strict import StrictModel
from monitor.core.suggestion import Suggestion

EXAMPLE = "{}\n"

_MESSAGE = Field("message", FieldType.TEXT)


class Config(StrictModel):
    """Raw text has no options."""


def build(config: Config, fields: Sequence[Field] | None) -> RawText:
    """The parser."""
    del config
    return RawText(fields)


def suggest(raw: RawBatch) -> Suggestion | None:
    """Raw text reads everything, so it is what remains when no format fits."""
    return Suggestion(options={}, share=1.0, rank=0) if len(raw) else None


class RawText:
    """Hands every line on as text."""

    def __init__(self, fields: Sequence[Field] | None) -> None:
        # A line is text even where all lines of a batch happen to be numbers.
        self._fields = [_MESSAGE] if fields is None else fields

    def parse(self, raw: RawBatch) -> RecordBatch:
        columns = typed({_MESSAGE.name: lines(raw)}, self._fields, len(raw))
        return RecordBatch(raw, columns, np.ones(len(raw), dtype=np.bool_))
