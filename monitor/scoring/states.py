"""What was learned as arrays by name: a part's names begin with its own and a dot."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.model.ops import Array


def state_of(**parts: Mapping[str, Array]) -> dict[str, Array]:
    """The states of all parts as one."""
    return {f"{part}.{name}": tensor for part, state in parts.items() for name, tensor in state.items()}


def part_of(state: Mapping[str, Array], part: str) -> dict[str, Array]:
    """The state of one part."""
    prefix = f"{part}."
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
