"""Ray, https://www.ray.io: a cluster, or this machine alone."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from secrets import token_hex
from typing import Any

from monitor.core.errors import UnavailableError
from monitor.core.extras import require
from monitor.engines.engine import TRIES, Item, Result, Window

HERE = "local"
"""The address that starts a Ray of our own, which ends with the command."""

REACH_SECONDS = 10.0
"""Whoever does not take a connection for so long is not there."""

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is told to anybody
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # whoever hid a GPU meant it
}
"""The environment of any Ray, unless the user has set it otherwise."""

ALONE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # by this name, on every system: all servers listen on the loopback alone
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": token_hex(32),
}
"""And of one of our own: whoever can reach a server of Ray may run anything there."""


class Ray:
    """Tasks of one core each. Every node has aemonitor installed, and sees the files by the paths they have here.

    Args:
        workers: how many work at once; None: as many as there are cores.
        address: of the cluster, ``HERE`` for this machine alone; see ``ray.init``.

    Raises:
        UnavailableError: Ray is not installed, or there is no cluster at the address.
    """

    def __init__(self, workers: int | None = None, address: str = HERE) -> None:
        require("ray", "ray")
        for name, value in (QUIET | ALONE if address == HERE else QUIET).items():
            os.environ.setdefault(name, value)
        import ray

        own: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False} if address == HERE else {}
        try:
            _reach(address)
            ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **own)
        except (OSError, ValueError, RuntimeError) as error:
            raise UnavailableError(f"--address {address}: no Ray there: {error}") from error
        self.workers = workers or int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        import ray
        from ray.exceptions import RayError, RayTaskError

        sent = ray.put(work)
        task: Any = ray.remote(max_retries=TRIES - 1, num_cpus=1)(_call)
        window: Window[Item, Any] = Window(items, partial(task.remote, sent), 2 * self.workers)
        for item, reference in window:
            try:
                result: Result = ray.get(reference)
            except RayTaskError as error:
                raise error.cause from error
            except RayError as error:
                raise UnavailableError(f"Ray could not work on {item}: {error}") from error
            yield result

    def close(self) -> None:
        import ray

        ray.shutdown()


def _reach(address: str) -> None:
    """Ask whether anybody listens at an address with a port, which Ray would try for minutes; OSError if not."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), REACH_SECONDS).close()


def _call(work: Callable[[Item], Result], item: Item) -> Result:
    return work(item)
