"""How wide each layer is: from the configuration and the number of encoded columns to plain numbers."""

from __future__ import annotations

from itertools import pairwise

from monitor.core.errors import DataError
from monitor.core.model_config import ModelConfig

AUTO_WIDTH_LIMIT = 512
"""Widest hidden layer `auto` makes: behind thousands of hashed columns a wider one costs 1 ms a record and more."""

AUTO_BOTTLENECK_LIMIT = 32
"""Widest bottleneck `auto` makes; beyond it a network of this size copies its input, anomalies included."""

CHANNELS = 32
"""Channels that `auto` gives each layer of a network over windows: more cost time and find no more."""

WEIGHT_LIMIT = 2**28
"""Most weights of a network, 1 GiB of float32: a slip in `hidden` must be an error, not an exhausted machine."""


def powers_of_two(input_width: int, bottleneck: int) -> tuple[int, ...]:
    """The powers of two strictly between bottleneck and input, down to the bottleneck and mirrored back.

    >>> powers_of_two(784, 16)
    (512, 256, 128, 64, 32, 16, 32, 64, 128, 256, 512)
    >>> powers_of_two(9, 2)
    (8, 4, 2, 4, 8)
    >>> powers_of_two(3, 5)
    (5,)
    """
    between = [2**k for k in range(input_width.bit_length()) if bottleneck < 2**k < input_width]
    return (*reversed(between), bottleneck, *between)


def auto_bottleneck(input_width: int) -> int:
    """A quarter of the encoded columns, rounded up, 32 at the most: where no record is held out to choose by.

    >>> [auto_bottleneck(width) for width in (1, 4, 9, 64, 784)]
    [1, 1, 3, 16, 32]
    """
    return _part(input_width, 4)


def auto_bottlenecks(input_width: int) -> tuple[int, ...]:
    """What can be chosen from: an eighth, a quarter and half of the columns, narrow enough not to copy its input.

    >>> [auto_bottlenecks(width) for width in (1, 2, 9, 40, 784)]
    [(1,), (1,), (2, 3, 5), (5, 10, 20), (32,)]
    """
    return tuple(sorted({_part(input_width, share) for share in (8, 4, 2)}))


def _part(input_width: int, share: int) -> int:
    return min(AUTO_BOTTLENECK_LIMIT, -(-input_width // share))


def layer_widths(input_width: int, config: ModelConfig) -> tuple[int, ...]:
    """Every width from input to output; empty when there is no network column at all (the null network).

    Raises:
        DataError: the network would have more weights than ``WEIGHT_LIMIT``.
    """
    if input_width == 0:
        return ()
    widths = (input_width, *_hidden(input_width, config), input_width)
    weights = sum(before * after for before, after in pairwise(widths))
    if weights > WEIGHT_LIMIT:
        raise DataError(
            f"model.hidden: a network {'-'.join(map(str, widths))} has {weights:,} weights, more than "
            f"{WEIGHT_LIMIT:,}; ask for narrower layers or encode the fields into fewer columns"
        )
    return widths


def windowed_widths(input_width: int, config: ModelConfig) -> tuple[int, ...]:
    """The same of a network over windows, whose hidden layers are channels of a step.

    >>> windowed_widths(64, ModelConfig(network="conv", bottleneck=16))
    (64, 32, 16, 32, 64)
    >>> windowed_widths(64, ModelConfig(network="conv", bottleneck=32))
    (64, 64, 32, 64, 64)
    """
    if config.hidden != "auto":
        return (input_width, *config.hidden, input_width)
    bottleneck = bottleneck_of(input_width, config)
    channels = CHANNELS if bottleneck < CHANNELS else 2 * bottleneck  # the bottleneck has to be narrower than these
    return (input_width, channels, bottleneck, channels, input_width)


def bottleneck_of(input_width: int, config: ModelConfig) -> int:
    """The bottleneck where `hidden` is `auto`."""
    return auto_bottleneck(input_width) if config.bottleneck == "auto" else config.bottleneck


def _hidden(input_width: int, config: ModelConfig) -> tuple[int, ...]:
    if config.hidden != "auto":
        return tuple(config.hidden)
    return powers_of_two(min(input_width, AUTO_WIDTH_LIMIT + 1), bottleneck_of(input_width, config))
