"""Every metric and log event of the program, one method each; nobody else counts or logs."""

from monitor.telemetry.events import setup_logging
from monitor.telemetry.metrics import StreamOverview, Telemetry
from monitor.telemetry.names import describe_metrics
from monitor.telemetry.stream import StreamTelemetry

__all__ = ["StreamOverview", "StreamTelemetry", "Telemetry", "describe_metrics", "setup_logging"]
