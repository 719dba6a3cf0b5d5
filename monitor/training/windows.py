"""Finds the windows among the features of a stream, for the networks that read them step by step."""

from __future__ import annotations

from monitor.core.errors import DataError
from monitor.core.model_config import Network
from monitor.ingest.features import FeatureSpace
from monitor.model.windows import Windows


def windows_for(network: Network, features: FeatureSpace) -> Windows | None:
    """The columns of every feature that was encoded as a window; None for a network that has no use for them.

    Raises:
        DataError: there is none that varies, or they are not equally long; the message names the features.
    """
    if network == "dense":
        return None
    found = {
        feature.name: tuple(block.start + column for column in course)
        for feature, block in zip(features.features, features.layout.blocks, strict=True)
        if (course := getattr(feature.encoder, "course", ()))
    }
    if not found:
        raise DataError(
            f"model.network: {network} reads windows, and there is no feature encoded as `window` whose values vary; "
            "encode a number so (`field: {window: {length: 20}}`), or use network: dense"
        )
    shortest, longest = (choose(found, key=lambda name: len(found[name])) for choose in (min, max))
    if len(found[shortest]) < len(found[longest]):
        raise DataError(
            f"model.network: {network} reads windows of one length, and {shortest!r} has {len(found[shortest])} "
            f"values, {longest!r} has {len(found[longest])}; give them the same `length`"
        )
    return Windows(tuple(found.values()))
