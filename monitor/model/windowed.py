"""What networks over windows have in common: a window goes through one narrow layer as a whole, and comes back.

An encoder reads the steps, a bottleneck takes what it says and every column that is in no window, and a decoder makes
the window anew from the bottleneck alone. So fields that are no windows are learned, scored and explained like the
others; they are beside the course, not inside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from monitor.core.model_config import Activation
from monitor.model.autoencoder import ACTIVATIONS, Autoencoder
from monitor.model.windows import Windows

Shapes = dict[str, tuple[int, ...]]


class WindowedAutoencoder(Autoencoder):
    """An autoencoder over windows; ``widths`` are channels of a step before and after the bottleneck.

    ``inner`` is how many numbers the encoder hands to the bottleneck.
    """

    course: Tensor
    rest: Tensor
    back: Tensor

    def __init__(
        self,
        widths: Sequence[int],
        activation: Activation,
        output_activation: Activation,
        windows: Windows,
        inner: int,
    ) -> None:
        super().__init__(widths, activation, output_activation)
        self.windows, self.features = windows, windows.features
        rest = windows.others(self.width)
        self.register_buffer("course", torch.tensor(windows.flat), persistent=False)
        self.register_buffer("rest", torch.tensor(rest, dtype=torch.int64), persistent=False)
        self.register_buffer("back", torch.argsort(torch.tensor([*windows.flat, *rest])), persistent=False)
        self.squeeze = nn.Linear(inner + len(rest), self.latent_width)
        self.others = nn.Linear(self.latent_width, len(rest)) if rest else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruction [n, width] and bottleneck [n, latent_width] of ``x`` [n, width]."""
        course = x.index_select(1, self.course).view(len(x), self.features, -1)  # [n, features, steps]
        inner = torch.cat([self.encode(course), x.index_select(1, self.rest)], 1)
        latent = ACTIVATIONS[self.activation](self.squeeze(inner))
        made = [self.decode(latent).flatten(1)]
        if self.others is not None:
            made.append(self.others(latent))
        output = ACTIVATIONS[self.output_activation](torch.cat(made, 1))
        return output.index_select(1, self.back), latent

    def encode(self, course: Tensor) -> Tensor:
        """What a course [n, features, steps] is summed up to, [n, inner]."""
        raise NotImplementedError

    def decode(self, latent: Tensor) -> Tensor:
        """The course [n, features, steps] made of the bottleneck [n, latent_width]."""
        raise NotImplementedError

    def _layers(self) -> list[nn.Linear]:
        return []


def bottleneck_shapes(inner: int, latent: int, rest: int) -> Shapes:
    """The tensors that all of them have."""
    shapes: Shapes = {"squeeze.weight": (latent, inner + rest), "squeeze.bias": (latent,)}
    if rest:
        shapes |= {"others.weight": (rest, latent), "others.bias": (rest,)}
    return shapes
