"""What alerted last, key by key, as the ledger has it; read beside the daemon that writes it."""

from __future__ import annotations

from monitor.app.pipeline import EPISODES
from monitor.deciding.episode import Episode, of_numbers
from monitor.deciding.episodes import Episodes
from monitor.ledger import Ledger


def standing(ledger: Ledger, stream: str) -> dict[str | None, Episode]:
    """The last episode of each key that has one, as of the last commit; none of these need be over."""
    memory = ledger.memories(stream).get(EPISODES)
    if memory is None or memory.made_by != Episodes.made_by:
        return {}
    state = memory.state()
    episodes = zip(state["keys"], map(of_numbers, state["values"]), strict=True)
    return {key: episode for key, episode in episodes if episode.alerts}
