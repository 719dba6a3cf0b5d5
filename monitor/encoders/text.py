"""Free text such as log messages: templates and words as columns, and surprise at wordings benign data never had.

Numbers, times, addresses and ids in a text are masked before it is compared, so a log message is known again whatever
values it carries. Quotes, brackets and the like are counted. New templates and words, more of anything than benign
texts have, invisible characters, and characters that never stood side by side (what an injected payload cannot do
without) are surprising by as much as benign data make them so. Percent-escapes are looked at as what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.core.protocols import Encoder, FittedEncoder
from monitor.core.records import Field, FieldType, RecordBatch
from monitor.encoders._passages import learn_passages, restore_passages
from monitor.encoders._phrases import PhraseConfig
from monitor.encoders._sights import Kind


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


KIND = Kind(categories=None)


def build(config: Config, field: str) -> Encoder:
    """The encoder of a field, not yet fitted."""
    return TextEncoder(config, field)


def restore(config: Config, field: str, state: Mapping[str, Any]) -> FittedEncoder:
    """A fitted encoder as its ``state`` describes it."""
    return restore_passages(KIND, config, field, state)
