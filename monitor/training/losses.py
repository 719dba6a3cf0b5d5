"""The training losses, from differences between reconstruction and target, and their gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    # A dot product: squaring into a new tensor and then adding that up takes six times as long.
    "mse": lambda difference: torch.dot(difference.view(-1), difference.view(-1)) / difference.numel(),
    "huber": lambda difference: nn.functional.huber_loss(difference, torch.zeros_like(difference)),
    "l1": lambda difference: difference.abs().mean(),
}
"""The mean over all entries of contiguous differences [n, width], as a scalar."""

GRADIENTS: dict[str, Callable[[Tensor], Tensor]] = {
    "mse": lambda difference: difference.mul_(2 / difference.numel()),
    "huber": lambda difference: difference.clamp_(-1, 1).div_(difference.numel()),
    "l1": lambda difference: difference.sign_().div_(difference.numel()),
}
"""What the loss changes by with each entry of the reconstruction, [n, width], in place of the differences."""
