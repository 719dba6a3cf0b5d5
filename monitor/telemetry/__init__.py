"""Every metric and log event of the program, one method each; nobody else counts or logs."""

from monitor.telemetry.chart import Point
from monitor.telemetry.events import setup_logging
from monitor.telemetry.glance import Seen, StreamOverview
from monitor.telemetry.metrics import Telemetry
from monitor.telemetry.reference import describe_metrics
from monitor.telemetry.stream import StreamTelemetry

__all__ = ["Point", "Seen", "StreamOverview", "StreamTelemetry", "Telemetry", "describe_metrics", "setup_logging"]
