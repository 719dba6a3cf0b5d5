"""The base of every configuration section: frozen, and unknown keys are errors."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A frozen pydantic model that refuses unknown keys and silent conversions such as ``"5"`` to ``5``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)
