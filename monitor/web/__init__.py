"""The HTTP side: metrics, health and a status page, bounded against slow and hostile clients."""

from monitor.web.health import STARTING, Health
from monitor.web.routes import build_app
from monitor.web.server import AppBuilder, Server
from monitor.web.web_file import WebFile, WebSettings, load_web_settings

__all__ = ["STARTING", "AppBuilder", "Health", "Server", "WebFile", "WebSettings", "build_app", "load_web_settings"]
