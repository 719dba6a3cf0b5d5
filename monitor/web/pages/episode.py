"""The page of one alert: the sentence, every field held against what is benign, the record, and what people say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.core.alerts import FieldFinding
from monitor.explaining.rarity import rarer_than
from monitor.web.api.answers import NOTE_CHARACTERS, Detail
from monitor.web.desk import Surroundings
from monitor.web.pages.assets import Asset
from monitor.web.pages.bars import Bar, bar
from monitor.web.pages.rendering import render
from monitor.web.site import Site

LITTLE = 0.05
"""Of the blame: a field with less than that is in a table below those that have to answer for the alert."""


@dataclass(frozen=True, slots=True)
class FormState:
    """Who may say something, how the form proves that it is ours, and why the last attempt was refused."""

    user: str | None
    token: str
    note: str = ""
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class FieldView:
    """A field, its drawing where there is one, and how rare it is where it is rare."""

    finding: FieldFinding
    bar: Bar | None
    rarity: str


def episode_page(site: Site, assets: Mapping[str, Asset], found: Detail, form: FormState) -> str:
    """The page as HTML."""
    blamed = [*found.alert.fields[:1], *(each for each in found.alert.fields[1:] if each.contribution >= LITTLE)]
    return render(
        "episode.html.j2",
        root="../",
        assets=assets,
        now=site.clock.now(),
        version=site.version,
        episode=found.episode,
        alert=found.alert,
        worse=found.worse,
        fields=[FieldView(each, bar(each), rarer_than(each.rarity)) for each in found.alert.fields if each in blamed],
        lesser=[each for each in found.alert.fields if each not in blamed],
        around=site.desk.surroundings(found.alert) if found.alert.count else Surroundings(),
        form=form,
        note_characters=NOTE_CHARACTERS,
    )


def missing_page(site: Site, assets: Mapping[str, Asset], alert_id: str) -> str:
    """What is said of an alert that is not there."""
    return render("missing.html.j2", root="../", assets=assets, version=site.version, alert_id=alert_id)
