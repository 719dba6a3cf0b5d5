"""What was learned as tensors by name: a part's names begin with its own and a dot."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


def state_of(**parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The states of all parts as one."""
    return {f"{part}.{name}": tensor for part, state in parts.items() for name, tensor in state.items()}


def part_of(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """The state of one part."""
    prefix = f"{part}."
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
