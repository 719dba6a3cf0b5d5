"""Free text such as log messages: templates and words as columns, and surprise at wordings benign data never had.

Numbers, times, addresses and ids in a text are masked before it is compared, so a log message is known again whatever
values it carries. New templates, new words, texts longer than benign ones and invisible characters are surprising by as
much as benign data make them so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.core.protocols import Encoder, FittedEncoder
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.core.strings import Texts
from monitor.core.tokens import Tokens
from monitor.encoders._characters import invisible
from monitor.encoders._passages import NO_CATEGORY, Kind, Sight, learn_passages, restore_passages
from monitor.encoders._phrases import PhraseConfig


class Config(PhraseConfig):
    """Options of ``text``."""


EXAMPLE = """
templates: 32
buckets: 64
"""


@dataclass(frozen=True)
class TextEncoder:
    """Not yet fitted."""

    config: Config
    field: str

    @property
    def fields(self) -> tuple[Field, ...]:
        return (Field(self.field, FieldType.TEXT),)

    def fit(self, batch: RecordBatch) -> FittedEncoder:
        return learn_passages(KIND, self.config, self.field, batch)


def _look(piece: Texts, tokens: Tokens) -> Sight:  # noqa: ARG001
    """Every text of one category; its length is all that is counted."""
    return Sight(piece.lengths[:, None], np.full(len(piece), NO_CATEGORY), (invisible(piece),))


KIND = Kind(
    counts=("length",),
    oddities=(("invisible characters", "an invisible character as in none"),),
    category=str,
    look=_look,
)


def build(config: Config, field: str) -> Encoder:
    """The encoder of a field, not yet fitted."""
    return TextEncoder(config, field)


def restore(config: Config, field: str, state: Mapping[str, Any]) -> FittedEncoder:
    """A fitted encoder as its ``state`` describes it."""
    return restore_passages(KIND, config, field, state)
