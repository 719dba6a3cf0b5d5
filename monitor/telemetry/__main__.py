"""``python -m monitor.telemetry`` prints the reference page of all metrics."""

from __future__ import annotations

import sys

from monitor.telemetry import describe_metrics

if __name__ == "__main__":
    sys.stdout.write(describe_metrics())
