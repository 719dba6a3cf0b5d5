"""The ``alert:`` section of a stream: which scores alert, and what a person is told. All of it plain configuration."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from monitor.core.names import quoted
from monitor.core.strict import StrictModel
from monitor.core.suppress_config import SuppressConfig, distinct_rules

_PER_DAY = {"hour": 24.0, "day": 1.0, "week": 1 / 7}


def parse_budget(text: str) -> float:
    """Alerts a day of ``NUMBER/hour``, ``/day`` or ``/week``.

    >>> parse_budget("5/day"), parse_budget("0.5/hour"), parse_budget("7/week")
    (5.0, 12.0, 1.0)

    Raises:
        ValueError: it is none of these; the message is for the user.
    """
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?/ ?(hour|day|week)", text)
    if not found or not float(found[1]):
        raise ValueError(f"expected a number of alerts as in 5/day, 2/hour or 1/week, got {quoted(text)}")
    return float(found[1]) * _PER_DAY[found[2]]


def _budget(text: str) -> str:
    parse_budget(text)
    return text


class AlertConfig(StrictModel):
    """Which scores raise an alert."""

    threshold: float = Field(
        default=1.0,
        gt=0,
        allow_inf_nan=False,
        description="Scores above this raise an alert; 1 is the worst benign record of `l1`, or the limit of another "
        "method.",
    )
    false_alarm_rate: float = Field(
        default=0.01,
        gt=0,
        lt=1,
        allow_inf_nan=False,
        description="Share of the held-out benign records that may score above 1 by any method but `l1`; with too few "
        "of them, the worst one is the limit.",
    )
    budget: Annotated[str, AfterValidator(_budget)] | None = Field(
        default=None,
        description="Instead of a threshold: how many false alerts are accepted, as `5/day`, `1/week` or `2/hour`. "
        "`retrain` sets the limit by held-out benign records, and refuses where there are too few to keep the promise.",
    )
    records_per_day: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="How many records come in a day, for `budget`; without it their event times tell.",
    )
    episode_gap_seconds: float = Field(
        default=300.0,
        ge=0,
        le=1e8,
        description="Alerts of one key that follow each other within this time are one episode, told and counted once.",
    )
    tell: Literal["episodes", "records"] = Field(
        default="episodes",
        description="What the sinks get: each episode when it begins, when it turns critical and when it is over, or "
        "each anomalous record by itself.",
    )
    fire_after: int = Field(
        default=1, ge=1, le=1_000_000, description="An episode is told from so many anomalous records on."
    )
    habituation_days: float = Field(
        default=0.0,
        ge=0,
        le=3650,
        allow_inf_nan=False,
        description="After an episode the next one of its key is told only if it scores higher, and what counts as "
        "higher sinks by half in so many days: for sensors, which stay odd for long. 0: every episode is told.",
    )
    storm_keys: int = Field(
        default=3,
        ge=0,
        le=1000,
        description="When so many keys are told of within `episode_gap_seconds`, all that alert are one episode of the "
        "stream until fewer than that do. 0: each key is told of by itself.",
    )
    hold_seconds: float = Field(
        default=30.0,
        ge=0,
        le=3600,
        allow_inf_nan=False,
        description="When somebody was told of a key, the next keys wait for so long, to see whether they are many; at "
        "most as long as `episode_gap_seconds`.",
    )
    regime_after: int = Field(
        default=5,
        ge=0,
        le=1000,
        description="When so many episodes of a key were told within `regime_days`, or one lasts for so long, that is "
        "told as a change of regime, and nothing more of the key until it is quiet for so long. 0: never.",
    )
    regime_days: float = Field(default=1.0, gt=0, le=3650, allow_inf_nan=False, description="See `regime_after`.")
    silence: Literal["auto", "off"] | Annotated[float, Field(gt=0, le=1e8, allow_inf_nan=False)] = Field(
        default="auto",
        description="Tell when no record comes for so many seconds. `auto`: for three times as long as in any gap of "
        "the benign data, if these span twenty such gaps; `retrain` prints it. `off`: never.",
    )
    key_silence: Literal["auto", "off"] | Annotated[float, Field(gt=0, le=1e8, allow_inf_nan=False)] = Field(
        default="auto",
        description="Tell when a key that is there all the time is not heard for so many seconds while others are. "
        "`auto`: for three times its own longest absence, where benign data of a day or more show that nine in ten "
        "keys are there all the time; `retrain` prints it. `off`: never.",
    )
    suppress: Annotated[list[SuppressConfig], AfterValidator(distinct_rules)] = Field(
        default_factory=list[SuppressConfig],
        description="Anomalous records that nobody is told of, by rules: those that match the first one are counted "
        "and kept under its name.",
    )
    suppress_benign: bool = Field(
        default=True,
        description="What was labelled benign is told of no more: records of that key with the same field to blame, "
        "until a model is learned after the label was given.",
    )
    adaptive: bool = Field(
        default=False,
        description="Let the limit follow what lasts for two days or longer, up to twice the calibrated one and never "
        "below it; `aemonitor models limit` has every change.",
    )

    @property
    def budget_per_day(self) -> float | None:
        """The budget in alerts a day; None when there is none."""
        return None if self.budget is None else parse_budget(self.budget)

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        for other in ("threshold", "false_alarm_rate"):
            if self.budget is not None and other in self.model_fields_set:
                raise ValueError(f"budget and {other} both set the limit; give one of them")
        return self
