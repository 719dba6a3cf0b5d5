"""What another daemon remembered of keys whose records come here from now on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from monitor.core.accounting import Memory, MemoryChange, changed

TakeOver = Callable[[Mapping[str, Memory]], Mapping[str, str]]
"""Goes on with memories instead of those held; why not, by name."""


def join(
    changes: Sequence[MemoryChange], held: Mapping[str, Memory], take_over: TakeOver
) -> tuple[list[MemoryChange], dict[str, str]]:
    """Remember it beside what is held.

    Returns:
        The changes that were taken over, and of each other one why not, by name.
    """
    joined: list[MemoryChange] = []
    refused: dict[str, str] = {}
    for change in changes:
        memory = held.get(change.name)
        if memory is None or memory.made_by != change.made_by:
            refused[change.name] = "another daemon of the group has it with another kind, field or options"
        elif reasons := take_over({change.name: changed(memory, change)}):
            refused |= reasons
        else:
            joined.append(change)
    return joined, refused
