"""The ``reservoir:`` section of a stream: how much of its benign traffic is kept to learn from."""

from __future__ import annotations

from pydantic import Field

from monitor.core.strict import StrictModel


class ReservoirConfig(StrictModel):
    """A sample of benign records, spread evenly over time, that `retrain` learns from."""

    enabled: bool = Field(default=True, description="Keep it; without it `retrain` reads files.")
    max_records: int = Field(
        default=100_000,
        ge=100,
        le=5_000_000,
        description="Most records kept. Each hour there were any has an equal share, a 24th at the most; of stretches, "
        "which are kept for features that remember what came before, each quarter of a day.",
    )
    max_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=65_536,
        description="Most bytes of values kept, before compression; shared among the hours likewise.",
    )
    max_age_days: int = Field(default=30, ge=1, le=3650, description="Older hours are forgotten.")
