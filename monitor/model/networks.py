"""The networks by the name that ``model.network`` gives them: how wide they are, and the tensors they are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from monitor.core.errors import DataError
from monitor.core.model_config import ModelConfig, Network
from monitor.model import conv, recurrent
from monitor.model.autoencoder import Autoencoder
from monitor.model.conv import ConvAutoencoder
from monitor.model.layers import WEIGHT_LIMIT, layer_widths, windowed_widths
from monitor.model.network import dense_shapes
from monitor.model.recurrent import RecurrentAutoencoder
from monitor.model.windowed import Shapes, WindowedAutoencoder
from monitor.model.windows import Windows

SHAPES: dict[Network, Callable[[Sequence[int], Windows], Shapes]] = {
    "conv": conv.shapes,
    "gru": partial(recurrent.shapes, cell="gru"),
    "lstm": partial(recurrent.shapes, cell="lstm"),
}

BUILD: dict[Network, Callable[..., WindowedAutoencoder]] = {
    "conv": ConvAutoencoder,
    "gru": partial(RecurrentAutoencoder, cell="gru"),
    "lstm": partial(RecurrentAutoencoder, cell="lstm"),
}


def network_for(input_width: int, config: ModelConfig, windows: Windows | None = None) -> Autoencoder:
    """The uninitialised network a configuration asks for over ``input_width`` columns.

    Raises:
        DataError: it would have too many weights, or its bottleneck would not be narrower than what goes through it.
    """
    if windows is None:
        return blank(config, layer_widths(input_width, config), None)
    widths = windowed_widths(input_width, config)
    if min(widths[1:-1]) >= input_width > 1:
        raise DataError(
            f"model: a bottleneck of {min(widths[1:-1])} is not narrower than the {input_width} columns that go "
            "through it, so the network would copy anomalies, too; give a narrower one"
        )
    weights = sum(map(math.prod, shapes(config.network, widths, windows).values()))
    if weights > WEIGHT_LIMIT:
        raise DataError(
            f"model.hidden: a network {config.network} {'-'.join(map(str, widths))} has {weights:,} weights, more than "
            f"{WEIGHT_LIMIT:,}; ask for narrower layers"
        )
    return blank(config, widths, windows)


def blank(config: ModelConfig, widths: Sequence[int], windows: Windows | None) -> Autoencoder:
    """A network whose weights mean nothing yet; drawing them leaves the process's own random numbers as they were.

    Raises:
        ValueError: the widths have no layer on one side of the bottleneck.
    """
    if windows is None:
        return Autoencoder(widths, config.activation, config.output_activation)
    with torch.random.fork_rng(devices=[]):
        return BUILD[config.network](widths, config.activation, config.output_activation, windows)


def restored(
    config: ModelConfig, widths: Sequence[int], windows: Windows | None, weights: Mapping[str, Tensor]
) -> Autoencoder:
    """A network with weights that were checked against ``shapes``, for inference."""
    module = blank(config, widths, windows)
    module.load_state_dict(weights)
    return module.eval()


def shapes(network: Network, widths: Sequence[int], windows: Windows | None) -> Shapes:
    """The tensors of a network by name, without building it: a forged manifest could ask for any amount of memory."""
    if windows is not None:
        return SHAPES[network](widths, windows)
    return dense_shapes(widths)
