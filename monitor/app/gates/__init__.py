"""The gates before publication: whatever does not pass all of them stays outside, and what is in use goes on."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.app.gates import baselines, enough, episode, faults, feedback, finite, replay, schema
from monitor.app.gates.contest import Contest
from monitor.app.gates.trying import Tried, tried
from monitor.model.trials import Gate

NAMES = ("episode", "enough", "schema", "finite", "baselines", "faults", "feedback", "replay", "loads")
"""In the order of the report. The last one takes the files and is passed while they are published."""


def judged(contest: Contest) -> tuple[Tried, tuple[Gate, ...]]:
    """Every gate but the last, whether the ones before it were passed or not: a person wants to know all of it."""
    found = tried(contest)
    return found, (
        episode.gate(contest),
        enough.gate(contest),
        schema.gate(contest),
        finite.gate(contest),
        baselines.gate(contest, found),
        faults.gate(contest, found),
        feedback.gate(contest),
        replay.gate(contest),
    )


def refusal(gates: Sequence[Gate]) -> str | None:
    """Why a model must not be published, in words; None when it may be."""
    return "; ".join(f"{gate.name}: {gate.words}" for gate in gates if not gate.passed) or None
