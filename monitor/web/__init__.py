"""The HTTP side: metrics, health and a status page, bounded against slow and hostile clients."""

from monitor.web.health import Health
from monitor.web.server import Server

__all__ = ["Health", "Server"]
