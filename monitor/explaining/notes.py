"""In what a replayed record may differ from what the daemon saw, and why: one sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.core.names import listed
from monitor.explaining.explanation import Explanation, Replay

UNEXPLAINED = (
    "nothing the score depends on is missing, and yet it is another one: the stream's parser, time or key is "
    "configured otherwise by now, or this machine computes differently; the figures of the alert are right"
)


def notes(explanation: Explanation, *, cut: bool) -> tuple[str, ...]:
    """What to know before comparing; empty where there is nothing to wonder about.

    Args:
        explanation: alert or replay, or both.
        cut: whether the alert may hold but the beginning of its record.
    """
    if explanation.replay is None or explanation.repeats:
        return ()
    if explanation.alert is None or explanation.other_model:
        return tuple(_alone(explanation.replay))
    return tuple(_differences(explanation, explanation.replay, cut=cut)) or (UNEXPLAINED,)


def _differences(explanation: Explanation, replay: Replay, *, cut: bool) -> Iterator[str]:
    if not explanation.repeats_fields:
        if cut:
            yield (
                "the alert keeps only the beginning of a record this long; hand over the whole of it with --line - "
                "to see every figure"
            )
        if replay.past:
            yield (
                f"{_past(replay)}; the fields that the alert names are shown as it told them, with the past that was "
                "remembered then, and so are its score and its sentence"
            )
    if replay.averaged > 1:
        yield f"the score of the alert is {_mean(replay)}, that of the replay is of this record alone"


def _alone(replay: Replay) -> Iterator[str]:
    if replay.past:
        yield _past(replay)
    if replay.averaged > 1:
        yield f"in the daemon the score is {_mean(replay)}; here it is of this record alone"


def _past(replay: Replay) -> str:
    verb = "depends" if len(replay.past) == 1 else "depend"
    return f"{listed(replay.past)} {verb} on earlier records of the key, and the replay remembers none"


def _mean(replay: Replay) -> str:
    return f"the mean of the last {replay.averaged} of its key"
