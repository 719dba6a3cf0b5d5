"""Test support: the network of a bundle as torch has it."""

from __future__ import annotations

from monitor.model.autoencoder import Autoencoder
from monitor.model.network import Network


def of_torch(network: Network) -> Autoencoder:
    """The same network; bundles may hold one that torch does not know."""
    assert isinstance(network, Autoencoder)
    return network
